"""The `normalise` stage: one radiometry for a registered pair, and a plain statement of what is left between them."""

import logging
import math
from contextlib import AbstractContextManager
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import xarray as xr
from rasterio.io import DatasetWriter
from rasterio.windows import Window

from crossres.align.radiometry.changes import changed_areas, suspects
from crossres.align.radiometry.figure import radiometry_figure
from crossres.align.radiometry.fit import ClearPixels, PairRadiometry, fit_relations
from crossres.align.radiometry.statement import detail_correlation, statement, worse_bands
from crossres.drawing import save
from crossres.files import read_json, write_json
from crossres.imagery.engine import per_block, store
from crossres.imagery.in_memory import Held
from crossres.imagery.lazy import lazy_raster
from crossres.imagery.lr_fine import to_lr
from crossres.imagery.numbers import CODES, REFLECTANCE_DN, Mask, to_dn
from crossres.imagery.raster import new_cog, open_raster, write_cog, write_mask
from crossres.imagery.scene import bands_of, crop, open_scene
from crossres.sensors.mtf import lr_mtf
from crossres.sensors.spectral_adjustment import band_adjustment
from crossres.settings.grid import GridSettings
from crossres.settings.normalise import NormaliseSettings

log = logging.getLogger(__name__)

MAX_SAMPLE = 400_000
"""LR pixels that relations are fitted to, and that the statement is over; a larger scene is sampled evenly."""
CHUNK_PX = 1024
"""Side of a chunk, in fine pixels, about."""
FIGURE_PX = 700
"""Side of the pictures in the figure, in LR pixels, at most."""
DETAIL_PX = 1024
"""Side of the middle part that detail is compared over, in fine pixels."""
SUSPECT, INVARIANT = 1, 2
"""Bits of what is noted of an LR pixel."""


