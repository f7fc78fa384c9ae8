"""Improvement, omission and hallucination: what SR added, missed and made up, pixel by pixel.

Source: Aybar et al. 2024 (opensr-test), distance "nd", softmin; written here since the package knows no mask and breaks
on factors that are not whole numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import dask.array as da
import numpy as np
from dask.delayed import Delayed

from crossres.evaluate.metrics.metric import Metric
from crossres.evaluate.metrics.percentile import Sought, lower_counts, upper_counts
from crossres.evaluate.metrics.pixels import chosen
from crossres.imagery.neighbourhood import per_neighbourhood

GAMMA = 0.05
TEMPERATURE = 0.25
PERCENTILE = 75
STRIP_ROWS = 128
"""Rows that are gone through at a time, so that what is made of them stays in the processor's cache."""


@dataclass(frozen=True)
class Triplet:
    """Shares that sum to one; a perfect SR has improvement near 1."""

    improvement: float
    omission: float
    hallucination: float
    by_stratum: np.ndarray
    """(stratum, 3) improvement, omission and hallucination within each stratum; NaN where nothing happens."""

    def of(self, stratum: int) -> "Triplet":
        """Return one stratum alone."""
        improvement, omission, hallucination = self.by_stratum[stratum]
        return Triplet(improvement, omission, hallucination, self.by_stratum[stratum : stratum + 1])


def reference_parts(hr: da.Array, lr_up: da.Array, clear: np.ndarray) -> list[Delayed]:
    """Return `percentile.upper_counts` of LR's distance to HR over clear pixels, for each block.

    Images are (band, row, column) reflectance, LR brought to the HR grid.
    """
    return per_neighbourhood(_upper, 0, hr, lr_up, clear)


def closer_parts(hr: da.Array, lr_up: da.Array, clear: np.ndarray, what: Sought) -> list[Delayed]:
    """Return `percentile.lower_counts` of the same."""
    return per_neighbourhood(partial(_lower, what=what), 0, hr, lr_up, clear)


def triplet_parts(
    sr: da.Array, hr: da.Array, lr_up: da.Array, threshold: float, strata: np.ndarray, count: int
) -> list[Delayed]:
    """Judge each block of SR (band, row, column); `strata` is (row, column) uint8 below `count` where pixels are clear.

    Only pixels count where one of the three distances passes `threshold`, the 75th percentile of LR's distance to HR.
    SR is taken as it is: the package's own histogram matching and registration, meant for images of unknown origin, are
    left out.
    """
    return per_neighbourhood(partial(_sums, threshold=threshold, count=count), 0, sr, hr, lr_up, strata)


def triplet(parts: Sequence[np.ndarray]) -> Triplet:
    """Return the shares that the sums over blocks give."""
    total = np.sum(parts, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        improvement, omission, hallucination = total[:, 1:].sum(axis=0) / total[:, 0].sum()
        by_stratum = total[:, 1:] / total[:, :1]
    return Triplet(float(improvement), float(omission), float(hallucination), by_stratum)


def hallucination_map(
    sr: np.ndarray, hr: np.ndarray, lr_up: np.ndarray, clear: np.ndarray, threshold: float
) -> np.ndarray:
    """Return the share of hallucination at each pixel, (row, column) float32; NaN where masked or nothing happens."""
    found = np.full(clear.shape, np.nan, np.float32)
    for top in range(0, len(clear), STRIP_ROWS):
        rows = slice(top, top + STRIP_ROWS)
        where, weights = _active(sr[:, rows], hr[:, rows], lr_up[:, rows], clear[rows], threshold)
        found[rows].reshape(-1)[where] = weights[2]
    return found


def _upper(hr: np.ndarray, lr_up: np.ndarray, clear: np.ndarray) -> np.ndarray:
    return upper_counts(_distance(chosen(lr_up, clear), chosen(hr, clear)))


def _lower(hr: np.ndarray, lr_up: np.ndarray, clear: np.ndarray, what: Sought) -> np.ndarray:
    return lower_counts(_distance(chosen(lr_up, clear), chosen(hr, clear)), what)


def _sums(
    sr: np.ndarray, hr: np.ndarray, lr_up: np.ndarray, strata: np.ndarray, threshold: float, count: int
) -> np.ndarray:
    """Return the number of active pixels and the sums of the three weights, a row for each stratum, (stratum, 4)."""
    total = np.zeros((count, 4))
    for top in range(0, len(strata), STRIP_ROWS):
        rows = slice(top, top + STRIP_ROWS)
        where, weights = _active(sr[:, rows], hr[:, rows], lr_up[:, rows], strata[rows] < count, threshold)
        label = strata[rows].ravel()[where]
        total += np.stack([np.bincount(label, w, minlength=count) for w in (None, *weights)], axis=1)
    return total


def _active(
    sr: np.ndarray, hr: np.ndarray, lr_up: np.ndarray, clear: np.ndarray, threshold: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels where something happens, counted row by row, and their weights, (3, pixel)."""
    pixels, truth, low = (chosen(x, clear) for x in (sr, hr, lr_up))
    reference, to_hr, to_lr = _distance(low, truth), _distance(pixels, truth), _distance(pixels, low)
    active = np.maximum(np.maximum(reference, to_hr), to_lr) > threshold
    weights = _weights(to_hr[active], to_lr[active], np.maximum(reference[active], np.float32(1e-8)))
    return np.flatnonzero(clear)[active], weights


def _weights(to_hr: np.ndarray, to_lr: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return the soft-minimum of improvement's, omission's and hallucination's scores, (3, pixel)."""
    d_im, d_om = to_hr / reference, to_lr / reference
    tension = np.exp(-GAMMA * (d_im + d_om - 1))
    scores = np.stack([d_im + d_om * (1 - tension), d_om + d_im * (1 - tension), np.exp(-GAMMA * d_im * d_om)])
    weights = np.exp(-(scores - scores.min(axis=0)) / TEMPERATURE)
    return weights / weights.sum(axis=0)


def _distance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the normalised difference |x - y| / |x + y|, mean over bands, (pixel,)."""
    total = np.zeros(x.shape[1], x.dtype)
    for a, b in zip(x, y):
        total += np.abs(a - b) / (np.abs(a + b) + 1e-8)
    return total / len(x)


METRICS = (
    Metric[Triplet](
        key="improvement", label="Improvement", better="higher", digits=3, place=170, in_strata=True,
        meaning="share of detail that SR moved towards HR", value=lambda found: found.improvement,
    ),
    Metric[Triplet](
        key="omission", label="Omission", better="lower", digits=3, place=180, in_strata=True,
        meaning="share of detail that HR has and SR lacks", value=lambda found: found.omission,
    ),
    Metric[Triplet](
        key="hallucination", label="Hallucination", better="lower", digits=3, place=190, in_strata=True,
        meaning="share of detail that is in neither LR nor HR: made up", value=lambda found: found.hallucination,
    ),
)  # fmt: skip
