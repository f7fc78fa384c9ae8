"""Whether the spread of samples says how wrong their mean is."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import dask.array as da
import numpy as np
import pandas as pd
from dask.delayed import Delayed
from scipy.special import ndtri  # scipy.stats takes most of a second to load

from crossres.evaluate.metrics.percentile import added
from crossres.evaluate.metrics.pixels import chosen
from crossres.imagery.neighbourhood import Near, per_neighbourhood
from crossres.records import Array, Number

BINS = 12
COVERAGES = (0.5, 0.683, 0.8, 0.9, 0.954)
HALF_WIDTHS = [float(ndtri(0.5 + c / 2)) for c in COVERAGES]
RANKED_PIXELS = 200_000
STRIP_ROWS = 128
"""Rows that are gone through at a time, so that what is made of them stays in the processor's cache."""


@dataclass(frozen=True)
class Calibration:
    """Predicted std against real error over pixels and bands; reflectance throughout."""

    std: Array
    """(bin,) root mean square of the predicted std, bins of equal count from sure to unsure."""
    error: Array
    """(bin,) root mean square error of the mean image in each bin; equal to `std` when calibrated."""
    expected_error: Number
    """Expected calibration error: mean over bins of |error - std|. Source: Laves et al. 2020 (UCE)."""
    sharpness: Number
    """Root mean square of the predicted std: smaller is more informative, if calibrated."""
    ratio: Number
    """sharpness / RMSE: 1 is honest, below 1 over-confident."""
    rank_correlation: Number
    """Spearman's correlation of std with |error|: whether std points at the pixels that are wrong."""
    coverage: dict[str, Number]
    """Nominal share of a Gaussian interval -> share of pixels whose HR value is within it."""

    @property
    def within_one_std(self) -> float:
        """Share of pixels whose HR value is within ± 1 std; 0.683 is right for Gaussian errors."""
        return self.coverage["0.683"]

    @property
    def tone(self) -> str:
        """Say in words what `ratio` means."""
        return "over-confident" if self.ratio < 0.9 else "over-cautious" if self.ratio > 1.1 else "honest on average"


@dataclass(frozen=True)
class Tally:
    """What a block says of std and error."""

    by_number: np.ndarray
    """(2, n): how many values of each number of std, and the sum of their squared errors."""
    covered: np.ndarray
    """(coverage,) values within each interval."""
    ranked: np.ndarray
    """(3, picked): place among the picked values, std, absolute error."""


def calibration_parts(
    mean: da.Array, std: da.Array, values: np.ndarray, hr: da.Array, clear: np.ndarray
) -> list[Delayed]:
    """Return a `Tally` of each block, for `calibration`.

    `std` are whole numbers (band, row, column), `values` the reflectance that each of them stands for.
    """
    picked = _picked(clear, len(hr))
    return per_neighbourhood(
        partial(_tally, values=values, picked=picked), 0, std, mean, hr, clear, with_place=True
    )  # fmt: skip


def calibration(parts: Sequence[Tally], values: np.ndarray) -> Calibration | None:
    """Judge a predicted std against |mean - HR|; None for an arm without spread (one sample).

    Pixels of equal std that a bin's edge divides are shared out by their mean: their order in the image says nothing.
    """
    counts, squares = added([part.by_number for part in parts])
    size = int(counts.sum())
    known = values[: len(counts)].astype(np.float64)
    if not size or not known[counts > 0].any():
        return None
    # By std: values that stand for the same, or run downwards, are brought in order first.
    order = np.argsort(known, kind="stable")
    counts, squares, known = counts[order], squares[order], known[order]
    edges = np.linspace(0, size, min(BINS, size) + 1).astype(int)
    reached, variance, error = (
        np.concatenate([[0], np.cumsum(x)]) for x in (counts, counts * known**2, squares)
    )  # fmt: skip
    there = np.concatenate([[True], counts > 0])
    std_bin, error_bin = (
        np.sqrt(np.diff(np.interp(edges, reached[there], total[there])) / np.diff(edges)) for total in (variance, error)
    )
    ranked = np.concatenate([part.ranked for part in parts], axis=1)
    _, ranked_std, ranked_error = ranked[:, np.argsort(ranked[0])]
    sharpness, rmse = float(np.sqrt(variance[-1] / size)), float(np.sqrt(error[-1] / size))
    covered = np.sum([part.covered for part in parts], axis=0)
    return Calibration(
        std=std_bin, error=error_bin, expected_error=float(np.abs(error_bin - std_bin).mean()), sharpness=sharpness,
        ratio=sharpness / rmse if rmse else np.inf,
        rank_correlation=_correlation(*(pd.Series(of).rank().to_numpy() for of in (ranked_std, ranked_error))),
        coverage={str(c): float(n / size) for c, n in zip(COVERAGES, covered)},
    )  # fmt: skip


def _tally(
    near: Near, std: np.ndarray, mean: np.ndarray, hr: np.ndarray, clear: np.ndarray, values: np.ndarray,
    picked: tuple[np.ndarray, ...],
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
        covered += [np.count_nonzero(error <= width * s) for width in HALF_WIDTHS]
    place, band, row, col = picked
    rows, cols = near.own
    here = (row >= rows.start) & (row < rows.stop) & (col >= cols.start) & (col < cols.stop)
    at = band[here], row[here] - rows.start, col[here] - cols.start
    return Tally(by_number, covered, np.array([place[here], values[std[at]], np.abs(mean[at] - hr[at])], np.float64))


def _picked(clear: np.ndarray, bands: int) -> tuple[np.ndarray, ...]:
    """Return place, band, row and column of the values that are ranked: of all, band after band, at equal steps."""
    by_row = np.cumsum(np.count_nonzero(clear, axis=1))
    pixels = int(by_row[-1])
    place = np.arange(0, bands * pixels, max(1, bands * pixels // RANKED_PIXELS))
    band, pixel = np.divmod(place, max(pixels, 1))
    row = np.searchsorted(by_row, pixel, "right")
    col = np.empty_like(row)
    for line in np.unique(row):
        of = row == line
        before = by_row[line - 1] if line else 0
        col[of] = np.flatnonzero(clear[line])[pixel[of] - before]
    return place, band, row, col


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else float("nan")