def normalise(
    settings: NormaliseSettings, grid: GridSettings, lr: Path, registered: Path, registration: Path, output: Path
) -> None:
    """Give the two images of a registered pair one radiometry.

    `lr` is the LR scene folder; `registered` and `registration` come from `coregister`. Writes `lr.tif` (LR window),
    `hr.tif` (its fine grid), `mask.tif` (`Mask` codes on the LR grid: nodata of either image, the LR scene's own
    classes, changed), `pifs.tif` (1 where IR-MAD finds a pixel invariant, outliers of the lines among them),
    `radiometry.json` and `radiometry.png` into the folder `output`. A declined pair passes through, and
    `radiometry.json` says whether this stage declines it. A relation that raises a band's RMSE is not kept. One
    relation a band holds for the whole pair: local ones would copy the LR image into the HR image. Bands that only LR
    has stay as they are. Goes through the pixels twice: for what the relations are fitted to, and to write. What stands
    in memory for the whole scene is masks at LR scale.
    """
    state = read_json(registration)
    scene = crop(open_scene(lr, grid.bands_of("lr")), Window(*state["lr_window"]))
    fine = open_scene(registered, grid.bands, chunk_px=CHUNK_PX)
    factor = Fraction(fine.sizes["y"], scene.sizes["y"])
    high = to_lr(fine.reflectance.data, factor, lr_mtf(grid.lr_mtf, scene.attrs.get("sensor"), grid.bands), CHUNK_PX)
    low, own = (part.data.rechunk({-2: high.chunks[1], -1: high.chunks[2]}) for part in (scene.reflectance, scene.mask))
    low = low.rechunk({0: -1})
    low, others = low[: len(grid.bands)], low[len(grid.bands) :]

    mask, sample = _survey(low, high, own)
    to_low = settings.direction == "hr-to-lr"
    adjustment = None
    if settings.spectral_adjustment:
        one, other = (fine, scene) if to_low else (scene, fine)
        adjustment = band_adjustment(one.attrs.get("sensor", ""), other.attrs.get("sensor", ""), grid.bands)
    found = fit_relations(settings, sample, adjustment, accepted=state["accepted"])

    numbers = lazy_raster(registered, None, "numbers", CHUNK_PX)
    clear = mask == Mask.CLEAR

    def write(found: PairRadiometry) -> tuple[np.ndarray, np.ndarray, _Pictures, dict[str, Any]]:
        """Write both images; return the mask with what changed, the invariant pixels, pictures and the statement."""
        related = partial(_related, _relations_of(found))
        after = (low, related(high, 1.0)) if to_low else (related(low, 1.0), high)
        moved = numbers
        if to_low and found.reason is None:
            moved = da.map_blocks(to_dn, related(fine.reflectance.data, float(factor)), dtype=np.uint16)
        flags = np.empty((1, *mask.shape), np.uint8)
        pictures = _Pictures(mask.shape, 4 * len(grid.bands))
        with _new(output / "lr.tif", scene) as lr_file, _new(output / "hr.tif", fine) as hr_file:
            noted = da.map_blocks(
                partial(_noted, settings, found.no_change), da.from_array(clear, chunks=own.chunks, name=False)[None],
                low, high, *after, dtype=np.uint8, chunks=((1,), *own.chunks), meta=np.empty((0, 0, 0), np.uint8),
            )  # fmt: skip
            compared = da.concatenate([low, high, *after]).rechunk({0: -1})
            dn = da.map_blocks(to_dn, da.concatenate([after[0], others]).rechunk({0: -1}), dtype=np.uint16)
            store([moved, dn, noted, compared], [hr_file, lr_file, Held(flags), pictures], "normalise")
        suspect, pifs = (flags[0] & bit > 0 for bit in (SUSPECT, INVARIANT))
        pifs &= found.reason is None
        codes = np.where(changed_areas(suspect) & clear, Mask.CHANGED, mask).astype(np.uint8)
        seen = int((codes != Mask.NODATA).sum())
        changed_share = float((codes == Mask.CHANGED).sum() / seen) if seen else 0.0
        unchanged = codes[sample.rows, sample.cols] == Mask.CLEAR
        clear_pixels = int((codes == Mask.CLEAR).sum())
        report = statement(settings, grid.bands, found, sample, unchanged, clear_pixels, changed_share)
        return codes, pifs, pictures, report

    codes, pifs, pictures, report = write(found)
    while grown := worse_bands(report):  # the mask, too, depends on the relations, so it is known only now
        found = found.without(grown, f"{settings.method}: over what did not change RMSE would grow")
        codes, pifs, pictures, report = write(found)
    report |= {"pair": state["pair"], "detail_correlation": _detail(registered, output / "hr.tif", float(factor))}
    on = scene.odc.geobox
    write_mask(output / "mask.tif", codes, on)
    write_cog(output / "pifs.tif", pifs[None], on, ("pif",), CODES)
    write_json(output / "radiometry.json", report)
    few = slice(None, None, pictures.step)
    before, then = pictures.pairs()
    figure = radiometry_figure(grid.bands, found, before, then, codes[few, few], pifs[few, few], report)
    save(figure, output / "radiometry.png")
    log.info("%s: %s", state["pair"], report["summary"])


def _survey(low: da.Array, high: da.Array, own: da.Array) -> tuple[np.ndarray, ClearPixels]:
    """Return the (row, column) mask of both images, and the clear pixels on every so many rows and columns."""
    height, width = own.shape
    step = max(1, math.ceil((height * width / MAX_SAMPLE) ** 0.5))
    parts = dask.compute(*per_block(partial(_seen, step), low, high, own, with_place=True))
    mask = np.empty((height, width), np.uint8)
    for place, codes, *_ in parts:
        mask[place] = codes
    one, other = (np.concatenate([part[k] for part in parts], axis=1) for k in (2, 3))
    rows, cols = (np.concatenate([part[k] for part in parts]) for k in (4, 5))
    return mask, ClearPixels(one, other, rows, cols, (height, width))


