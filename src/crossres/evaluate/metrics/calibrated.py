"""What a std would say of the error if it were calibrated, given that it comes from a handful of samples.

The std of few samples is itself uncertain: where it is largest it is so partly by chance, and the error is smaller.
"""

from dataclasses import dataclass

import numpy as np

BINS = 128
ITERATIONS = 300
LEAST_SHARE = 0.0005
"""Of the smallest stds, which share one bin: their logarithms go on for ever."""


@dataclass(frozen=True)
class Calibrated:
    """What a calibrated ensemble of the same size, whose std is distributed alike, would have."""

    variance: np.ndarray
    """(n,) mean squared error where std is each of its values."""
    rank_correlation: float
    """Spearman's correlation of std with |error|; NaN where std is the same everywhere."""


def calibrated(std: np.ndarray, counts: np.ndarray, degrees_of_freedom: float) -> Calibrated:
    """Return what to expect of (n,) values of std, from small to large, that stand there `counts` times.

    The distribution of the true standard deviation is the most likely one, without a form given to it: std about it is
    sqrt(chi2 / degrees of freedom), as of Gaussian samples. Source: Laird 1978; by the iterations of Richardson 1972
    and Lucy 1974, on a logarithmic grid.
    """
    place, sigma = _bins(std, counts)
    share = np.bincount(place, counts, BINS) / counts.sum()
    known = not np.isfinite(degrees_of_freedom)
    given = np.eye(BINS) if known else _given_std(sigma, share, degrees_of_freedom)
    true = (share[:, None] * given).sum(axis=0)
    # Of two half-normal errors the one of sigma a is the larger with probability 2/pi arctan(a / b).
    rank_of_error = (2 / np.pi * np.arctan(sigma[:, None] / sigma) * true).sum(axis=1)
    rank = np.cumsum(share) - share / 2
    spread = (share * rank**2).sum() - 0.25
    together = (share * rank * (given * rank_of_error).sum(axis=1)).sum() - 0.25
    return Calibrated(
        variance=std**2 if known else (given * sigma**2).sum(axis=1)[place],
        rank_correlation=float(together / np.sqrt(spread / 12)) if spread > 1e-9 else np.nan,
    )


def _bins(std: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the bin of each value, (n,), and the std in the middle of each bin."""
    std = np.maximum(std, std[std > 0].min() / 2)  # 0 is what was rounded to it
    reached = np.cumsum(counts)
    low = std[np.searchsorted(reached, LEAST_SHARE * reached[-1])]
    step = max(np.log(std[-1] / low) / BINS, 1e-6)
    place = np.clip(np.log(np.maximum(std, low) / low) / step, 0, BINS - 1).astype(int)
    return place, low * np.exp(step * (np.arange(BINS) + 0.5))


def _given_std(sigma: np.ndarray, share: np.ndarray, nu: float) -> np.ndarray:
    """Return the probability of each true standard deviation, (std, sigma), where std is in each bin.

    Sums are numpy's own: those of a matrix product differ by the number of threads.
    """
    ratio = sigma[:, None] / sigma
    likelihood = np.exp(nu * np.log(ratio) - nu * (ratio**2 - 1) / 2)
    true = np.full(len(sigma), 1 / len(sigma))
    for _ in range(ITERATIONS):
        joint = likelihood * true
        given = joint / joint.sum(axis=1, keepdims=True)
        true = (share[:, None] * given).sum(axis=0)
    return given
