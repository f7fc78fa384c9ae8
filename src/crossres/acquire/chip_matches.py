"""Chips of an image over its RPC, matched with what a reference shows there (`crossres.matching`)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import dask
import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from crossres.grids import crop
from crossres.matching import correlate, orientation

Chip = Callable[[GeoBox], np.ndarray]
"""Returns an image on a grid, (band, row, column) float32, NaN where there is none or it is not clear."""

GRADIENT_SIGMA_PX = 0.7
DAMPING = 1.0
UPSAMPLING = 20
MIN_CLEAR_SHARE = 0.5
"""Least share of a chip that both images show."""


@dataclass(frozen=True)
class ChipMatches:
    """What was matched, on the reference's grid."""

    points: np.ndarray
    """(n, 2) row and column of the reference's grid, in pixels from its outer corner."""
    shifts: np.ndarray
    """(n, 2) how far from there the image shows the same, along rows and columns, in pixels of the grid."""
    reliability: np.ndarray
    """(n,) correlation at the peak: above 0.5 for the same place in most real pairs, up to 0.2 for different places."""


def match_chips(
    image: Chip, reference: Chip, grid: GeoBox, side_px: int, search_px: int, most_a_side: int
) -> ChipMatches:
    """Match chips of `side_px` all over `grid`, at most `most_a_side` along each axis, for shifts up to `search_px`."""
    if max(grid.shape) <= most_a_side * side_px:  # chips overlap: each pixel is made once
        image, reference = (partial(_cut_from, whole(grid), grid) for whole in (image, reference))
    tops, lefts = (_starts(length, side_px, most_a_side) for length in grid.shape)
    rows, cols = (min(side_px, length) for length in grid.shape)
    windows = [Window(left, top, cols, rows) for top in tops for left in lefts]
    tie = dask.delayed(partial(_tie_point, image, reference, grid, search_px), pure=False, traverse=False)
    found = dask.compute(*(tie(window) for window in windows))
    table = np.array([row for row in found if row is not None], np.float64).reshape(-1, 5)
    table = table[table[:, 4] > 0]
    return ChipMatches(table[:, :2], table[:, 2:4], table[:, 4])


def _tie_point(image: Chip, reference: Chip, grid: GeoBox, search_px: int, window: Window) -> tuple[float, ...] | None:
    """Return the row and column of a chip's centre, its shift along both, and its correlation; None if it is hidden."""
    part = crop(grid, window)
    seen = reference(part)
    if np.isfinite(seen).all(axis=0).mean() < MIN_CLEAR_SHARE:
        return None
    shift, reliability = match(seen, image(part), search_px)
    return window.row_off + part.shape[0] / 2, window.col_off + part.shape[1] / 2, *shift, reliability


def match(first: np.ndarray, second: np.ndarray, search_px: int) -> tuple[np.ndarray, float]:
    """Return how far the content of `second` lies from that of `first` (row, column; pixels), and the correlation.

    Both are (band, row, column) float, NaN where they show nothing; a search that ends on its border, or chips that
    share less than half of their pixels, have a correlation of 0.
    """
    clear = np.isfinite(first).all(axis=0) & np.isfinite(second).all(axis=0)
    if clear.mean() < MIN_CLEAR_SHARE:
        return np.zeros(2), 0.0
    rows, cols = clear.shape
    # Content that enters on one side and leaves on the other must not draw the peak to zero.
    taper = np.sqrt(np.outer(np.hanning(rows + 2)[1:-1], np.hanning(cols + 2)[1:-1])).astype(np.float32)
    a, b = (orientation(image, clear, GRADIENT_SIGMA_PX, DAMPING) * taper for image in (first, second))
    found = correlate(a[None], b[None], search_px, UPSAMPLING)
    return np.array([found.rows[0], found.cols[0]]), float(found.reliability[0])


def _cut_from(image: np.ndarray, grid: GeoBox, part: GeoBox) -> np.ndarray:
    col, row = (round(at) for at in ~grid.affine @ (part.affine.c, part.affine.f))
    return image[:, row : row + part.shape[0], col : col + part.shape[1]]


def _starts(length: int, side: int, most: int) -> list[int]:
    """Return where chips begin: half a chip apart, or further when there would be too many."""
    if length <= side:
        return [0]
    count = min(most, 1 + -(-2 * (length - side) // side))
    return [round(start) for start in np.linspace(0, length - side, count)]
