"""Bands with larger pixels than the others (Sentinel-2's of 20 m) on the grid of these, by bilinear interpolation."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from crossres.grids import fine_grid
from crossres.operators import interpolation
from crossres.sensors.sentinel2 import BANDS_20M


def on_finest(bands: Sequence[str], grids: Sequence[GeoBox]) -> list[tuple[int, GeoBox]]:
    """Return how many pixels of the finest of the grids are along a pixel of each band's own, and that grid so divided.

    1 for a band that Sentinel-2 has as fine as the others, whatever its grid: what is coarser there is another file.
    """
    sizes = [abs(grid.affine.a) + abs(grid.affine.d) for grid in grids]
    factors = [
        max(1, round(size / min(sizes))) if band in BANDS_20M else 1 for band, size in zip(bands, sizes, strict=True)
    ]
    return [(factor, fine_grid(grid, Fraction(factor))) for factor, grid in zip(factors, grids, strict=True)]


def window_around(window: Window, factor: int, own: GeoBox) -> Window:
    """Return the pixels of a band's own grid that a window of the finest is interpolated from."""
    if factor == 1:
        return window
    first, last = (
        [(offset + 0.5) / factor - 0.5 for offset in ends]
        for ends in (
            (window.row_off, window.col_off),
            (window.row_off + window.height - 1, window.col_off + window.width - 1),
        )
    )
    rows, cols = (
        (min(max(0, int(np.floor(low))), count - 1), min(int(np.floor(high)) + 2, count))
        for low, high, count in zip(first, last, own.shape, strict=True)
    )
    return Window.from_slices(rows, cols)


def interpolated(numbers: np.ma.MaskedArray, own: Window, window: Window, factor: int) -> np.ma.MaskedArray:
    """Return numbers (row, column) of the window `own` over a window of the finer grid, of the same kind.

    Masked where any pixel that counts there is.
    """
    rows, cols = (
        interpolation(many, Fraction(factor), int(start - factor * own_start), int(count), "bilinear").sparse()
        for many, start, own_start, count in zip(
            numbers.shape, (window.row_off, window.col_off), (own.row_off, own.col_off),
            (window.height, window.width), strict=True,
        )
    )  # fmt: skip
    hidden = np.ma.getmaskarray(numbers)
    values = rows @ np.where(hidden, 0, numbers.data).astype(np.float64) @ cols.T
    if np.issubdtype(numbers.dtype, np.integer):
        values = np.rint(values)
    return np.ma.masked_array(values.astype(numbers.dtype), rows @ hidden.astype(np.float32) @ cols.T > 0)
