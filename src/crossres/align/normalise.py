"""The `normalise` stage: one radiometry for a registered pair, and a plain statement of what is left between them."""

import logging
import math
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.io import DatasetWriter
from rasterio.windows import Window

from crossres.align.changes import changed_areas, suspects
from crossres.align.lr_blocks import Block, lr_blocks
from crossres.align.radiometry import Radiometry, Sample, fit_relations
from crossres.align.radiometry_figure import radiometry_figure
from crossres.align.rendering import save
from crossres.align.statement import detail_correlation, statement
from crossres.files import read_json, write_json
from crossres.grids import crop
from crossres.imagery.numbers import NODATA, OFFSET, SCALE, Mask, to_dn, to_reflectance
from crossres.imagery.raster import grid_of, new_cog, open_raster, write_cog
from crossres.imagery.scene import write_mask
from crossres.sensors.mtf import lr_mtf
from crossres.sensors.spectral_adjustment import band_adjustment
from crossres.settings.grid import GridSettings
from crossres.settings.normalise import NormaliseSettings

log = logging.getLogger(__name__)

MAX_SAMPLE = 400_000
"""LR pixels that relations are fitted to, and that the statement is over; a larger scene is sampled evenly."""
FIGURE_PX = 700
"""Side of the pictures in the figure, in LR pixels, at most."""
DETAIL_PX = 1024
"""Side of the middle part that detail is compared over, in fine pixels."""


def normalise(
    settings: NormaliseSettings, grid: GridSettings, lr: Path, registered: Path, registration: Path, output: Path
) -> None:
    """Give the two images of a registered pair one radiometry.

    `lr` is the LR scene folder; `registered` and `registration` come from `coregister`. Writes `lr.tif` (LR window),
    `hr.tif` (its fine grid), `mask.tif` (`crossres.rasters.Mask` codes on the LR grid: nodata of either image, the LR
    scene's own classes, changed), `pifs.tif` (1 where a pixel is invariant), `radiometry.json` and `radiometry.png`
    into the folder `output`. A declined pair passes through. One relation a band holds for the whole pair: local ones
    would copy the LR image into the HR image. Works block by block; what stands in memory for the whole scene is masks
    at LR scale.
    """
    state = read_json(registration)
    window = Window(*state["lr_window"])
    low_grid, fine = crop(grid_of(lr / "reflectance.tif"), window), grid_of(registered)
    factor = Fraction(fine.shape[0], low_grid.shape[0])
    tags = {"lr": _tags(lr / "reflectance.tif"), "hr": _tags(registered)}
    mtf = lr_mtf(grid.lr_mtf, tags["lr"].get("sensor"), grid.bands)
    blocks = partial(lr_blocks, lr, window, registered, grid.bands, factor, mtf)

    mask = np.empty(low_grid.shape, np.uint8)
    sample = _look(blocks(), mask)
    adjustment = None
    if settings.spectral_adjustment:
        one, other = ("hr", "lr") if settings.direction == "hr-to-lr" else ("lr", "hr")
        adjustment = band_adjustment(tags[one].get("sensor", ""), tags[other].get("sensor", ""), grid.bands)
    found = fit_relations(settings, sample, adjustment, accepted=state["accepted"])

    suspect, pifs = np.zeros(mask.shape, bool), np.zeros(mask.shape, bool)
    pictures = _Pictures(mask.shape, len(grid.bands))
    with (
        _new(output / "lr.tif", low_grid, grid, tags["lr"]) as low,
        _new(output / "hr.tif", fine, grid, tags["hr"]) as high,
    ):
        for block in blocks():
            before, after = (block.low, block.high), _apply(settings, found, block)
            pictures.add(block, before, after)
            own = _part(mask, block) == Mask.CLEAR
            if found.no_change is not None and own.any():
                probability = np.full(own.shape, np.nan)
                probability[own] = found.no_change(block.low[:, own].T, block.high[:, own].T)
                _part(suspect, block)[...] = suspects(probability, settings.change_probability, *after)
                _part(pifs, block)[...] = own if settings.method != "irmad" else probability > settings.pif_probability
            low.write(to_dn(after[0]), window=block.window)
            with open_raster(registered) as source:
                dn = source.read(window=block.fine_window)
            if settings.direction == "hr-to-lr" and found.reason is None:
                rows, cols = block.fine_rows(factor), block.fine_cols(factor)
                dn = to_dn(found.apply(to_reflectance(dn), rows, cols))
            high.write(dn, window=block.fine_window)
    clear = mask == Mask.CLEAR
    mask[changed_areas(suspect) & clear] = Mask.CHANGED
    pifs &= found.reason is None

    seen = int((mask != Mask.NODATA).sum())
    changed_share = float((mask == Mask.CHANGED).sum() / seen) if seen else 0.0
    unchanged = mask[sample.rows, sample.cols] == Mask.CLEAR
    clear_pixels = int((mask == Mask.CLEAR).sum())
    report = statement(settings, grid.bands, found, sample, unchanged, clear_pixels, changed_share) | {
        "pair": state["pair"],
        "detail_correlation": _detail(registered, output / "hr.tif", float(factor)),
    }
    write_mask(output / "mask.tif", mask, low_grid)
    write_cog(output / "pifs.tif", pifs[None].astype(np.uint8), low_grid, bands=("pif",), nodata=None, overviews="mode")
    write_json(output / "radiometry.json", report)
    few = slice(None, None, pictures.step)
    figure = radiometry_figure(
        grid.bands, found, pictures.before, pictures.after, mask[few, few], pifs[few, few], report
    )
    save(output / "radiometry.png", figure)
    log.info("%s: %s", state["pair"], report["summary"])


