"""Whole scenes, block by block: memory depends on the block, not on the scene.

A block is read with a halo as wide as the result looks, all solver steps together, so that blocks leave no trace;
within a block, tiles share one velocity field (`tiling`). Only a very long chain of steps asks for more halo than is
affordable; it is then cut at HALO_LIMIT_PX, past which a pixel's influence is far below one count of the product.
"""

import logging
import math
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from odc.geo.geobox import GeoBox
from rasterio.windows import Window
from tqdm import tqdm

from crossres.code_version import code_version
from crossres.diffusion import checkpoint
from crossres.diffusion.arms import Arm, chain_of
from crossres.diffusion.block_store import BlockStore
from crossres.diffusion.checkpoint import Card
from crossres.diffusion.gaps import fill_nearest
from crossres.diffusion.lr_scene import LrScene
from crossres.diffusion.paths import path_of
from crossres.diffusion.products import numbers, open_product, write_item
from crossres.diffusion.standardise import Standard
from crossres.diffusion.upsample import View
from crossres.errors import UserError
from crossres.files import read_json, whole
from crossres.grids import crop, fine_grid, lr_multiple, scale_factor
from crossres.operators import nearest
from crossres.rasters import read_scene
from crossres.sensors import mtf
from crossres.settings.sample import ArmSettings, TilingSettings

log = logging.getLogger(__name__)

BLOCK_PX = 2048
"""Side of a block, in HR pixels."""
HALO_LIMIT_PX = 256
"""Widest halo around a block, in HR pixels."""


@dataclass(frozen=True)
class Target:
    """What a scene is brought to."""

    bands: tuple[str, ...]
    factor: Fraction
    standard: Standard


def sample_scene(
    arm: ArmSettings,
    tiling: TilingSettings,
    name: str,
    lr: Path,
    hr_gsd_m: float | None,
    model: Path | None,
    output: Path,
    lr_mtf: float | None = None,
) -> None:
    """Run one arm, called `name`, over an LR scene and write `mean.tif`, `std.tif`, `sample.tif` and `item.json`.

    `model` is a model folder; its card gives bands and factor. Without one, only bicubic and nearest run, on all
    bands of the scene and to pixels of `hr_gsd_m`. `lr_mtf` is `grid.lr_mtf`. Raises `UserError` when scene, model and
    `hr_gsd_m` do not fit one another.
    """
    if model is None:
        if hr_gsd_m is None or arm.start not in {"bicubic", "nearest"}:
            raise UserError(
                f"sample.arms.{name}: start {arm.start!r} needs a model; without one, give a target GSD and "
                "choose bicubic or nearest"
            )
        scene = read_scene(lr, Window(0, 0, 1, 1))
        gsd = abs(scene.grid.affine.a)
        target = Target(
            scene.bands, scale_factor(gsd, hr_gsd_m), Standard((0.0,) * len(scene.bands), (1.0,) * len(scene.bands))
        )
        source = LrScene.open(lr, scene.bands, gsd)
        ready = Arm(arm, tiling)
    else:
        card, ready = _load(name, arm, tiling, model)
        if hr_gsd_m is not None and abs(hr_gsd_m - card.hr_gsd_m) > 1e-6 * hr_gsd_m:
            raise UserError(
                f"{model}: was trained for {card.hr_gsd_m:g} m, grid.gsd_m asks for {hr_gsd_m:g} m; train again"
            )
        target = Target(card.bands, card.scale, card.standard)
        source = LrScene.open(lr, card.bands, card.lr_gsd_m)
    origin = Path(os.path.relpath(lr, output)).as_posix()
    _render(ready, target, source, f"{Path(lr).parent.name}_{name}", name, origin, [], model, output, lr_mtf)


def super_resolve(
    scene: Path, name: str, origin: str, model: Path, output: Path, arm: ArmSettings, tiling: TilingSettings
) -> None:
    """Apply a trained model to a scene as `acquire` reads any: a folder with `reflectance.tif` and `item.json`.

    Writes the same files as `sample_scene`; the item is called by `name` and links the scene's `origin`, a URL or a
    path relative to `output`. What its source did not say of itself and was assumed is logged and stands in the
    item (`crossres:assumed`). Raises `UserError` when the scene has other pixels than the model.
    """
    card, ready = _load(arm.start, arm, tiling, model)
    source = LrScene.open(scene / "reflectance.tif", card.bands, card.lr_gsd_m)
    assumed = read_json(scene / "item.json")["properties"].get("crossres:assumed", [])
    target = Target(card.bands, card.scale, card.standard)
    _render(ready, target, source, f"{name}_sr", arm.start, origin, assumed, model, output)


