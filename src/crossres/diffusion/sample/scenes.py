"""Whole scenes, block by block: memory depends on the block and the threads, not on the scene.

A block is read with a halo as wide as the result looks, all solver steps together, so that blocks leave no trace;
within a block, tiles share one velocity field (`tiling`). Only a very long chain of steps asks for more halo than is
affordable; it is then cut at HALO_LIMIT_PX, past which a pixel's influence is far below one count of the product.
Blocks are rendered (`render`) by whatever `imagery.engine` computes on, and kept until the product is written.
"""

import logging
import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import torch
import xarray as xr
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from crossres.code_version import code_version
from crossres.diffusion.model import checkpoint
from crossres.diffusion.model.card import Card
from crossres.diffusion.sample.arms import Arm
from crossres.diffusion.sample.block_store import BlockStore
from crossres.diffusion.sample.lr_scene import digest, open_lr
from crossres.diffusion.sample.products import write_item, write_product
from crossres.diffusion.sample.render import Job, SceneBlock, SceneTarget, keep, load_arm
from crossres.errors import UserError
from crossres.files import read_json, whole
from crossres.grids import fine_grid, lr_multiple
from crossres.imagery import engine
from crossres.imagery.numbers import PARTS
from crossres.imagery.scene import bands_of, crop
from crossres.sensors import mtf
from crossres.settings.sample import ArmSettings, TilingSettings

log = logging.getLogger(__name__)

BLOCK_PX = 2048
"""Side of a block, in HR pixels, at most."""
HALO_LIMIT_PX = 256
"""Widest halo around a block, in HR pixels."""


def sample_scene(
    arm: ArmSettings,
    tiling: TilingSettings,
    name: str,
    lr: Path,
    model: Path,
    output: Path,
    lr_mtf: float | None = None,
) -> None:
    """Run one arm, called `name`, over an LR scene and write `mean.tif`, `std.tif`, `sample.tif` and `item.json`.

    `model` is a model folder; its card gives bands and factor. `lr_mtf` is `grid.lr_mtf`. Raises `UserError` when the
    scene has other pixels than the model, and when the arm does not fit it.
    """
    card, ready = load_arm(name, arm, tiling, model)
    scene = open_lr(lr, card.bands, card.lr_gsd_m)
    about = _About(f"{Path(lr).parent.name}_{name}", name, Path(os.path.relpath(lr, output)).as_posix(), [], lr_mtf)
    _render(ready, card=card, scene=scene, source=digest(lr), about=about, model=model, output=output)


def super_resolve(
    scene: Path, name: str, origin: str, model: Path, output: Path, arm: ArmSettings, tiling: TilingSettings
) -> None:
    """Apply a trained model to a scene as `acquire` reads any: a folder with `reflectance.tif` and `item.json`.

    Writes the same files as `sample_scene`; the item is called by `name` and links the scene's `origin`, a URL or a
    path relative to `output`. What its source did not say of itself and was assumed is logged and stands in the
    item (`crossres:assumed`). Raises `UserError` when the scene has other pixels than the model.
    """
    card, ready = load_arm(arm.start, arm, tiling, model)
    path = scene / "reflectance.tif"
    assumed = read_json(scene / "item.json")["properties"].get("crossres:assumed", [])
    about = _About(f"{name}_sr", arm.start, origin, assumed, None)
    opened = open_lr(path, card.bands, card.lr_gsd_m)
    _render(ready, card=card, scene=opened, source=digest(path), about=about, model=model, output=output)


@dataclass(frozen=True)
class _About:
    """What a product says of itself."""

    identifier: str
    arm: str
    origin: str
    assumed: Sequence[str]
    lr_mtf: float | None


def _render(arm: Arm, *, card: Card, scene: xr.Dataset, source: str, about: _About, model: Path, output: Path) -> None:
    target = SceneTarget(card.bands, card.scale, card.standard)
    lr_mtf = mtf.lr_mtf(about.lr_mtf, scene.attrs.get("sensor"), bands_of(scene))
    assumed = list(about.assumed)
    whole_lr = _divisible(scene, target.factor)
    if whole_lr.sizes != scene.sizes:
        assumed.append(
            f"the last rows or columns were left out, since a factor of {target.factor} needs whole fine pixels"
        )
    for line in assumed:
        log.warning("%s: %s", about.identifier, line)
    grid = fine_grid(whole_lr.odc.geobox, target.factor)
    tags = {k: v for k, v in scene.attrs.items() if k in {"datetime", "sensor"}}
    weights = card.of(arm.settings.weights).weights_sha256 if arm.network else None
    store = BlockStore.beside(
        output, arm=[about.arm, arm.settings.model_dump(), arm.tiling.model_dump(), BLOCK_PX], optics=lr_mtf,
        target=asdict(target), bands=bands_of(scene), source=source, code=code_version(__name__),
        torch=torch.__version__, model=weights,
    )  # fmt: skip
    rows, cols = _render_blocks(
        Job(about.arm, arm.settings, arm.tiling, lr_mtf, model.absolute(), target, store), arm, whole_lr
    )
    with whole(output) as folder:
        folder.mkdir()
        write_product(folder, grid, target.bands, tags, _kept(store, len(target.bands), rows, cols))
        properties = {
            "crossres:arm": about.arm,
            "crossres:settings": arm.settings.model_dump(mode="json"),
            "crossres:tiling": arm.tiling.model_dump(mode="json"),
            "crossres:weights_sha256": weights,
            "crossres:sigma": arm.chain.sigma if arm.chain else None,
            "crossres:assumed": assumed,
        }
        links = {
            "LR scene": about.origin,
            "model card": Path(os.path.relpath(model / checkpoint.CARD, output)).as_posix(),
        }
        write_item(folder / "item.json", about.identifier, grid, target.bands, tags, properties, links)
    store.remove()


