"""A lazy image brought to another grid, block by block."""

from math import ceil

import dask
import dask.array as da
import numpy as np
from odc.geo.geobox import GeoBox
from odc.geo.overlap import compute_reproject_roi
from odc.geo.roi import roi_is_empty
from odc.geo.types import XY
from rasterio.enums import Resampling
from rasterio.warp import reproject

from crossres.imagery.lazy import CHUNK_PX

ON_GRID = 1e-3
"""Pixels; two grids that differ by less are one."""
CUBIC_PX = 2
"""How far cubic convolution reaches."""
LEAST_CHUNK_PX = 64


def on_grid(image: da.Array, own: GeoBox, grid: GeoBox, chunk_px: int = CHUNK_PX) -> da.Array:
    """Return a (band, row, column) float32 image on `own` as it lies on `grid`, lazily; NaN where it has none.

    Pixels that line up with those of the grid are taken as they are, all others are reprojected by cubic convolution,
    as wide as coarser pixels ask for. Blocks have sides of at most `chunk_px` pixels of either grid. Both have a CRS.
    """
    offset = ~own.affine @ grid.affine  # from the grid's pixels to the image's
    aligned = own.crs == grid.crs and np.allclose(
        (offset.a, offset.b, offset.d, offset.e, offset.c % 1, offset.f % 1),
        (1, 0, 0, 1, round(offset.c % 1), round(offset.f % 1)), atol=ON_GRID,
    )  # fmt: skip
    if aligned:
        return _shifted(image, (round(offset.f), round(offset.c)), tuple(grid.shape), chunk_px)
    both = compute_reproject_roi(own, grid)
    if roi_is_empty(both.roi_src):
        return _none((len(image), *grid.shape), chunk_px)
    # One for all blocks: the width of the kernel must not depend on how they are cut.
    shrink = both.scale2
    size = max(LEAST_CHUNK_PX, int(chunk_px / max(1.0, *shrink.xy)))
    lines = [
        [_reprojected(image, own, grid[rows, cols], shrink) for cols in _spans(grid.shape[1], size)]
        for rows in _spans(grid.shape[0], size)
    ]
    return da.block(lines)


def _spans(count: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def _shifted(image: da.Array, first: tuple[int, int], shape: tuple[int, ...], chunk_px: int) -> da.Array:
    """Return `shape` pixels of an image from its pixel `first` on, which may lie outside of it."""
    there, margins = [], [(0, 0)]
    for start, count, size in zip(first, shape, image.shape[1:], strict=True):
        seen = slice(min(max(start, 0), size), min(max(start + count, 0), size))
        before = min(max(-start, 0), count)
        there.append(seen)
        margins.append((before, count - before - (seen.stop - seen.start)))
    if any(seen.start == seen.stop for seen in there):
        return _none((len(image), *shape), chunk_px)
    padded = da.pad(image[:, *there], margins, constant_values=np.float32(np.nan))
    return padded.rechunk((-1, chunk_px, chunk_px))


def _reprojected(image: da.Array, own: GeoBox, part: GeoBox, shrink: XY[float]) -> da.Array:
    shape = len(image), *part.shape
    margin = ceil(CUBIC_PX * max(1.0, *shrink.xy)) + 2
    window = compute_reproject_roi(own, part, padding=margin).roi_src
    if roi_is_empty(window):
        return _none(shape)
    rows, cols = window
    # Unoptimized: blocks that others need, too, are then made once.
    seen = image[:, rows, cols].rechunk(-1).to_delayed(optimize_graph=False).item()
    made = dask.delayed(_cubic, pure=True, traverse=False)(seen, own[rows, cols], part, shrink)
    return da.from_delayed(made, shape, np.float32, meta=np.empty((0, 0, 0), np.float32))


def _none(shape: tuple[int, ...], chunk_px: int = CHUNK_PX) -> da.Array:
    return da.full(shape, np.nan, np.float32, chunks=(-1, chunk_px, chunk_px))


def _cubic(values: np.ndarray, own: GeoBox, part: GeoBox, shrink: XY[float]) -> np.ndarray:
    assert own.crs is not None and part.crs is not None
    made = np.full((len(values), *part.shape), np.nan, np.float32)
    reproject(
        values, made, src_transform=own.affine, src_crs=str(own.crs.to_wkt()), src_nodata=np.nan,
        dst_transform=part.affine, dst_crs=str(part.crs.to_wkt()), dst_nodata=np.nan, resampling=Resampling.cubic,
        XSCALE=1 / shrink.x, YSCALE=1 / shrink.y,
    )  # fmt: skip
    return made
