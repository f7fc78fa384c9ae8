"""From the LR grid to any window of the fine grid, as tensors (`operators`).

A window gives the same values as cutting it out of the whole.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from crossres.operators import TAPS, Kernel, interpolation

Shift = tuple[Tensor, Tensor]
"""Rows and columns by which each LR image of a batch is moved, (batch,) fine pixels each."""

KEPT = 64
"""Matrices of interpolation that are kept to be used again: one for each axis, side and place of a window."""


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

    The view's sides are rounded up to whole pixels of that size. `shift` moves each image of the batch.
    """
    factor = view.factor.numerator, view.factor.denominator  # a compiler follows whole numbers
    rows = lr.shape[-2], *factor, view.top, -(-view.height // stride), kernel, stride
    cols = lr.shape[-1], *factor, view.left, -(-view.width // stride), kernel, stride
    if shift is not None:
        a, b = (_moved(*axis, by).to(lr.dtype) for axis, by in zip((rows, cols), shift, strict=True))
        return a[:, None] @ lr @ b[:, None].mT
    (by_row, a), (by_col, b) = (_constant(*axis, lr.device, lr.dtype) for axis in (rows, cols))
    return a @ lr[..., by_row, by_col] @ b.mT


def _moved(
    count: int, above: int, below: int, start: int, size: int, kernel: Kernel, stride: int, shift: Tensor
) -> Tensor:
    """Return `operators.interpolation` of images that lie off by `shift`, as (batch, size, count) matrices."""
    fine, at = torch.arange(size, device=shift.device), torch.arange(count, device=shift.device)
    u = (start + (fine + 0.5) * stride - shift.double()[:, None]) * below / above - 0.5
    taps, function = TAPS[kernel]
    matrix = torch.zeros(len(shift), size, count, dtype=torch.float64, device=shift.device)
    for tap in taps:
        taken = u.floor() + tap
        matrix = matrix + function(u - taken)[..., None] * (taken.clamp(0, count - 1)[..., None] == at)
    return matrix


def compile_function(function: Callable[..., Any], dynamic: bool) -> Callable[..., Any]:
    """Return what `torch.compile` makes of a function in which images are interpolated.

    Matrices of interpolation are its constants. It is told here and not above: that loads the compiler, some seconds.
    """
    torch.compiler.assume_constant_result(_constant)
    return torch.compile(function, dynamic=dynamic)


def _constant(*what: Any) -> tuple[slice, Tensor]:
    return _matrix(*what)


@lru_cache(KEPT)
def _matrix(
    count: int, above: int, below: int, start: int, size: int, kernel: Kernel, stride: int, device: torch.device,
    dtype: torch.dtype,
) -> tuple[slice, Tensor]:  # fmt: skip
    """Return which LR pixels a window needs, few where it is a small one, and `operators.interpolation` from those."""
    whole = interpolation(count, Fraction(above, below), start, size, kernel, stride).dense()
    at = np.flatnonzero(whole.any(0))
    used = slice(int(at[0]), int(at[-1]) + 1)
    with torch.inference_mode(False):  # what is kept may be trained with later
        return used, torch.from_numpy(whole[:, used]).to(device, dtype)