def _load(name: str, arm: ArmSettings, tiling: TilingSettings, model: Path, rank: int = 0) -> tuple[Card, Arm]:
    if arm.start in {"bicubic", "nearest"}:
        card = checkpoint.load_card(model)
        return card, Arm(arm, tiling)
    loaded = checkpoint.load(model, arm.weights)
    gpus = torch.cuda.device_count()
    device = torch.device("cuda", rank % gpus) if gpus else torch.device("cpu")
    loaded.network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if arm.start == "regression":
        return loaded.card, Arm(arm, tiling, loaded.network)
    card = loaded.card
    path = path_of(card.train, card.residual_rms)
    return card, Arm(
        arm, tiling, loaded.network, path, chain_of(name, arm, path, card.sigma, card.teacher_sha256 is not None)
    )


def _render(
    arm: Arm,
    target: Target,
    source: LrScene,
    identifier: str,
    name: str,
    origin: str,
    assumed: Sequence[str],
    model: Path | None,
    output: Path,
    lr_mtf: float | None = None,
) -> None:
    arm = replace(arm, lr_mtf=mtf.lr_mtf(lr_mtf, source.tags.get("sensor"), source.bands))
    torch.set_num_threads(arm.tiling.threads)
    assumed = list(assumed)
    lr_grid = _divisible(source.grid, target.factor)
    if lr_grid.shape != source.grid.shape:
        assumed.append(
            f"the last rows or columns were left out, since a factor of {target.factor} needs whole fine pixels"
        )
    for line in assumed:
        log.warning("%s: %s", identifier, line)
    grid = fine_grid(lr_grid, target.factor)
    tags = {k: v for k, v in source.tags.items() if k in {"datetime", "sensor"}}
    blocks = list(_blocks(arm, target.factor, lr_grid))
    weights = checkpoint.load_card(model).of(arm.settings.weights).weights_sha256 if model and arm.network else None
    store = BlockStore.beside(
        output, arm=[name, arm.settings.model_dump(), arm.tiling.model_dump(exclude={"processes"}), BLOCK_PX],
        optics=arm.lr_mtf,
        target=asdict(target), bands=source.bands, source=source.digest(), code=code_version(__name__),
        torch=torch.__version__, model=weights,
    )  # fmt: skip
    _render_blocks(Job(name, arm.settings, arm.tiling, arm.lr_mtf, model, target, source, store), arm, blocks)
    with whole(output) as folder:
        folder.mkdir()
        with open_product(folder, grid, target.bands, tags) as writer:
            for number, block in enumerate(blocks):
                top, left = (int(n * target.factor) for n in (block.top, block.left))
                writer.write(top, left, store.read(number))
        properties = {
            "crossres:arm": name,
            "crossres:settings": arm.settings.model_dump(mode="json"),
            "crossres:tiling": arm.tiling.model_dump(mode="json"),
            "crossres:weights_sha256": weights,
            "crossres:sigma": arm.chain.sigma if arm.chain else None,
            "crossres:assumed": assumed,
        }
        links = {"LR scene": origin}
        if model:
            links["model card"] = Path(os.path.relpath(model / checkpoint.CARD, output)).as_posix()
        write_item(folder / "item.json", identifier, grid, target.bands, tags, properties, links)
    store.remove()


@dataclass(frozen=True)
class Block:
    """A part of a scene and the part around it that is read, in LR pixels."""

    top: int
    left: int
    height: int
    width: int
    read_top: int
    read_left: int
    read_height: int
    read_width: int


@dataclass(frozen=True)
class Job:
    """All that a process needs to render blocks of a scene."""

    name: str
    arm: ArmSettings
    tiling: TilingSettings
    lr_mtf: tuple[float, ...]
    model: Path | None
    target: Target
    source: LrScene
    store: BlockStore


