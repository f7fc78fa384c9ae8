"""Separable resampling between grids, by sparse matrices.

Sparse products run on one thread, so results do not depend on the number of threads that dense ones would use.
"""

import math

import numpy as np
from scipy.sparse import csr_array

REACH_SIGMA = 5.0
"""A Gaussian is cut off this far from its centre."""


def mtf_sigma_px(mtf: float) -> float:
    """Return the standard deviation, in pixels, of the Gaussian whose MTF at Nyquist (0.5 cycles/px) is `mtf`.

    From exp(-2 pi^2 sigma^2 f^2) = mtf at f = 1/2.
    """
    return math.sqrt(-2.0 * math.log(mtf)) / math.pi


def resample(row_matrix: csr_array, image: np.ndarray, col_matrix: csr_array) -> np.ndarray:
    """Return row_matrix @ image @ col_matrix.T, (row, column)."""
    return np.ascontiguousarray((col_matrix @ np.ascontiguousarray((row_matrix @ image).T)).T)


def gaussian_matrix(size: int, gsd_m: float, first_m: float, count: int, step_m: float, sigma_m: float) -> csr_array:
    """Return (count, size) float32 weights of one axis of a detector with a Gaussian point spread function.

    Fine pixel j is centred at (j + 0.5) gsd_m, sample i at first_m + i step_m; each row sums to 1.
    """
    fine = (np.arange(size) + 0.5) * gsd_m
    away = (first_m + np.arange(count)[:, None] * step_m - fine[None]) / sigma_m
    weight = np.where(np.abs(away) < REACH_SIGMA, np.exp(-0.5 * away**2), 0)
    return csr_array((weight / weight.sum(axis=1, keepdims=True)).astype(np.float32))


def area_matrix(size: int, gsd_m: float, left_m: float, count: int, step_m: float) -> csr_array:
    """Return (count, size) float32 weights of one axis for means over cells: cell i starts at left_m + i step_m."""
    fine = np.arange(size) * gsd_m
    start = left_m + np.arange(count)[:, None] * step_m
    overlap = np.clip(np.minimum(fine + gsd_m, start + step_m) - np.maximum(fine, start), 0, None)
    return csr_array((overlap / overlap.sum(axis=1, keepdims=True)).astype(np.float32))


def linear_matrix(count: int, knots: int, spacing: int) -> csr_array:
    """Return (count, knots) float32 weights of one axis for linear interpolation between knots `spacing` apart."""
    position = np.arange(count)[:, None] / spacing
    return csr_array(np.clip(1 - np.abs(position - np.arange(knots)[None]), 0, None).astype(np.float32))


def spline_matrix(count: int, knots: int, spacing: float) -> csr_array:
    """Return (count, knots) float32 cubic B-splines of one axis, scaled so that white noise at the knots stays at 1.

    The first knot lies 1.5 spacings before the first position.
    """
    distance = np.abs(np.arange(count)[:, None] / spacing - (np.arange(knots) - 1.5)[None])
    basis = np.where(distance < 1, 2 / 3 - distance**2 + distance**3 / 2, np.clip(2 - distance, 0, None) ** 3 / 6)
    return csr_array((basis / np.sqrt((basis**2).sum(axis=1).mean())).astype(np.float32))