def _render_blocks(job: Job, arm: Arm, scene: xr.Dataset) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Render the blocks that are not kept yet; return the rows and the columns of all in fine pixels."""
    factor = job.target.factor
    # Blocks start where LR pixels, HR pixels and the network's coarsest pixels all start.
    unit = lr_multiple(factor, arm.multiple)
    halo = math.ceil(min(arm.reach_px, HALO_LIMIT_PX) / factor) + arm.reach_lr_px
    halo = -(-halo // unit) * unit
    rows, cols = (
        _cuts(n, max(1, int(BLOCK_PX / factor) // unit) * unit, unit, halo)
        for n in (scene.sizes["y"], scene.sizes["x"])
    )
    lr = scene.reflectance.data.rechunk({0: -1, 1: rows, 2: cols})
    depth = {0: 0, 1: halo if len(rows) > 1 else 0, 2: halo if len(cols) > 1 else 0}
    wide = da.overlap.overlap(lr, depth, boundary="none", allow_rechunk=False)
    pixels = wide.to_delayed(optimize_graph=False).ravel()
    blocks = [
        SceneBlock(
            number, down.start, across.start, down.stop - down.start, across.stop - across.start,
            depth[1] if down.start else 0, depth[2] if across.start else 0,
        )
        for number, (down, across) in enumerate(engine.places(lr))
    ]  # fmt: skip
    waiting = [block for block in blocks if not job.store.has(block.number)]
    if len(waiting) < len(blocks):
        log.info("%s: %d of %d blocks are done already", job.name, len(blocks) - len(waiting), len(blocks))
    # A scene of one block has all threads for its tiles.
    in_block = engine.threads() if len(blocks) == 1 else 1
    rendered = dask.delayed(keep, pure=False, traverse=False)
    tasks = [
        rendered(
            job,
            block,
            pixels[block.number],
            in_block,
            dask_key_name=f"render-{job.store.folder.name}-{block.number:06}",
        )
        for block in waiting
    ]
    gpus = torch.cuda.device_count()
    with dask.config.set(num_workers=gpus or max(1, engine.threads() // in_block)):
        engine.run(tasks, job.name)
    return tuple(int(n * factor) for n in rows), tuple(int(n * factor) for n in cols)


def _cuts(length: int, side: int, unit: int, least: int) -> tuple[int, ...]:
    """Return sizes of blocks: about equal, multiples of `unit` but the last, none below `least` where there are two."""
    size = max(-(-length // (unit * -(-length // side))) * unit, -(-least // unit) * unit)
    sizes = [min(size, length - start) for start in range(0, length, size)]
    if len(sizes) > 1 and sizes[-1] < least:
        sizes[-2:] = [sum(sizes[-2:])]
    return tuple(sizes)


def _kept(store: BlockStore, bands: int, rows: tuple[int, ...], cols: tuple[int, ...]) -> list[da.Array]:
    """Return the rendered parts, (band, row, column) uint16 each."""
    all_parts = da.map_blocks(
        _read, store, len(cols), chunks=((bands * len(PARTS),), rows, cols), dtype=np.uint16,
        meta=np.empty((0, 0, 0), np.uint16),
    )  # fmt: skip
    return [all_parts[i * bands : (i + 1) * bands] for i in range(len(PARTS))]


def _read(store: BlockStore, columns: int, block_id: Any = None) -> np.ndarray:
    found = store.read(block_id[1] * columns + block_id[2])
    return found.reshape(-1, *found.shape[2:])


def _divisible(scene: xr.Dataset, factor: Fraction) -> xr.Dataset:
    grid: GeoBox = scene.odc.geobox
    rows, cols = (n // factor.denominator * factor.denominator for n in grid.shape)
    if not rows or not cols:
        raise UserError(f"the scene has {grid.shape[0]} x {grid.shape[1]} pixels; a factor of {factor} needs at least "
                        f"{factor.denominator} on each side")  # fmt: skip
    return crop(scene, Window(0, 0, cols, rows))
