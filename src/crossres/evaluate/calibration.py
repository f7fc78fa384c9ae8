"""Whether the spread of samples says how wrong their mean is."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, rankdata

BINS = 12
COVERAGES = (0.5, 0.683, 0.8, 0.9, 0.954)
RANKED_PIXELS = 200_000


@dataclass(frozen=True)
class Calibration:
    """Predicted std against real error over pixels and bands; reflectance throughout."""

    std: np.ndarray
    """(bin,) root mean square of the predicted std, bins of equal count from sure to unsure."""
    error: np.ndarray
    """(bin,) root mean square error of the mean image in each bin; equal to `std` when calibrated."""
    expected_error: float
    """Expected calibration error: mean over bins of |error - std|. Source: Laves et al. 2020 (UCE)."""
    sharpness: float
    """Root mean square of the predicted std: smaller is more informative, if calibrated."""
    ratio: float
    """sharpness / RMSE: 1 is honest, below 1 over-confident."""
    rank_correlation: float
    """Spearman's correlation of std with |error|: whether std points at the pixels that are wrong."""
    coverage: dict[str, float]
    """Nominal share of a Gaussian interval -> share of pixels whose HR value is within it."""


def calibration(mean: np.ndarray, std: np.ndarray, hr: np.ndarray, clear: np.ndarray) -> Calibration | None:
    """Judge a predicted std (band, row, column) against |mean - HR|; None for an arm without spread (one sample)."""
    spread = std[:, clear].ravel().astype(np.float64)
    error = np.abs(mean[:, clear] - hr[:, clear]).ravel().astype(np.float64)
    if not spread.size or not spread.any():
        return None
    order = np.argsort(spread, kind="stable")
    edges = np.linspace(0, len(order), min(BINS, len(order)) + 1).astype(int)
    groups = [order[a:b] for a, b in zip(edges, edges[1:])]
    std_bin = np.array([_rms(spread[g]) for g in groups])
    error_bin = np.array([_rms(error[g]) for g in groups])
    step = max(1, len(spread) // RANKED_PIXELS)
    coverage = {str(c): float(np.mean(error <= norm.ppf(0.5 + c / 2) * spread)) for c in COVERAGES}
    return Calibration(
        std=std_bin,
        error=error_bin,
        expected_error=float(np.abs(error_bin - std_bin).mean()),
        sharpness=_rms(spread),
        ratio=_rms(spread) / _rms(error) if error.any() else np.inf,
        rank_correlation=_correlation(rankdata(spread[::step]), rankdata(error[::step])),
        coverage=coverage,
    )


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else float("nan")
