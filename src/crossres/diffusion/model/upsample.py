"""From the LR grid to any window of the fine grid, as tensors (`operators`).

A window gives the same values as cutting it out of the whole.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from crossres.operators import Kernel, interpolation

Shift = tuple[np.ndarray, np.ndarray]
"""Rows and columns by which each LR image of a batch is moved, (batch,) fine pixels each."""


@dataclass(frozen=True)
class View:
    """A window of the fine grid over an LR array."""

    factor: Fraction
    """Fine pixels per LR pixel, along each axis."""
    top: int
    """First row, in fine pixels from the LR array's first corner."""
    left: int
    """First column, in fine pixels from the LR array's first corner."""
    height: int
    """Rows, in fine pixels."""
    width: int
    """Columns, in fine pixels."""

    @staticmethod
    def whole(factor: Fraction, lr_rows: int, lr_cols: int) -> "View":
        """Return the view of the whole LR array."""
        return View(factor, 0, 0, int(lr_rows * factor), int(lr_cols * factor))

    def part(self, top: int, left: int, height: int, width: int) -> "View":
        """Return a window of this view, in its own pixels."""
        return View(self.factor, self.top + top, self.left + left, height, width)


def upsample(lr: Tensor, view: View, kernel: Kernel, stride: int = 1, shift: Shift | None = None) -> Tensor:
    """Interpolate (batch, band, row, column) LR values over a view of the fine grid, on pixels of `stride` fine pixels.

    The view's sides are rounded up to whole pixels of that size. `shift` (rows, columns: (batch,) fine pixels each)
    moves each image of the batch.
    """
    down, right = shift if shift is not None else (0.0, 0.0)
    rows = interpolation(lr.shape[-2], view.factor, view.top, -(-view.height // stride), kernel, stride, down).dense()
    cols = interpolation(lr.shape[-1], view.factor, view.left, -(-view.width // stride), kernel, stride, right).dense()
    if shift is not None:
        rows, cols = rows[:, None], cols[:, None]
    # A small window of a large image needs few of its pixels.
    by_row, by_col = _used(rows), _used(cols)
    a, b = (torch.from_numpy(m).to(lr.device, lr.dtype) for m in (rows[..., by_row], cols[..., by_col]))
    return a @ lr[..., by_row, by_col] @ b.mT


def _used(matrix: np.ndarray) -> slice:
    """Return the columns of a matrix that are not all zero, as one slice."""
    at = np.flatnonzero(matrix.any(tuple(range(matrix.ndim - 1))))
    return slice(int(at[0]), int(at[-1]) + 1)
