"""Whether the spread of samples says how wrong their mean is."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, rankdata

from crossres.evaluate.strips import each, strips

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


def calibration(
    mean: np.ndarray, std: np.ndarray, hr: np.ndarray, clear: np.ndarray, threads: int = 1
) -> Calibration | None:
    """Judge a predicted std (band, row, column) against |mean - HR|; None for an arm without spread (one sample).

    Pixels of equal std that a bin's edge divides are shared out by their mean: their order in the image says nothing.
    """
    spread = std[:, clear].ravel()
    size = spread.size
    if not size or not spread.any():
        return None
    edges = np.linspace(0, size, min(BINS, size) + 1).astype(int)
    picked = np.arange(0, size, max(1, size // RANKED_PIXELS))
    ranked_std = spread[picked].astype(np.float64)
    spread.partition(edges[1:-1])
    limits = np.unique(spread[edges[1:-1]])
    del spread
    half_widths = [norm.ppf(0.5 + c / 2) for c in COVERAGES]

    def sums(rows: slice) -> tuple[np.ndarray, np.ndarray]:
        """Return counts and squares by class, (3, class): below a limit, equal to it, above; and pixels covered."""
        inside = clear[rows]
        s = std[:, rows][:, inside].ravel()
        error = np.abs(mean[:, rows][:, inside] - hr[:, rows][:, inside]).ravel().astype(np.float64)
        place = np.searchsorted(limits, s, "left") + np.searchsorted(limits, s, "right")
        s = s.astype(np.float64)
        found = [np.bincount(place, weight, 2 * len(limits) + 1) for weight in (None, s**2, error**2)]
        return np.stack(found), np.array([np.count_nonzero(error <= width * s) for width in half_widths])

    parts = each(sums, strips(len(clear)), threads)
    classes, covered = np.sum([p[0] for p in parts], axis=0), np.sum([p[1] for p in parts], axis=0)
    reached, variance, squares = np.cumsum(np.pad(classes, ((0, 0), (1, 0))), axis=1)
    std_bin, error_bin = (
        np.sqrt(np.diff(np.interp(edges, reached, total)) / np.diff(edges)) for total in (variance, squares)
    )
    flat = np.flatnonzero(clear)
    band, pixel = picked // len(flat), flat[picked % len(flat)]
    ranked_error = np.abs(mean.reshape(len(hr), -1)[band, pixel] - hr.reshape(len(hr), -1)[band, pixel])
    sharpness, rmse = float(np.sqrt(variance[-1] / size)), float(np.sqrt(squares[-1] / size))
    return Calibration(
        std=std_bin, error=error_bin, expected_error=float(np.abs(error_bin - std_bin).mean()), sharpness=sharpness,
        ratio=sharpness / rmse if rmse else np.inf,
        rank_correlation=_correlation(rankdata(ranked_std), rankdata(ranked_error)),
        coverage={str(c): float(n / size) for c, n in zip(COVERAGES, covered)},
    )  # fmt: skip


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else float("nan")
