"""From the LR grid to any window of the fine grid, at any rational factor.

Both grids share their outer corners (half-pixel convention): pixel i of the fine grid has its centre at LR coordinate
(i + 1/2) / factor - 1/2. Interpolation is separable, so a window is two small matrices and two products; beyond the LR
array its edge pixels repeat. A window gives the same values as cutting it out of the whole.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
import torch
from torch import Tensor

Kernel = Literal["bicubic", "bilinear"]
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


def keys(u: np.ndarray, a: float = -0.5) -> np.ndarray:
    """Return the cubic convolution kernel of Keys 1981 (equation 15 for a = -1/2)."""
    u = np.abs(u)
    near = (a + 2) * u**3 - (a + 3) * u**2 + 1
    far = a * u**3 - 5 * a * u**2 + 8 * a * u - 4 * a
    return np.where(u <= 1, near, np.where(u < 2, far, 0.0))


def triangle(u: np.ndarray) -> np.ndarray:
    """Return the kernel of linear interpolation."""
    return np.clip(1 - np.abs(u), 0, None)


def weights(
    lr_count: int,
    factor: Fraction,
    start: int,
    count: int,
    kernel: Kernel,
    stride: int = 1,
    shift: np.ndarray | float = 0,
) -> np.ndarray:
    """Return the (..., count, lr_count) float32 matrix that interpolates one axis.

    Row i stands for the fine pixels start + i * stride .. start + (i + 1) * stride - 1 taken as one pixel; `shift`
    (fine pixels, one number or a (batch,) array) moves the LR array towards higher indices.
    """
    centre = start + (np.arange(count) + 0.5) * stride - np.asarray(shift, np.float64)[..., None]
    u = centre / float(factor) - 0.5
    taps, function = {"bicubic": ((-1, 0, 1, 2), keys), "bilinear": ((0, 1), triangle)}[kernel]
    base = np.floor(u)
    matrix = np.zeros((*u.shape, lr_count), np.float64)
    for tap in taps:
        at = np.clip(base + tap, 0, lr_count - 1).astype(np.int64)[..., None]
        value = np.take_along_axis(matrix, at, -1) + function(u - (base + tap))[..., None]
        np.put_along_axis(matrix, at, value, -1)
    return matrix.astype(np.float32)


def nearest(lr_count: int, factor: Fraction, start: int, count: int) -> np.ndarray:
    """Return the LR pixel, (count,), that the centre of each fine pixel start .. start + count - 1 lies in."""
    # In whole numbers, since a centre may lie exactly on an LR border: it then belongs to the later pixel.
    centre = (2 * (start + np.arange(count)) + 1) * factor.denominator
    return np.clip(centre // (2 * factor.numerator), 0, lr_count - 1)


def upsample(lr: Tensor, view: View, kernel: Kernel, stride: int = 1, shift: Shift | None = None) -> Tensor:
    """Interpolate (batch, band, row, column) LR values over a view of the fine grid, on pixels of `stride` fine pixels.

    The view's sides are rounded up to whole pixels of that size. `shift` (rows, columns: (batch,) fine pixels each)
    moves each image of the batch.
    """
    down, right = shift if shift is not None else (0.0, 0.0)
    rows = weights(lr.shape[-2], view.factor, view.top, -(-view.height // stride), kernel, stride, down)
    cols = weights(lr.shape[-1], view.factor, view.left, -(-view.width // stride), kernel, stride, right)
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
