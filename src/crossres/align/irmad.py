"""Invariant pixels of two images by iteratively reweighted multivariate alteration detection (IR-MAD).

Nielsen, IEEE Transactions on Image Processing 16(2), 2007; Canty and Nielsen, Remote Sensing of Environment 112, 2008.
"""

import numpy as np
from scipy import linalg, stats

MAX_ROUNDS = 60
TOLERANCE = 1e-4
RIDGE = 1e-10


def no_change_probability(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the (n,) probability that each of n pixels did not change between two (n, band) images.

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
    expected = stats.chi2.median(df=x.shape[1])
    for _ in range(MAX_ROUNDS):
        difference, correlation = _variates(x, y, probability)
        variance = 2 * (1 - correlation)
        if variance.max() < 1e-9:
            return np.ones(len(x))
        chi2 = (difference**2 / np.maximum(variance, 1e-9)).sum(axis=1)
        chi2 /= max(1.0, np.median(chi2) / expected)
        probability = stats.chi2.sf(chi2, df=x.shape[1])
        if np.abs(correlation - before).max() < TOLERANCE:
            break
        before = correlation
    return probability


def _variates(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (n, band) differences of unit-variance canonical variates, and the canonical correlations (band,)."""
    w = weights / weights.sum()
    x, y = x - w @ x, y - w @ y
    xx, yy, xy = (x * w[:, None]).T @ x, (y * w[:, None]).T @ y, (x * w[:, None]).T @ y
    # A trace of the bands' own variance keeps bands that are copies of each other from making this singular.
    lx = linalg.cholesky(xx + RIDGE * np.diag(np.diag(xx) + 1e-12), lower=True)
    ly = linalg.cholesky(yy + RIDGE * np.diag(np.diag(yy) + 1e-12), lower=True)
    whitened = linalg.solve_triangular(lx, linalg.solve_triangular(ly, xy.T, lower=True).T, lower=True)
    u, correlation, vt = linalg.svd(whitened)
    a, b = linalg.solve_triangular(lx.T, u), linalg.solve_triangular(ly.T, vt.T)
    return x @ a - y @ b, np.clip(correlation, 0, 1)
