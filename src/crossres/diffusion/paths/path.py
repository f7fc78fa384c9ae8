"""What a path is: all that training and sampling ask of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

from crossres.diffusion.paths.samplers import Velocity
from crossres.settings.sample import EVALUATIONS
from crossres.settings.sample_keys import Spacing

VectorField = Callable[[Tensor, float, float], Tensor]
"""The network over an image: (x, t, sigma) to its output; `x` is (sample, band, row, column)."""
Noise = Callable[[int], Tensor]
"""The k-th image of standard normal noise of each sample: 0 is the start's, 1, 2, ... the steps'."""


@dataclass(frozen=True)
class Draws:
    """The random numbers of one training step, one of each per example."""

    t: Tensor
    """(batch,) uniform over [0, 1)."""
    sigma: Tensor
    """(batch,) source noise that the network is told."""
    noise: Tensor
    """(batch, band, row, column) standard normal."""

    def part(self, which: slice) -> "Draws":
        """Return those of some of the examples."""
        return Draws(self.t[which], self.sigma[which], self.noise[which])


@dataclass(frozen=True)
class Example:
    """What the network sees and what it should answer."""

    x: Tensor
    t: Tensor
    sigma: Tensor
    target: Tensor
    hr_part: Tensor | None = None
    """What the target has of the HR image: it moves with the image, the rest does not. None where nobody asks."""


@dataclass(frozen=True)
class Chain:
    """How an image is drawn: an arm's settings with nothing left open."""

    start: Literal["lr", "noise"]
    steps: int
    solver: str
    sigma: float
    """Noise of the start, in HR standard deviations; 1 is pure noise."""
    eta: float
    """Share of fresh noise in each step, 0 (none, an ODE) to 1 (as in DDPM)."""
    spacing: Spacing = "even"
    """Whether steps are even in the path's time or in its angle; only the residual and the straight path ask."""

    @property
    def nfe(self) -> int:
        """How often the network is evaluated."""
        return self.steps * EVALUATIONS[self.solver]


class DiffusionPath(Protocol):
    """One way between a start and the HR image."""

    @property
    def name(self) -> str:
        """As `train.path` calls it."""

    @property
    def loss(self) -> Literal["l1", "l2"]:
        """What the network's error is measured in."""

    @property
    def starts(self) -> tuple[str, ...]:
        """Where sampling can start."""

    @property
    def solvers(self) -> tuple[str, ...]:
        """What it can be sampled with; the first is the usual one."""

    @property
    def sigmas(self) -> tuple[float, ...]:
        """Noises of an LR start that validation tries; empty when the path leaves no choice."""

    @property
    def usual_sigma(self) -> float:
        """Noise of an LR start where nothing has been tried: what training is watched with."""

    def draw(self, shape: torch.Size, generator: torch.Generator) -> Draws:
        """Draw the random numbers of a training step for HR images of that (batch, band, row, column) shape."""

    def example(self, y: Tensor, hr: Tensor, draws: Draws) -> Example:
        """Return what is learnt from HR images and the LR images `y` on their grid, both standardised."""

    def usual_eta(self, start: str) -> float:
        """Return the share of fresh noise that fits a start."""

    def run(self, field: VectorField, y: Tensor, noise: Noise, chain: Chain) -> Tensor:
        """Draw HR images for the LR images `y` on their grid."""


@runtime_checkable
class Distillable(DiffusionPath, Protocol):
    """A path whose many steps can be learnt as one."""

    def lesson(self, teacher: Velocity, y: Tensor, draws: Draws, steps: int, solver: str) -> Example:
        """Return what a network learns to end in one Euler step where `teacher` ends in `steps`, from these draws."""
