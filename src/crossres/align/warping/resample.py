"""The one resampling of the HR scene: from its own pixels to the fine grid, through the displacement field."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from crossres.align.warping.displacement import DisplacementField
from crossres.align.warping.sampling import (
    covered,
    filled,
    gaps_before,
    hr_indices,
    interpolate,
    low_pass,
    lr_pixel_in_hr,
    spline_coefficients,
)
from crossres.imagery.lazy import RasterSource
from crossres.imagery.numbers import NODATA, Mask, to_dn
from crossres.imagery.raster import grid_of
from crossres.imagery.scene import MASK, REFLECTANCE, bands_of, open_scene
from crossres.operators import antialias_taps

CHUNK_PX = 1024
"""Side of a chunk of the fine grid."""
SPLINE_PX = 12


def resampled(
    hr: Path, bands: Sequence[str], lr: GeoBox, window: Window, fine: GeoBox, field: DisplacementField
) -> da.Array:
    """Return lazy (band, row, column) uint16 DN of the scene folder `hr` on the fine grid over `window` of LR.

    Low-passed for the fine pixel size, then cubic; DN 0 wherever the HR scene is not clear. Each chunk reads the window
    of the HR scene that its field leads to.
    """
    native = grid_of(hr / REFLECTANCE)
    scale = window.height / fine.shape[0]
    names = bands_of(open_scene(hr))
    source = _Source(
        RasterSource(hr / REFLECTANCE, [names.index(band) + 1 for band in bands], "reflectance"),
        RasterSource(hr / MASK, [1], "numbers"), native, lr, window, scale, lr_pixel_in_hr(lr, native) * scale, field,
    )  # fmt: skip
    chunks = da.core.normalize_chunks((len(bands), CHUNK_PX, CHUNK_PX), (len(bands), *fine.shape))
    return da.map_blocks(_chunk, source, chunks=chunks, dtype=np.uint16, meta=np.empty((0, 0, 0), np.uint16))


@dataclass(frozen=True)
class _Source:
    """The HR scene, and how fine pixels lead to its own."""

    reflectance: RasterSource
    mask: RasterSource
    native: GeoBox
    lr: GeoBox
    window: Window
    scale: float
    """LR pixels along a fine pixel."""
    fine_px: float
    """HR pixels along a fine pixel."""
    field: DisplacementField


def _chunk(source: _Source, block_info: Any = None) -> np.ndarray:
    (_, count), *sides = block_info[None]["array-location"]
    scale, window = source.scale, source.window
    rows, cols = (
        (np.arange(*side) + 0.5) * scale - 0.5 + start
        for side, start in zip(sides, (window.row_off, window.col_off), strict=True)
    )
    taps = antialias_taps(source.fine_px)
    r, c = hr_indices(source.lr, source.native, rows, cols, source.field.on_grid(rows, cols))
    place = _window(r, c, source.native, margin=len(taps) + SPLINE_PX)
    if place is None:
        return np.full((count, len(rows), len(cols)), NODATA, np.uint16)
    mask = source.mask[(slice(None), *place)]
    values = np.where(mask == Mask.CLEAR, source.reflectance[(slice(None), *place)], np.float32(np.nan))
    image, valid = filled(values)
    r, c = r - place[0].start, c - place[1].start
    dn = to_dn(interpolate(spline_coefficients(low_pass(image, taps)), r, c))
    dn[:, ~covered(gaps_before(valid), r, c, source.fine_px)] = NODATA
    return dn


def _window(rows: np.ndarray, cols: np.ndarray, native: GeoBox, margin: int) -> tuple[slice, slice] | None:
    found = []
    for at, size in zip((rows, cols), native.shape, strict=True):
        first, stop = max(0, int(at.min()) - margin), min(size, int(np.ceil(at.max())) + margin)
        if stop <= first:
            return None
        found.append(slice(first, stop))
    return found[0], found[1]
