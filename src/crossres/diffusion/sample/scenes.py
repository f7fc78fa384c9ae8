"""Whole scenes, block by block: memory depends on the block and the threads, not on the scene.

A block is read with a halo as wide as the result looks, all evaluations of the network together (`Arm.block`), so that
blocks leave no trace. Blocks are rendered (`render`) by whatever `imagery.engine` computes on, and kept until the
product is written.
"""

import logging
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import torch
import xarray as xr
from odc.geo.geobox import GeoBox
from rasterio import windows

from crossres.code_version import code_version
from crossres.diffusion.model import checkpoint
from crossres.diffusion.model.card import Card
from crossres.diffusion.sample.arms import Arm
from crossres.diffusion.sample.block_store import BlockStore, blocks_beside
from crossres.diffusion.sample.lr_scene import digest, open_dates, open_lr
from crossres.diffusion.sample.outside import share_outside, warn_outside
from crossres.diffusion.sample.products import rasters, write_item, write_product
from crossres.diffusion.sample.qgis_styles import write_styles
from crossres.diffusion.sample.quicklook import write_quicklook
from crossres.diffusion.sample.render import Job, SceneTarget, compiles, keep, load_arm
from crossres.diffusion.sample.windows import Window, cuts
from crossres.errors import UserError
from crossres.files import read_json, whole
from crossres.grids import fine_grid
from crossres.imagery import engine
from crossres.imagery.lr_dates import dates_in
from crossres.imagery.scene import bands_of, crop
from crossres.sensors import mtf
from crossres.settings.sample import ArmSettings, TilingSettings

log = logging.getLogger(__name__)


def sample_scene(
    arm: ArmSettings,
    tiling: TilingSettings,
    name: str,
    lr: Path,
    model: Path,
    output: Path,
    lr_mtf: float | None = None,
    dates: Path | None = None,
    blocks: Path | None = None,
) -> None:
    """Run one arm, called `name`, over an LR scene and write `mean.tif`, `std.tif`, `sample.tif` and `item.json`.

    Of several samples there is `support.tif`, too; beside each raster stands its style for QGIS, `<name>.qml`.
    `model` is a model folder; its card gives bands and factor. `lr_mtf` is `grid.lr_mtf`. `dates` has further LR dates
    of the scene (`imagery.lr_dates`), of which a model of several is shown as many as the arm says. Finished blocks
    stand beside the product until it is written or, for longer, in the folder `blocks` of this product. Raises
    `UserError` when the scene has other pixels than the model, and when the arm does not fit it.
    """
    card, ready = load_arm(name, arm, tiling, model)
    scene = open_lr(lr, card.lr_bands if ready.network else card.bands, card.lr_gsd_m)
    origin = Path(os.path.relpath(lr, output)).as_posix()
    further = {"further LR dates": Path(os.path.relpath(dates, output)).as_posix()} if dates else {}
    about = _About(f"{Path(lr).parent.name}_{name}", name, origin, [], lr_mtf, further, blocks=blocks)
    _render(ready, card=card, scene=scene, source=digest(lr), about=about, model=model, output=output, dates=dates)


def super_resolve(
    scene: Path, name: str, origin: str, model: Path, output: Path, arm: ArmSettings, tiling: TilingSettings,
    dates: Path | None = None, further: Sequence[str] = (),
) -> None:  # fmt: skip
    """Apply a trained model to a scene as `acquire` reads any: a folder with `reflectance.tif` and `item.json`.

    Writes the same files as `sample_scene`, and `quicklook.png`; the item is called by `name` and links the scene's
    `origin`, a URL or a path relative to `output`. What its source did not say of itself and was assumed is logged and
    stands in the item (`crossres:assumed`). `dates` is as in `sample_scene`, `further` the origins of those scenes.
    Raises `UserError` when the scene has other pixels than the model.
    """
    card, ready = load_arm(arm.start, arm, tiling, model)
    path = scene / "reflectance.tif"
    assumed = read_json(scene / "item.json")["properties"].get("crossres:assumed", [])
    others = {f"LR date {number}": href for number, href in enumerate(further, 2)}
    about = _About(f"{name}_sr", arm.start, origin, assumed, None, others, quicklook=True)
    opened = open_lr(path, card.lr_bands if ready.network else card.bands, card.lr_gsd_m)
    if ready.network and dates is None and card.lr_dates > 1:
        log.info("%s: the model knows up to %d LR dates, and is shown one (--dates)", name, card.lr_dates)
    _render(ready, card=card, scene=opened, source=digest(path), about=about, model=model, output=output, dates=dates)


@dataclass(frozen=True)
class _About:
    """What a product says of itself."""

    identifier: str
    arm: str
    origin: str
    assumed: Sequence[str]
    lr_mtf: float | None
    further: dict[str, str]
    """Links (title to href) to further LR dates, where the network is shown any."""
    quicklook: bool = False
    """Whether it has one."""
    blocks: Path | None = None
    """Where finished blocks stay when it is written; None beside it, and not for longer."""


