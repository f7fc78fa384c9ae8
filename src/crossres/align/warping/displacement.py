"""Displacement fields through tie points: a shift, an affine map or a smoothed thin-plate spline, fitted robustly.

The spline is a cubic B-spline surface on a regular grid of knots with the thin-plate energy as penalty (Wahba 1990; on
a B-spline basis Eilers and Marx, Statistical Science 1996). Unlike radial basis functions it stays sparse for thousands
of tie points and is evaluated on a fine grid by two small matrix products. As the penalty grows it becomes affine.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from scipy import sparse
from scipy.interpolate import BSpline
from scipy.sparse.linalg import splu

from crossres.align.warping.sampling import Displacement

Kind = Literal["shift", "affine", "spline", "none"]
"""None is for a pair that is taken as aligned: nothing was fitted."""
ROBUST_ROUNDS = 8
TUKEY = 4.685
NOISE_FLOOR_PX = 0.1
"""Residuals are never taken to scatter less than this, so that a spline's bends are not cut off as outliers."""

TENSION = 0.1
"""Membrane energy in the spline's penalty: where tie points are missing for more than about three knots the spline
levels out instead of running on along its last slope. No warp is better than a wrong one."""


@dataclass(frozen=True)
class Extent:
    """The rectangle of LR indices over which a field is defined, and the spacing of its spline knots."""

    row: float
    col: float
    height: float
    width: float
    knot_px: float


@dataclass(frozen=True)
class Model:
    """A family of fields: its kind, and how smooth the spline is."""

    kind: Kind
    smoothness: float = 0.0
    """Weight of the bending energy against the tie points' squared residuals; splines only."""

    def __str__(self) -> str:
        return f"{self.kind} {self.smoothness:g}" if self.kind == "spline" else self.kind