def _look(blocks: Iterable[Block], mask: np.ndarray) -> Sample:
    """Fill in the mask, (row, column), and return the clear pixels on every so many rows and columns."""
    step = max(1, math.ceil((mask.size / MAX_SAMPLE) ** 0.5))
    low, high, where = [], [], []
    for block in blocks:
        gaps = ~(np.isfinite(block.low).all(axis=0) & np.isfinite(block.high).all(axis=0))
        own = np.where(gaps, Mask.NODATA, block.mask)
        _part(mask, block)[...] = own
        rows, cols = np.nonzero((own == Mask.CLEAR) & (block.rows % step == 0)[:, None] & (block.cols % step == 0))
        low.append(block.low[:, rows, cols])
        high.append(block.high[:, rows, cols])
        where.append((block.rows[rows], block.cols[cols]))
    rows, cols = (np.concatenate(part) for part in zip(*where, strict=True))
    return Sample(np.concatenate(low, axis=1), np.concatenate(high, axis=1), rows, cols, mask.shape)


def _apply(settings: NormaliseSettings, found: Radiometry, block: Block) -> tuple[np.ndarray, np.ndarray]:
    """Return LR and HR on the LR grid, (band, row, column) reflectance, after normalisation."""
    if settings.direction == "hr-to-lr":
        return block.low, found.apply(block.high, block.rows, block.cols)
    return found.apply(block.low, block.rows, block.cols), block.high


class _Pictures:
    """Both images before and after, at LR scale, thinned to what a figure shows."""

    def __init__(self, shape: tuple[int, int], bands: int) -> None:
        self.step = max(1, math.ceil(max(shape) / FIGURE_PX))
        size = (bands, *(-(-side // self.step) for side in shape))
        self.before = np.full(size, np.nan, np.float32), np.full(size, np.nan, np.float32)
        self.after = np.full(size, np.nan, np.float32), np.full(size, np.nan, np.float32)

    def add(self, block: Block, before: Sequence[np.ndarray], after: Sequence[np.ndarray]) -> None:
        """Put in the pixels of a block whose rows and columns are multiples of the step."""
        rows, cols = (np.flatnonzero(at % self.step == 0) for at in (block.rows, block.cols))
        into = np.ix_(np.arange(len(before[0])), block.rows[rows] // self.step, block.cols[cols] // self.step)
        for images, values in zip((*self.before, *self.after), (*before, *after), strict=True):
            images[into] = values[:, rows][:, :, cols]


def _new(path: Path, on: GeoBox, grid: GridSettings, tags: dict[str, str]) -> AbstractContextManager[DatasetWriter]:
    return new_cog(
        path, on, dtype=np.uint16, bands=grid.bands, nodata=NODATA, tags=tags, scale=SCALE, offset=OFFSET
    )  # fmt: skip


def _part(values: np.ndarray, block: Block) -> np.ndarray:
    """Return the view of a (row, column) array of the whole pair on a block."""
    return values[block.rows[0] : block.rows[-1] + 1, block.cols[0] : block.cols[-1] + 1]


def _tags(path: Path) -> dict[str, str]:
    with open_raster(path) as source:
        return {k: v for k, v in source.tags().items() if k not in {"AREA_OR_POINT", "OVR_RESAMPLING_ALG"}}


def _detail(before: Path, after: Path, factor: float) -> float | None:
    """Return how alike the middle of an image is before and after, beyond the LR pixel."""
    with open_raster(before) as one, open_raster(after) as other:
        top, left = (max(0, (side - DETAIL_PX) // 2) for side in one.shape)
        window = Window(left, top, min(DETAIL_PX, one.width - left), min(DETAIL_PX, one.height - top))
        return detail_correlation(one.read(window=window), other.read(window=window), factor)
