"""A smooth field of gains over a scene: what one relation for all of it leaves when haze or light varies across it."""

from dataclasses import dataclass

import numpy as np

KERNEL_PX = 15
"""No wave of the field is shorter than this many LR pixels: a finer one would copy the LR image into the HR image."""
LIMITS = (0.8, 1.25)
"""The field stays within these gains, which a polynomial may leave where there are no invariant pixels."""


@dataclass(frozen=True)
class GainField:
    """A polynomial of rows and columns, by band."""

    shape: tuple[int, int]
    """Rows and columns of the scene, in LR pixels."""
    coefficients: np.ndarray
    """(band, term) of the products of Legendre polynomials in rows and columns up to a total order."""
    order: int

    def __call__(self, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        """Return the (band, n, m) gain at the crossings of rows (n,) and columns (m,), in LR pixels."""
        a, b = _legendre(rows, self.shape[0], self.order), _legendre(cols, self.shape[1], self.order)
        return self._sum(a[:, :, None], b[:, None, :])

    def at(self, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        """Return the (band, n) gain at n pixels."""
        return self._sum(_legendre(rows, self.shape[0], self.order), _legendre(cols, self.shape[1], self.order))

    def _sum(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        terms = zip(_powers(self.order), self.coefficients.T, strict=True)
        total = sum(c.reshape(-1, *[1] * (a.ndim - 1)) * (a[i] * b[j]) for (i, j), c in terms)
        return np.clip(1.0 + np.asarray(total), *LIMITS)


def fit_gain_field(
    order: int, shape: tuple[int, int], rows: np.ndarray, cols: np.ndarray, values: np.ndarray, target: np.ndarray
) -> GainField:
    """Fit the field by which (band, n) reflectance `values` must be multiplied to become `target` at n pixels.

    Least squares in float64, of as high an order as KERNEL_PX allows up to `order`.
    """
    order = min(order, *(int(side / KERNEL_PX) for side in shape))
    a, b = _legendre(rows, shape[0], order), _legendre(cols, shape[1], order)
    basis = np.stack([a[i] * b[j] for i, j in _powers(order)], axis=-1)
    found = [
        np.linalg.lstsq(basis * v[:, None], t - v, rcond=None)[0]
        for v, t in zip(values.astype(np.float64), target.astype(np.float64), strict=True)
    ]
    return GainField(shape, np.array(found), order)


def _powers(order: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(order + 1) for j in range(order + 1 - i)]


def _legendre(at: np.ndarray, side: int, order: int) -> np.ndarray:
    return np.polynomial.legendre.legvander((2 * np.asarray(at, np.float64) + 1) / side - 1, order).T
