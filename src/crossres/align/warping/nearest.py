"""A scene on the grid of another of the same pixel size, by its nearest pixels: values as they were measured."""

from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from crossres.align.warping.degrade import clear
from crossres.align.warping.displacement import DisplacementField
from crossres.align.warping.sampling import hr_indices
from crossres.imagery.lr_dates import CHUNK_PX, OFFSETS, LrDate, date_numbers


def nearest_pixels(scene: xr.Dataset, lr: GeoBox, window: Window, field: DisplacementField) -> da.Array:
    """Return lazy (band + 2, row, column) numbers (`lr_dates.date_numbers`) of a scene over `window` of an LR grid.

    `field` leads from LR indices to where the scene has the same content. The last two say where the ground of the
    nearest pixel's centre lies on the LR grid, from the pixel's centre. NODATA where the nearest pixel is not clear, or
    there is none.
    """
    own = clear(scene)
    shape = len(own) + len(OFFSETS), int(window.height), int(window.width)
    chunks = da.core.normalize_chunks((shape[0], CHUNK_PX, CHUNK_PX), shape)
    edges = [np.concatenate([[0], np.cumsum(sizes)]) for sizes in chunks[1:]]
    lines = []
    for top, bottom in zip(edges[0][:-1], edges[0][1:], strict=True):
        line = []
        for left, right in zip(edges[1][:-1], edges[1][1:], strict=True):
            part = Window(window.col_off + left, window.row_off + top, right - left, bottom - top)
            line.append(_block(own, scene.odc.geobox, lr, part, field))
        lines.append(line)
    return da.block(lines)


@dataclass(frozen=True)
class _Places:
    """Which pixels of a scene a block takes, and where they lie."""

    rows: np.ndarray
    cols: np.ndarray
    """(row, column) indices in the scene of the nearest pixels, which may lie outside of it."""
    offsets: np.ndarray
    """(2, row, column) as in `LrDate`."""


def _block(own: da.Array, grid: GeoBox, lr: GeoBox, part: Window, field: DisplacementField) -> da.Array:
    places = _places(grid, lr, part, field)
    spans = []
    for at, size in zip((places.rows, places.cols), own.shape[1:], strict=True):
        first = min(max(int(at.min()), 0), size)
        spans.append(slice(first, max(first, min(int(at.max()) + 1, size))))
    seen = own[:, *spans].rechunk(-1)
    shape = len(own) + len(OFFSETS), *places.rows.shape
    if not seen.size:
        return da.zeros(shape, np.uint16, chunks=-1)
    return da.map_blocks(
        _taken, seen, places, (spans[0].start, spans[1].start), chunks=tuple((n,) for n in shape), dtype=np.uint16,
        meta=_NOTHING,
    )  # fmt: skip


def _places(grid: GeoBox, lr: GeoBox, part: Window, field: DisplacementField) -> _Places:
    # A pixel more on each side: how far the scene moves from one LR pixel to the next.
    rows, cols = (
        np.arange(int(start) - 1, int(start + count) + 1)
        for start, count in ((part.row_off, part.height), (part.col_off, part.width))
    )
    r, c = hr_indices(lr, grid, rows, cols, field.on_grid(rows, cols))
    inner = slice(1, -1), slice(1, -1)
    (rr, rc), (cr, cc) = (((of[2:, 1:-1] - of[:-2, 1:-1]) / 2, (of[1:-1, 2:] - of[1:-1, :-2]) / 2) for of in (r, c))
    at_rows, at_cols = (np.rint(of[inner]).astype(np.int64) for of in (r, c))
    down, right = at_rows - r[inner], at_cols - c[inner]
    size = rr * cc - rc * cr
    offsets = np.stack([(cc * down - rc * right) / size, (rr * right - cr * down) / size])
    return _Places(at_rows, at_cols, offsets.astype(np.float32))


def _taken(values: np.ndarray, places: _Places, first: tuple[int, int]) -> np.ndarray:
    rows, cols = places.rows - first[0], places.cols - first[1]
    height, width = values.shape[1:]
    there = (rows >= 0) & (rows < height) & (cols >= 0) & (cols < width)
    taken = values[:, np.clip(rows, 0, height - 1), np.clip(cols, 0, width - 1)]
    return date_numbers(LrDate(np.where(there, taken, np.float32(np.nan)), places.offsets))


_NOTHING: Any = np.empty((0, 0, 0), np.uint16)
