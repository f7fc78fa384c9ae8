"""What one training run is, whether data or a teacher teaches it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crossres.diffusion.model.network import Network
from crossres.diffusion.paths.path import DiffusionPath, Draws, Example
from crossres.diffusion.train.material import Material
from crossres.diffusion.train.prepare import Batch
from crossres.diffusion.train.processes import Processes
from crossres.diffusion.train.validation import Validation


@dataclass(frozen=True)
class Training:
    """A network, what it learns from, and where its run is kept."""

    network: Network
    """With the weights that it starts from."""
    path: DiffusionPath
    material: Material
    example: Callable[[Batch, Draws], Example]
    """What the network learns of a batch, with the path's random numbers."""
    validation: Validation | None
    """None without validation patches."""
    sigma: float
    """Noise of the LR start that validation on the way is drawn from."""
    sigma_of: Callable[[Network], float]
    """The noise of an LR start that suits trained weights."""
    group: Processes
    state: Path
    """File that the run is saved in from time to time."""
    bound: dict[str, Any]
    """What the result depends on: a run goes on only from a state of the same."""
    code: str
    """Fingerprint of the code that trains."""
    events: Path | None
    """Folder for TensorBoard's event files."""
    teacher_sha256: str | None = None
    """Hash of the weights that a one-step model is distilled from; None where data teaches."""
    start_sha256: str | None = None
    """Hash of the weights that training started from; None for random ones."""