def _render_blocks(job: Job, arm: Arm, blocks: list[Block]) -> None:
    """Render the blocks that are not done yet, in as many processes as there are GPUs or the settings ask for."""
    waiting = [number for number in range(len(blocks)) if not job.store.has(number)]
    if len(waiting) < len(blocks):
        log.info("%s: %d of %d blocks are done already", job.name, len(blocks) - len(waiting), len(blocks))
    count = min(job.tiling.processes or max(1, torch.cuda.device_count()), len(waiting))
    if count <= 1:
        bar = tqdm(waiting, job.name, disable=len(blocks) == 1 or not sys.stderr.isatty())
        for number in bar:
            job.store.write(number, numbers(_render_block(arm, job.target, job.source, blocks[number])))
        return
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        shares = [[(n, blocks[n]) for n in waiting[k::count]] for k in range(count)]
        for done in [pool.submit(_render_share, job, k, share) for k, share in enumerate(shares)]:
            done.result()


def _render_share(job: Job, rank: int, blocks: list[tuple[int, Block]]) -> None:
    """Render some blocks in a process of their own, on a GPU of its own."""
    torch.set_num_threads(job.tiling.threads)
    arm = _load(job.name, job.arm, job.tiling, job.model, rank)[1] if job.model else Arm(job.arm, job.tiling)
    arm = replace(arm, lr_mtf=job.lr_mtf)
    for number, block in blocks:
        job.store.write(number, numbers(_render_block(arm, job.target, job.source, block)))


def _blocks(arm: Arm, factor: Fraction, grid: GeoBox) -> Iterator[Block]:
    # Blocks start where LR pixels, HR pixels and the network's coarsest pixels all start.
    unit = lr_multiple(factor, arm.multiple)
    side = max(1, int(BLOCK_PX / factor) // unit) * unit
    halo = math.ceil(min(arm.reach_px, HALO_LIMIT_PX) / factor) + arm.reach_lr_px
    halo = -(-halo // unit) * unit
    rows, cols = grid.shape
    for top in range(0, rows, side):
        for left in range(0, cols, side):
            bottom, right = min(top + side, rows), min(left + side, cols)
            first_row, first_col = max(0, top - halo), max(0, left - halo)
            yield Block(
                top, left, bottom - top, right - left, first_row, first_col,
                min(bottom + halo, rows) - first_row, min(right + halo, cols) - first_col,
            )  # fmt: skip


@torch.inference_mode()
def _render_block(arm: Arm, target: Target, source: LrScene, block: Block) -> dict[str, np.ndarray]:
    """Return mean, std and sample, (band, row, column) float32 reflectance, of a block without its halo."""
    values = source.read(block.read_top, block.read_left, block.read_height, block.read_width)
    missing = ~np.isfinite(values).all(0)
    factor = target.factor
    core_top, core_left, height, width = (
        int(n * factor) for n in (block.top - block.read_top, block.left - block.read_left, block.height, block.width)
    )
    if missing.all():
        nothing = np.full((len(target.bands), height, width), np.nan, np.float32)
        return {"mean": nothing, "std": nothing, "sample": nothing}
    filled = target.standard.forward(fill_nearest(values))
    device = next(arm.network.parameters()).device if arm.network else torch.device("cpu")
    view = View.whole(factor, block.read_height, block.read_width)
    lr = torch.from_numpy(filled)[None].to(device)
    estimate = arm.run(lr, view, int(block.read_top * factor), int(block.read_left * factor))
    standard = target.standard
    rows = nearest(block.read_height, factor, core_top, height)
    cols = nearest(block.read_width, factor, core_left, width)
    hidden = missing[rows][:, cols]

    def core(image: torch.Tensor) -> np.ndarray:
        cut = image[:, core_top : core_top + height, core_left : core_left + width].cpu().numpy()
        return np.where(hidden, np.float32(np.nan), cut)

    return {
        "mean": core(standard.reflectance(estimate.mean)),
        "std": core(estimate.std * standard.spread(estimate.std)),
        "sample": core(standard.reflectance(estimate.sample)),
    }


def _divisible(grid: GeoBox, factor: Fraction) -> GeoBox:
    rows, cols = (n // factor.denominator * factor.denominator for n in grid.shape)
    if not rows or not cols:
        raise UserError(f"the scene has {grid.shape[0]} x {grid.shape[1]} pixels; a factor of {factor} needs at least "
                        f"{factor.denominator} on each side")  # fmt: skip
    return crop(grid, Window(0, 0, cols, rows))
