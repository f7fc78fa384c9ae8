"""Whether the std of a mean of samples says how wrong it is, whatever the number of samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import dask.array as da
import numpy as np
from dask.delayed import Delayed
from scipy.special import stdtrit  # scipy.stats takes most of a second to load

from crossres.evaluate.metrics.aligned_pair import Arm
from crossres.evaluate.metrics.calibrated import calibrated
from crossres.evaluate.metrics.percentile import added
from crossres.evaluate.metrics.pixels import chosen
from crossres.evaluate.metrics.ranked import picked_pixels, picked_within, ranks, worst_told
from crossres.evaluate.metrics.support import Support
from crossres.imagery.neighbourhood import Near, per_neighbourhood
from crossres.records import Array, Number

BINS = 12
COVERAGES = (0.5, 0.683, 0.8, 0.9, 0.954)
STRIP_ROWS = 128
"""Rows that are gone through at a time, so that what is made of them stays in the processor's cache."""


@dataclass(frozen=True)
class Calibration:
    """Predicted std against real error over pixels and bands; reflectance throughout."""

    std: Array
    """(bin,) root mean square of the predicted std, bins of equal count from sure to unsure."""
    promised: Array
    """(bin,) the error that a calibrated ensemble of this size has there: `std` without what is chance in it."""
    error: Array
    """(bin,) root mean square error of the mean image in each bin; equal to `promised` when calibrated."""
    expected_error: Number
    """Expected calibration error: mean over bins of |error - promised|. Source: Laves et al. 2020 (UCE)."""
    sharpness: Number
    """Root mean square of the predicted std: smaller is more informative, if calibrated."""
    ratio: Number
    """sharpness / RMSE: 1 is honest, below 1 over-confident."""
    rank_correlation: Number
    """Spearman's correlation of std with |error|: whether std points at the pixels that are wrong."""
    calibrated_rank: Number
    """What that would be of a calibrated ensemble of this size: few samples rank badly by chance."""
    roc_area: Number
    """Area under ROC of std for the quarter of pixels with the largest error of one sample, bands together."""
    coverage: dict[str, Number]
    """Nominal share of a Student's t interval -> share of pixels whose HR value is within it."""
    degrees_of_freedom: float | None
    """Of std and of that interval; None where they are infinite: the interval is Gaussian then."""
    support: Support | None = None
    """Of the same samples; None where nothing is said of it."""

    @property
    def inside(self) -> float:
        """Share of pixels whose HR value is within the interval that should hold 68.3 % of them."""
        return self.coverage["0.683"]

    @property
    def misjudged(self) -> Literal["over-confident", "over-cautious"] | None:
        """Say in a word what `ratio` means; None where it is about 1."""
        return "over-confident" if self.ratio < 0.9 else "over-cautious" if self.ratio > 1.1 else None

    @property
    def tone(self) -> str:
        """Say in words what `ratio` and `inside` mean together."""
        close = abs(self.inside - 0.683) < 0.05
        return self.misjudged or ("calibrated" if close else "right on average, not at each pixel")


@dataclass(frozen=True)
class Tally:
    """What a block says of std and error."""

    by_number: np.ndarray
    """(2, n): how many values of each number of std, and the sum of their squared errors."""
    covered: np.ndarray
    """(coverage,) values within each interval."""
    ranked: np.ndarray
    """(3, band, picked): std, absolute error of the mean, absolute error of one sample."""


def calibration_parts(arm: Arm, hr: da.Array, clear: np.ndarray) -> list[Delayed]:
    """Return a `Tally` of each block, for `calibration`; `hr` is (band, row, column), `clear` (row, column)."""
    widths = stdtrit(arm.ensemble.degrees_of_freedom, 0.5 + np.array(COVERAGES) / 2)
    tally = partial(_tally, values=arm.std_values, widths=widths, picked=picked_pixels(clear))
    return per_neighbourhood(tally, 0, arm.std, arm.mean, arm.one, hr, clear, with_place=True)


def calibration(parts: Sequence[Tally], arm: Arm, support: Support | None = None) -> Calibration | None:
    """Judge a predicted std against |mean - HR|; None for an arm without spread (one sample).

    Pixels of equal std that a bin's edge divides are shared out by their mean: their order in the image says nothing.
    """
    counts, squares = added([part.by_number for part in parts])
    there = np.flatnonzero(counts)
    counts, squares, known = counts[there], squares[there], arm.std_values[there].astype(np.float64)
    if not known.any():
        return None
    # By std: values that stand for the same, or run downwards, are brought in order first.
    order = np.argsort(known, kind="stable")
    counts, squares, known = counts[order], squares[order], known[order]
    nu, size = arm.ensemble.degrees_of_freedom, int(counts.sum())
    ideal = calibrated(known, counts, nu)
    edges = np.linspace(0, size, min(BINS, size) + 1).astype(int)
    reached, *totals = (
        np.concatenate([[0], np.cumsum(x)]) for x in (counts, counts * known**2, counts * ideal.variance, squares)
    )
    std, promised, error = (np.sqrt(np.diff(np.interp(edges, reached, x)) / np.diff(edges)) for x in totals)
    ranked_std, ranked_error, of_sample = np.concatenate([part.ranked for part in parts], axis=-1)
    sharpness, rmse = (float(np.sqrt(x[-1] / size)) for x in (totals[0], totals[2]))
    covered = np.sum([part.covered for part in parts], axis=0)
    return Calibration(
        std=std, promised=promised, error=error, expected_error=float(np.abs(error - promised).mean()),
        sharpness=sharpness, ratio=sharpness / rmse if rmse else np.inf,
        rank_correlation=_correlation(*(ranks(of.ravel()) for of in (ranked_std, ranked_error))),
        calibrated_rank=ideal.rank_correlation,
        roc_area=worst_told(*(np.sqrt(np.square(of).mean(axis=0)) for of in (ranked_std, of_sample))),
        coverage={str(c): float(n / size) for c, n in zip(COVERAGES, covered)},
        degrees_of_freedom=float(nu) if np.isfinite(nu) else None, support=support,
    )  # fmt: skip


def _tally(
    near: Near, std: np.ndarray, mean: np.ndarray, sample: np.ndarray, hr: np.ndarray, clear: np.ndarray,
    values: np.ndarray, widths: np.ndarray, picked: np.ndarray,
) -> Tally:  # fmt: skip
    by_number, covered = np.zeros((2, 0)), np.zeros(len(COVERAGES), np.int64)
    for top in range(0, len(clear), STRIP_ROWS):
        rows = slice(top, top + STRIP_ROWS)
        inside = clear[rows]
        if not inside.any():
            continue
        number = chosen(std[:, rows], inside).ravel()
        error = np.abs(chosen(mean[:, rows], inside) - chosen(hr[:, rows], inside)).ravel().astype(np.float64)
        by_number = added([by_number, np.stack([np.bincount(number), np.bincount(number, error**2)])])
        s = values[number].astype(np.float64)
        covered += [np.count_nonzero(error <= width * s) for width in widths]
    at = (slice(None), *picked_within(near, picked))
    ranked = [values[std[at]], *(np.abs(image[at] - hr[at]) for image in (mean, sample))]
    return Tally(by_number, covered, np.array(ranked, np.float64))


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else float("nan")