def _render(
    arm: Arm, *, card: Card, scene: xr.Dataset, source: str, about: _About, model: Path, output: Path,
    dates: Path | None,
) -> None:  # fmt: skip
    factor, target = card.scale, SceneTarget(card.bands, card.standard)
    lr_mtf = mtf.lr_mtf(about.lr_mtf, scene.attrs.get("sensor"), card.bands)
    assumed = list(about.assumed)
    whole_lr = _divisible(scene, factor)
    if whole_lr.sizes != scene.sizes:
        assumed.append(f"the last rows or columns were left out, since a factor of {factor} needs whole fine pixels")
    for line in assumed:
        log.warning("%s: %s", about.identifier, line)
    outside = share_outside(whole_lr, card.domain, card.standard) if arm.network and card.domain else None
    warn_outside(about.identifier, outside)
    pixels = whole_lr.reflectance.data
    lr_dates = min(card.lr_dates, arm.settings.lr_dates or card.lr_dates) if arm.network and dates else 1
    if dates and lr_dates > 1:
        further = open_dates(dates, scene, lr_dates)
        lr_dates = dates_in(len(pixels) + len(further), len(pixels))
        pixels = da.concatenate([pixels, further[:, : pixels.shape[1], : pixels.shape[2]]])
    shown_dates = digest(dates) if dates and lr_dates > 1 else None
    grid = fine_grid(whole_lr.odc.geobox, factor)
    compiled = arm.chain is not None and compiles(arm.tiling, one_block=max(grid.shape) <= arm.tiling.block_px)
    arm = replace(arm, tiling=arm.tiling.model_copy(update={"compile": compiled}))
    tags = {k: v for k, v in scene.attrs.items() if k in {"datetime", "sensor"}}
    weights = card.of(arm.settings.weights).weights_sha256 if arm.network else None
    store = BlockStore.within(
        about.blocks or blocks_beside(output),
        arm=[about.arm, arm.settings.model_dump(), arm.tiling.model_dump(), arm.std_scale],
        optics=lr_mtf, factor=factor, target=asdict(target), bands=bands_of(scene), source=source,
        dates=[lr_dates, shown_dates], code=code_version(__name__), torch=torch.__version__, model=weights,
    )  # fmt: skip
    rows, cols = _render_blocks(
        Job(about.arm, arm.settings, arm.tiling, lr_mtf, model.absolute(), target, store), arm, factor, pixels
    )
    with whole(output) as folder:
        folder.mkdir()
        shown = rasters(target.bands, arm.supports)
        count = sum(len(bands) for bands, _ in shown.values())
        write_product(folder, grid, shown, tags, _kept(store, count, rows, cols))
        write_styles(folder, shown)
        properties = {
            "crossres:arm": about.arm,
            "crossres:settings": arm.settings.model_dump(mode="json"),
            "crossres:tiling": arm.tiling.model_dump(mode="json"),
            "crossres:weights_sha256": weights,
            "crossres:samples": arm.ensemble.samples,
            "crossres:std_scale": arm.std_scale,
            "crossres:std_degrees_of_freedom": arm.ensemble.degrees_of_freedom,
            "crossres:sigma": arm.chain.sigma if arm.chain else None,
            "crossres:outside_training_domain": outside,
            "crossres:assumed": assumed,
        }
        if arm.network and card.lr_dates > 1:
            properties["crossres:lr_dates"] = lr_dates
        links = {
            "LR scene": about.origin,
            **(about.further if lr_dates > 1 else {}),
            "model card": Path(os.path.relpath(model / checkpoint.CARD, output)).as_posix(),
        }
        beside = {"thumbnail": write_quicklook(folder)} if about.quicklook else {}
        write_item(folder / "item.json", about.identifier, grid, shown, tags, properties, links, beside)
    if about.blocks is None:
        store.remove()


def _render_blocks(job: Job, arm: Arm, factor: Fraction, lr: da.Array) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Render the blocks that are not kept yet; return the rows and the columns of all in fine pixels."""
    whole_scene = Window(0, 0, *(int(n * factor) for n in lr.shape[1:]))
    # Blocks start where the network's coarsest pixels do.
    rows, cols = (cuts(length, arm.tiling.block_px, arm.multiple) for length in whole_scene.shape)
    blocks = [arm.block(core, whole_scene, factor) for core in whole_scene.cut(rows, cols)]
    waiting = [number for number in range(len(blocks)) if not job.store.has(number)]
    if len(waiting) < len(blocks):
        log.info("%s: %d of %d blocks are done already", job.name, len(blocks) - len(waiting), len(blocks))
    # Threads that are more than the blocks draw samples.
    in_block = max(1, engine.threads() // len(blocks))
    rendered = dask.delayed(keep, pure=False, traverse=False)
    tasks = []
    for number in waiting:
        seen = blocks[number].lr
        pixels = lr[:, seen.top : seen.bottom, seen.left : seen.right].rechunk(-1).to_delayed(optimize_graph=False)
        name = f"render-{job.store.folder.name}-{number:06}"
        tasks.append(rendered(job, number, blocks[number], pixels.item(), in_block, dask_key_name=name))
    gpus = torch.cuda.device_count()
    with dask.config.set(num_workers=gpus or max(1, engine.threads() // in_block)):
        engine.run(tasks, job.name)
    return rows, cols


def _kept(store: BlockStore, count: int, rows: tuple[int, ...], cols: tuple[int, ...]) -> da.Array:
    """Return the rendered bands of all rasters, (band, row, column) uint16."""
    return da.map_blocks(
        _read, store, len(cols), chunks=((count,), rows, cols), dtype=np.uint16, meta=np.empty((0, 0, 0), np.uint16)
    )


def _read(store: BlockStore, columns: int, block_id: Any = None) -> np.ndarray:
    return store.read(block_id[1] * columns + block_id[2])


def _divisible(scene: xr.Dataset, factor: Fraction) -> xr.Dataset:
    grid: GeoBox = scene.odc.geobox
    rows, cols = (n // factor.denominator * factor.denominator for n in grid.shape)
    if not rows or not cols:
        raise UserError(f"the scene has {grid.shape[0]} x {grid.shape[1]} pixels; a factor of {factor} needs at least "
                        f"{factor.denominator} on each side")  # fmt: skip
    return crop(scene, windows.Window(0, 0, cols, rows))
