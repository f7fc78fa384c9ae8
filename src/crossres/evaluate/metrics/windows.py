"""Small windows of a lazy image, taken from the blocks that they lie in."""

from collections.abc import Sequence
from functools import partial

import dask.array as da
import numpy as np
from dask.delayed import Delayed

from crossres.imagery.neighbourhood import Near, per_neighbourhood


def window_parts(image: da.Array, side: int, corners: np.ndarray) -> list[Delayed]:
    """Return the windows of `side` pixels that begin in each block of an image (band, row, column), for `windows`.

    `corners` are (n, 2), the row and column of each window's first pixel.
    """
    return per_neighbourhood(partial(_cut, side=side, corners=corners), side - 1, image, with_place=True)


def windows(parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return all windows in the order of their corners, (n, band, side, side)."""
    which = np.concatenate([part[0] for part in parts])
    return np.concatenate([part[1] for part in parts])[np.argsort(which)]


def begin_in(near: Near, corners: np.ndarray) -> np.ndarray:
    """Return the corners that lie in a block, counted from the first pixel that the block sees."""
    return corners[_inside(near, corners)] - [near.seen[0].start, near.seen[1].start]


def _inside(near: Near, corners: np.ndarray) -> np.ndarray:
    rows, cols = near.own
    return (
        (corners[:, 0] >= rows.start) & (corners[:, 0] < rows.stop)
        & (corners[:, 1] >= cols.start) & (corners[:, 1] < cols.stop)
    )  # fmt: skip


def _cut(near: Near, image: np.ndarray, side: int, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    here = begin_in(near, corners)
    rows, cols = (axis[:, None] + np.arange(side) for axis in here.T)
    cut = image[:, rows[:, :, None], cols[:, None, :]]
    return np.flatnonzero(_inside(near, corners)), cut.transpose(1, 0, 2, 3)