def _seen(
    step: int, place: tuple[slice, slice], low: np.ndarray, high: np.ndarray, own: np.ndarray
) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return a block's place, its mask, and LR, HR, rows and columns of what is sampled of it."""
    gaps = ~(np.isfinite(low).all(axis=0) & np.isfinite(high).all(axis=0))
    codes = np.where(gaps, Mask.NODATA, own).astype(np.uint8)
    all_rows, all_cols = (np.arange(side.start, side.stop) for side in place)
    rows, cols = np.nonzero((codes == Mask.CLEAR) & (all_rows % step == 0)[:, None] & (all_cols % step == 0))
    return place, codes, low[:, rows, cols], high[:, rows, cols], all_rows[rows], all_cols[cols]


def _relations_of(found: PairRadiometry) -> PairRadiometry:
    """Return what is applied to pixels, without what was found of the sample's."""
    return replace(found, pifs=np.zeros(0, bool), held_out=np.zeros((len(found.choices), 0)))


def _related(found: PairRadiometry, image: da.Array, factor: float) -> da.Array:
    """Return a (band, row, column) image, of `factor` pixels along an LR pixel, after all relations."""
    return da.map_blocks(_apply, image, found, factor, dtype=np.float32, meta=np.empty((0, 0, 0), np.float32))


def _apply(values: np.ndarray, found: PairRadiometry, factor: float, block_info: Any = None) -> np.ndarray:
    rows, cols = ((np.arange(*ends) + 0.5) / factor - 0.5 for ends in block_info[0]["array-location"][1:])
    return found.apply(values, rows, cols)


def _noted(settings: NormaliseSettings, no_change: Any, clear: np.ndarray, *images: np.ndarray) -> np.ndarray:
    """Return the (1, row, column) bits of a block, from LR and HR before and LR and HR after."""
    low, high, *after = images
    own = clear[0]
    bits = np.zeros(clear.shape, np.uint8)
    if no_change is not None and own.any():
        probability = np.full(own.shape, np.nan)
        probability[own] = no_change(low[:, own].T, high[:, own].T)
        invariant = own if settings.method != "irmad" else probability > settings.pif_probability
        bits[0] = SUSPECT * suspects(probability, settings.change_probability, *after) + INVARIANT * invariant
    return bits


class _Pictures:
    """LR and HR before and after, at LR scale, thinned to what a figure shows while they are written here."""

    def __init__(self, shape: tuple[int, int], bands: int) -> None:
        self.step = max(1, math.ceil(max(shape) / FIGURE_PX))
        self._values = np.full((bands, *(-(-side // self.step) for side in shape)), np.nan, np.float32)

    def write(self, values: np.ndarray, *, window: Window) -> None:
        """Put in the pixels of a window whose rows and columns are multiples of the step."""
        into, taken = [], []
        for side in window.toslices():
            first = -side.start % self.step
            taken.append(slice(first, None, self.step))
            into.append(slice((side.start + first) // self.step, -(-side.stop // self.step)))
        self._values[(slice(None), *into)] = values[(slice(None), *taken)]

    def pairs(self) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
        """Return (LR, HR) before and (LR, HR) after."""
        low, high, low_after, high_after = np.split(self._values, 4)
        return (low, high), (low_after, high_after)


def _new(path: Path, like: xr.Dataset) -> AbstractContextManager[DatasetWriter]:
    return new_cog(path, like.odc.geobox, bands_of(like), REFLECTANCE_DN, dict(like.attrs))


def _detail(before: Path, after: Path, factor: float) -> float | None:
    """Return how alike the middle of an image is before and after, beyond the LR pixel."""
    with open_raster(before) as one, open_raster(after) as other:
        top, left = (max(0, (side - DETAIL_PX) // 2) for side in one.shape)
        window = Window(left, top, min(DETAIL_PX, one.width - left), min(DETAIL_PX, one.height - top))
        return detail_correlation(one.read(window=window), other.read(window=window), factor)
