"""Invariant pixels of two images by iteratively reweighted multivariate alteration detection (IR-MAD).

Nielsen, IEEE Transactions on Image Processing 16(2), 2007; Canty and Nielsen, Remote Sensing of Environment 112, 2008.
"""

from dataclasses import dataclass

import numpy as np
from scipy import linalg, special  # not scipy.stats, which takes most of a second to load

MAX_ROUNDS = 60
TOLERANCE = 1e-4
RIDGE = 1e-10


@dataclass(frozen=True)
class NoChange:
    """How probable it is that a pixel did not change, from its values in two images; holds for any of their pixels."""

    means: tuple[np.ndarray, np.ndarray]
    """(band,) weighted mean of either image."""
    variates: tuple[np.ndarray, np.ndarray]
    """(band, variate) canonical vectors of either image."""
    variance: np.ndarray
    """(variate,) variance of the differences of canonical variates; all 0 when the images are equal."""
    scale: float
    """What chi-squared is divided by."""

    def __call__(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return the (n,) probability of no change of (n, band) pixels; float64."""
        if self.variance.max() < 1e-9:
            return np.ones(len(first))
        return special.chdtrc(len(self.variance), self._chi2(first, second) / self.scale)

    def _chi2(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        x, y = np.asarray(first, np.float64) - self.means[0], np.asarray(second, np.float64) - self.means[1]
        difference = x @ self.variates[0] - y @ self.variates[1]
        return (difference**2 / np.maximum(self.variance, 1e-9)).sum(axis=1)


def find_no_change(first: np.ndarray, second: np.ndarray) -> NoChange:
    """Find what did not change between two (n, band) images.

    Canonical correlation analysis, weighted with the probabilities of the round before, until the correlations settle.
    The sum of squared, standardised differences of canonical variates is chi-squared with as many degrees of freedom
    as bands when nothing changed (Nielsen 2007, eq. 9 to 12). Works in float64: in float32 correlated bands give
    answers that differ between runs. All ones when the images are equal up to an affine map of the bands.

    Differences between two sensors have heavier tails than a Gaussian. Taken literally the weights then shrink onto an
    ever smaller core, so chi-squared is scaled down until its median is what theory says (never up).
    """
    x, y = np.asarray(first, np.float64), np.asarray(second, np.float64)
    probability = np.ones(len(x))
    before = np.zeros(x.shape[1])
    expected = float(2 * special.gammaincinv(x.shape[1] / 2, 0.5))  # the median of chi-squared
    for _ in range(MAX_ROUNDS):
        means, variates, correlation = _variates(x, y, probability)
        found = NoChange(means, variates, 2 * (1 - correlation), 1.0)
        if found.variance.max() < 1e-9:
            break
        found = NoChange(means, variates, found.variance, max(1.0, float(np.median(found._chi2(x, y))) / expected))
        probability = found(x, y)
        if np.abs(correlation - before).max() < TOLERANCE:
            break
        before = correlation
    return found


def _variates(
    x: np.ndarray, y: np.ndarray, weights: np.ndarray
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Return means, vectors of unit-variance canonical variates of either image, and the canonical correlations."""
    w = weights / weights.sum()
    means = w @ x, w @ y
    x, y = x - means[0], y - means[1]
    xx, yy, xy = (x * w[:, None]).T @ x, (y * w[:, None]).T @ y, (x * w[:, None]).T @ y
    # A trace of the bands' own variance keeps bands that are copies of each other from making this singular.
    lx = linalg.cholesky(xx + RIDGE * np.diag(np.diag(xx) + 1e-12), lower=True)
    ly = linalg.cholesky(yy + RIDGE * np.diag(np.diag(yy) + 1e-12), lower=True)
    whitened = linalg.solve_triangular(lx, linalg.solve_triangular(ly, xy.T, lower=True).T, lower=True)
    u, correlation, vt = linalg.svd(whitened)
    vectors = linalg.solve_triangular(lx.T, u), linalg.solve_triangular(ly.T, vt.T)
    return means, vectors, np.clip(correlation, 0, 1)
