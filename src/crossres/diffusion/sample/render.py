"""One block of a scene: from LR pixels, with as many around it as the result looks at, to the numbers of the product.

Whichever process, thread or device renders it, the block is the same: on CPUs a block has one thread. A process that
has GPUs gives each of its threads one.
"""

import itertools
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from crossres.diffusion.model import checkpoint
from crossres.diffusion.model.card import Card
from crossres.diffusion.model.dates import network_input
from crossres.diffusion.model.memory import is_out_of_memory
from crossres.diffusion.model.precision import in_bfloat16
from crossres.diffusion.model.standardise import Standard
from crossres.diffusion.paths import path_of
from crossres.diffusion.sample.arms import Arm
from crossres.diffusion.sample.block_store import BlockStore
from crossres.diffusion.sample.chains import chain_of
from crossres.diffusion.sample.compiled import CompiledVelocity
from crossres.diffusion.sample.products import numbers, rasters
from crossres.diffusion.sample.windows import Block
from crossres.errors import UserError
from crossres.imagery.engine import keep_memory
from crossres.operators import nearest
from crossres.settings.sample import ArmSettings, TilingSettings


@dataclass(frozen=True)
class SceneTarget:
    """What a scene is brought to."""

    bands: tuple[str, ...]
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


def load_arm(
    name: str, arm: ArmSettings, tiling: TilingSettings, model: Path, device: torch.device | None = None
) -> tuple[Card, Arm]:
    """Return a model's card and an arm ready to draw from it; without a device only as far as settings are checked.

    What of `tiling` goes by the hardware is settled, but for `compile`, which goes by the scene, too (`compiles`).
    """
    if not arm.has_network:
        card = checkpoint.load_card(model)
        return card, Arm(arm, tiling)
    loaded = checkpoint.load(model, arm.weights)
    loaded.network.to(device or "cpu").to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    tiling = tiling.model_copy(
        update={"precision": "bfloat16" if in_bfloat16(tiling.precision, _device()) else "float32"}
    )
    if device is not None and tiling.compile is True:
        loaded.network.velocity_given = CompiledVelocity(loaded.network)  # type: ignore[method-assign]
    if arm.start == "regression":
        return loaded.card, Arm(arm, tiling, loaded.network)
    card = loaded.card
    path = path_of(card.train, card.residual_rms)
    return card, Arm(
        arm,
        tiling,
        loaded.network,
        path,
        chain_of(name, arm, path, card.sigma, card.teacher_sha256 is not None),
        card.std_factor,
    )


def compiles(tiling: TilingSettings, one_block: bool) -> bool:
    """Return whether the network is compiled for a scene, which has one block or more."""
    return tiling.compile is True or (tiling.compile == "auto" and _device().type == "cuda" and not one_block)


def keep(job: Job, number: int, block: Block, lr: np.ndarray, threads: int = 1) -> None:
    """Render a block and keep it in the job's store. `lr` is (channel, row, column) reflectance, all that is read."""
    torch.set_num_threads(1)
    keep_memory()  # a worker elsewhere has not been told
    arm = _arm(job, threads)
    job.store.write(number, numbers(render(arm, job.target, block, lr), rasters(job.target.bands, arm.supports)))


def render(arm: Arm, target: SceneTarget, block: Block, lr: np.ndarray) -> dict[str, np.ndarray]:
    """Return the rasters of a block by name, (band, row, column) float32 reflectance (`products.rasters`).

    Further dates may follow the bands of `lr` (`model.dates`).

    Raises `UserError` when memory does not hold it.
    """
    missing = ~np.isfinite(lr[: len(target.standard.mean)]).all(0)
    if missing.all():
        shown = rasters(target.bands, arm.supports)
        return {name: np.full((len(of), *block.core.shape), np.nan, np.float32) for name, (of, _) in shown.items()}
    device = next(arm.network.parameters()).device if arm.network else torch.device("cpu")
    standard, view = target.standard, block.view(block.core)
    rows = nearest(missing.shape[0], view.factor, view.top, view.height)
    cols = nearest(missing.shape[1], view.factor, view.left, view.width)
    hidden = missing[rows][:, cols]

    def seen(image: torch.Tensor) -> np.ndarray:
        return np.where(hidden, np.float32(np.nan), image.cpu().numpy())

    try:
        with torch.inference_mode():
            estimate = arm.run(network_input(lr, standard).to(device), block)
            spread = standard.spread(estimate.std)
            found = {
                "mean": seen(standard.reflectance(estimate.mean)),
                "std": seen(estimate.std * spread),
                "sample": seen(standard.reflectance(estimate.sample)),
            }
            if estimate.support is not None:
                found["support"] = seen((estimate.support * spread**2).mean(1).sqrt())
            return found
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    raise UserError("sample: memory does not hold a block; lower sample.tiling.block_px")


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
