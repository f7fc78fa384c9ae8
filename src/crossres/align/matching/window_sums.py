"""Sums over square windows on a regular grid, by two small matrix products: no pixel is visited window by window."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

BLOCK_ROWS, BLOCK_COLS = 64, 512
"""Pixels are taken a block at a time, which the processor's cache holds; it adds to the windows that it touches."""


@dataclass(frozen=True)
class Windows:
    """Windows whose first rows and columns are the crossings of two lists; they may overhang the image."""

    rows: np.ndarray
    """(n,) first row of each row of windows, increasing; negative where they overhang."""
    cols: np.ndarray
    """(m,) first column of each column of windows, increasing."""
    side: int

    @property
    def corners(self) -> np.ndarray:
        """(n * m, 2) first row and column of each window."""
        return np.stack(np.meshgrid(self.rows, self.cols, indexing="ij"), axis=-1).reshape(-1, 2)

    @property
    def taper(self) -> np.ndarray:
        """(side,) weight along a side of a Hann window that is nowhere 0."""
        return np.hanning(self.side + 2)[1:-1]

    def sums(self, plane: np.ndarray, down: np.ndarray, across: np.ndarray) -> np.ndarray:
        """Return (n * m,) sums over windows of a (row, column) image times the profiles `down` and `across` (side,)."""
        total = np.zeros((len(self.rows), len(self.cols)))
        for rows, cols in blocks(plane.shape):
            into = touched(self.rows, self.side, rows), touched(self.cols, self.side, cols)
            left = weights(self.rows[into[0]], down, rows)
            total[into] += left @ (plane[rows, cols] @ weights(self.cols[into[1]], across, cols).T)
        return total.reshape(-1)

    def means(self, plane: np.ndarray) -> np.ndarray:
        """Return (n * m,) tapered sums of a (row, column) image over the sum of the taper; outside it is 0."""
        return self.sums(plane, self.taper, self.taper) / self.taper.sum() ** 2


def blocks(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    """Return the rows and columns of each block of an image."""
    for top in range(0, shape[0], BLOCK_ROWS):
        for left in range(0, shape[1], BLOCK_COLS):
            yield slice(top, min(top + BLOCK_ROWS, shape[0])), slice(left, min(left + BLOCK_COLS, shape[1]))


def touched(starts: np.ndarray, side: int, block: slice) -> slice:
    """Return which windows, along one axis, have pixels in a block."""
    return slice(int(np.searchsorted(starts, block.start - side, "right")), int(np.searchsorted(starts, block.stop)))


def weights(starts: np.ndarray, profile: np.ndarray, block: slice) -> np.ndarray:
    """Return the (..., windows, pixels) weight that each pixel of a block has in windows, along one axis.

    `profile` is (..., side).
    """
    at = np.arange(block.start, block.stop) - starts[:, None]
    inside = (at >= 0) & (at < profile.shape[-1])
    return np.where(inside, profile[..., np.clip(at, 0, profile.shape[-1] - 1)], profile.dtype.type(0))