@dataclass(frozen=True)
class DisplacementField:
    """A displacement field over an extent."""

    extent: Extent
    linear: np.ndarray
    """(3, 2) of constant, row and column terms; rows then columns displacement, in LR pixels."""
    knots: np.ndarray | None
    """(n, m, 2) B-spline coefficients added to the linear part, or None."""

    def at(self, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        """Return (n, 2) displacement in LR pixels (rows, columns) at n points given by their LR indices."""
        result = _linear_basis(self.extent, rows, cols) @ self.linear
        if self.knots is not None and len(result):
            result = result + _spline_basis(self.extent, rows, cols) @ self.knots.reshape(-1, 2)
        return result

    def on_grid(self, rows: np.ndarray, cols: np.ndarray) -> Displacement:
        """Return the displacement at the crossings of LR rows (n,) and columns (m,)."""
        y, x = _scaled(self.extent, rows, cols)
        parts = []
        for k in range(2):
            constant, slope_y, slope_x = self.linear[:, k]
            part = constant + slope_y * y[:, None] + slope_x * x[None, :]
            if self.knots is not None:
                e = self.extent
                by = _basis_1d(e.row, e.height, e.knot_px, rows)
                bx = _basis_1d(e.col, e.width, e.knot_px, cols)
                part = part + by @ (bx @ self.knots[:, :, k].T).T
            parts.append(part)
        return Displacement(*parts)


def zero_field(extent: Extent) -> DisplacementField:
    """Return the field that moves nothing."""
    return DisplacementField(extent, np.zeros((3, 2)), None)


def fit(
    model: Model, extent: Extent, points: np.ndarray, displacement: np.ndarray, weights: np.ndarray
) -> DisplacementField:
    """Fit a field to tie points by iteratively reweighted least squares with Tukey's biweight.

    `points` (n, 2) are LR row and column indices, `displacement` (n, 2) LR pixels, `weights` (n,) positive numbers.
    """
    weights = weights / weights.mean()
    current = weights
    linear = _linear_basis(extent, *points.T)
    spline = _spline_basis(extent, *points.T) if model.kind == "spline" else None
    for _ in range(ROBUST_ROUNDS):
        field = _solve(model, extent, linear, spline, displacement, current)
        residual = displacement - linear @ field.linear
        if spline is not None and field.knots is not None:
            residual -= spline @ field.knots.reshape(-1, 2)
        length = np.hypot(*residual.T)
        scale = max(robust_scale(length), NOISE_FLOOR_PX)
        previous, current = current, weights * np.clip(1 - (length / (TUKEY * scale)) ** 2, 0, 1) ** 2 + 1e-12
        if np.abs(current - previous).max() < 0.01:
            break
    return field


def robust_scale(length: np.ndarray) -> float:
    """Return the standard deviation per axis that the median length of two-axis residuals stands for (Rayleigh)."""
    return float(np.median(length) / np.sqrt(2 * np.log(2)))


def _solve(
    model: Model,
    extent: Extent,
    linear_basis: np.ndarray,
    spline_basis: sparse.csr_array | None,
    values: np.ndarray,
    weights: np.ndarray,
) -> DisplacementField:
    if model.kind == "shift":
        linear = np.zeros((3, 2))
        linear[0] = np.average(values, axis=0, weights=weights)
        return DisplacementField(extent, linear, None)
    root = np.sqrt(weights)[:, None]
    linear = np.linalg.lstsq(linear_basis * root, values * root, rcond=None)[0]
    if spline_basis is None:
        return DisplacementField(extent, linear, None)
    shape = _knots(extent.height, extent.knot_px), _knots(extent.width, extent.knot_px)
    normal = spline_basis.T @ sparse.diags_array(weights) @ spline_basis + model.smoothness * _energy(shape)
    # A trace of ridge settles the constant that a far-off, empty part of the extent leaves open.
    normal = (normal + 1e-9 * sparse.eye_array(normal.shape[0])).tocsc()
    factors = splu(normal, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    knots = factors.solve(spline_basis.T @ (weights[:, None] * (values - linear_basis @ linear)))
    return DisplacementField(extent, linear, knots.reshape(*shape, 2))


def _scaled(extent: Extent, rows: np.ndarray, cols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns centred on the extent, in units of its longer side: a fit is then well conditioned."""
    size = max(extent.height, extent.width, 1.0)
    return (rows - extent.row - extent.height / 2) / size, (cols - extent.col - extent.width / 2) / size


def _linear_basis(extent: Extent, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
    y, x = _scaled(extent, np.asarray(rows, np.float64), np.asarray(cols, np.float64))
    return np.stack([np.ones_like(y), y, x], axis=1)


def _spline_basis(extent: Extent, rows: np.ndarray, cols: np.ndarray) -> sparse.csr_array:
    """Return the (n, knots) sparse product of the row and column bases."""
    by = _basis_1d(extent.row, extent.height, extent.knot_px, rows).tocsr()
    bx = _basis_1d(extent.col, extent.width, extent.knot_px, cols).tocsr()
    n, m = by.shape[0], bx.shape[1]
    iy, ix = by.indices.reshape(n, 4), bx.indices.reshape(n, 4)
    vy, vx = by.data.reshape(n, 4), bx.data.reshape(n, 4)
    index = (iy[:, :, None] * m + ix[:, None, :]).reshape(n, 16)
    value = (vy[:, :, None] * vx[:, None, :]).reshape(n, 16)
    pointer = np.arange(0, 16 * n + 1, 16)
    return sparse.csr_array((value.ravel(), index.ravel(), pointer), shape=(n, by.shape[1] * m))


def _knots(length: float, spacing: float) -> int:
    return max(1, int(np.ceil(length / spacing))) + 3


def _basis_1d(start: float, length: float, spacing: float, at: np.ndarray) -> sparse.csr_array:
    """Return the (n, knots) cubic B-spline basis; beyond the extent it holds its border value."""
    count = _knots(length, spacing)
    x = np.clip((np.asarray(at, np.float64) - start) / spacing, 0, count - 3 - 1e-9)
    return sparse.csr_array(BSpline.design_matrix(x, np.arange(-3.0, count + 1), 3))


@lru_cache(maxsize=8)
def _energy(shape: tuple[int, int]) -> sparse.csr_array:
    """Return the thin-plate energy, and some tension, in differences of the coefficients, as a quadratic form."""
    one = [sparse.eye_array(n) for n in shape]
    first = [sparse.diags_array([-1.0, 1.0], offsets=[0, 1], shape=(n - 1, n)) for n in shape]
    second = [sparse.diags_array([1.0, -2.0, 1.0], offsets=[0, 1, 2], shape=(n - 2, n)) for n in shape]
    terms = [
        (1.0, sparse.kron(second[0], one[1])),
        (2.0, sparse.kron(first[0], first[1])),
        (1.0, sparse.kron(one[0], second[1])),
        (TENSION, sparse.kron(first[0], one[1])),
        (TENSION, sparse.kron(one[0], first[1])),
    ]
    return sparse.csr_array(sum(weight * (t.T @ t) for weight, t in terms))
