"""One block of a scene: from LR pixels, with as many around it as the result looks at, to the numbers of the product.

Whichever process, thread or device renders it, the block is the same: on CPUs a block has one thread. A process that
has GPUs gives each of its threads one.
"""

import itertools
import threading
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from crossres.diffusion.model import checkpoint
from crossres.diffusion.model.card import Card
from crossres.diffusion.model.gaps import fill_nearest
from crossres.diffusion.model.standardise import Standard
from crossres.diffusion.model.upsample import View
from crossres.diffusion.paths import path_of
from crossres.diffusion.sample.arms import Arm, chain_of
from crossres.diffusion.sample.block_store import BlockStore
from crossres.diffusion.sample.products import numbers
from crossres.imagery.engine import keep_memory
from crossres.operators import nearest
from crossres.settings.sample import ArmSettings, TilingSettings


@dataclass(frozen=True)
class SceneTarget:
    """What a scene is brought to."""

    bands: tuple[str, ...]
    factor: Fraction
    standard: Standard


@dataclass(frozen=True)
class Job:
    """All that a process needs to render blocks of a scene."""

    name: str
    arm: ArmSettings
    tiling: TilingSettings
    lr_mtf: tuple[float, ...]
    model: Path
    target: SceneTarget
    store: BlockStore


@dataclass(frozen=True)
class SceneBlock:
    """A part of a scene, in LR pixels, and how much of the scene is read above and left of it."""

    number: int
    top: int
    left: int
    height: int
    width: int
    above: int
    before: int


def load_arm(
    name: str, arm: ArmSettings, tiling: TilingSettings, model: Path, device: torch.device | None = None
) -> tuple[Card, Arm]:
    """Return a model's card and an arm ready to draw from it; without a device only as far as settings are checked."""
    if arm.start in {"bicubic", "nearest"}:
        card = checkpoint.load_card(model)
        return card, Arm(arm, tiling)
    loaded = checkpoint.load(model, arm.weights)
    loaded.network.to(device or "cpu").to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if arm.start == "regression":
        return loaded.card, Arm(arm, tiling, loaded.network)
    card = loaded.card
    path = path_of(card.train, card.residual_rms)
    return card, Arm(
        arm, tiling, loaded.network, path, chain_of(name, arm, path, card.sigma, card.teacher_sha256 is not None)
    )


def keep(job: Job, block: SceneBlock, lr: np.ndarray, threads: int = 1) -> None:
    """Render a block and keep it in the job's store. `lr` is (band, row, column) reflectance, all that is read."""
    torch.set_num_threads(1)
    keep_memory()  # a worker elsewhere has not been told
    job.store.write(block.number, numbers(render(_arm(job, threads), job.target, block, lr)))


@torch.inference_mode()
def render(arm: Arm, target: SceneTarget, block: SceneBlock, lr: np.ndarray) -> dict[str, np.ndarray]:
    """Return mean, std and sample, (band, row, column) float32 reflectance, of a block."""
    missing = ~np.isfinite(lr).all(0)
    factor = target.factor
    top, left, height, width = (int(n * factor) for n in (block.above, block.before, block.height, block.width))
    if missing.all():
        nothing = np.full((len(target.bands), height, width), np.nan, np.float32)
        return {"mean": nothing, "std": nothing, "sample": nothing}
    filled = target.standard.forward(fill_nearest(lr))
    device = next(arm.network.parameters()).device if arm.network else torch.device("cpu")
    view = View.whole(factor, *missing.shape)
    first_row, first_col = (int(n * factor) for n in (block.top - block.above, block.left - block.before))
    estimate = arm.run(torch.from_numpy(filled)[None].to(device), view, first_row, first_col)
    standard = target.standard
    rows, cols = nearest(missing.shape[0], factor, top, height), nearest(missing.shape[1], factor, left, width)
    hidden = missing[rows][:, cols]

    def core(image: torch.Tensor) -> np.ndarray:
        return np.where(hidden, np.float32(np.nan), image[:, top : top + height, left : left + width].cpu().numpy())

    return {
        "mean": core(standard.reflectance(estimate.mean)),
        "std": core(estimate.std * standard.spread(estimate.std)),
        "sample": core(standard.reflectance(estimate.sample)),
    }


_lock = threading.Lock()
_ready: dict[tuple[Path, int, torch.device], Arm] = {}
_of_thread = threading.local()
_count = itertools.count()


def _arm(job: Job, threads: int) -> Arm:
    """Return the arm of a job on the device of this thread; a process loads a model once for each device."""
    device = _device()
    key = (job.store.folder, threads, device)
    with _lock:
        if key not in _ready:
            arm = load_arm(job.name, job.arm, job.tiling, job.model, device)[1]
            for other in [other for other in _ready if other[0] != key[0]]:
                del _ready[other]
            _ready[key] = replace(arm, lr_mtf=job.lr_mtf, threads=threads)
        return _ready[key]


def _device() -> torch.device:
    if not torch.cuda.is_available():
        return torch.device("cpu")
    if not hasattr(_of_thread, "device"):
        _of_thread.device = torch.device("cuda", next(_count) % torch.cuda.device_count())
    return _of_thread.device
