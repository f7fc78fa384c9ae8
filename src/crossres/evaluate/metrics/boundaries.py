"""Whether boundaries, such as those of fields, can be drawn from an image where HR shows them.

One detector goes over HR and over every image: Gaussian smoothing, the gradient of the band that changes most (in units
of HR's standard deviation), and thinning to the ridge (Canny 1986). HR's boundaries are its ridges among the tenth of
its pixels with the strongest gradient. Of any other image all thresholds are tried and the one with the highest F-score
counts, as in the Berkeley benchmark (Martin et al. 2004): what an image lacks in contrast alone is not held against it.
A boundary pixel is found when one of the other image lies within the tolerance; there is no one-to-one assignment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import dask.array as da
import numpy as np
from dask.delayed import Delayed
from scipy.ndimage import binary_dilation, grey_dilation

from crossres.evaluate.metrics.local_indices import SSIM_RADIUS_PX, smoothed, windows_clear
from crossres.evaluate.metrics.metric import Metric, known
from crossres.evaluate.metrics.percentile import added, sought, upper_counts
from crossres.imagery.neighbourhood import Near, per_neighbourhood

TOLERANCES_PX = (1, 2)
STRONGEST = 90
"""Percentile of HR's gradient above which its ridges are boundaries."""
RIDGE_PX = SSIM_RADIUS_PX + 2
"""How far a ridge looks: the smoothing, a difference, and the neighbours it is compared with."""
REACH_PX = RIDGE_PX + max(TOLERANCES_PX)
"""How far a match looks."""
STEPS, OCTAVES = 8, 3
"""Thresholds that are tried: so many an octave, so many octaves to either side of HR's own."""
LEVELS = 2 * OCTAVES * STEPS + 1
HERE, COUNTED = 1, 2
"""Bits of HR's map: a boundary of HR; a pixel whose boundaries count."""
AGREEING, MISSED, MADE_UP = 1, 2, 3
"""What a boundary is: the image's, near one of HR; HR's, with none of the image near; the image's, with none of HR."""
DISCS = tuple(np.hypot(*np.mgrid[-r : r + 1, -r : r + 1]) <= r for r in TOLERANCES_PX)


@dataclass(frozen=True)
class Boundaries:
    """How the boundaries of an image lie on HR's, at the tolerances of `TOLERANCES_PX`; NaN where HR has none."""

    f_score: np.ndarray
    """(tolerance,) harmonic mean of the two below, at its best threshold."""
    precision: np.ndarray
    """(tolerance,) share of the image's boundaries that are in HR."""
    recall: np.ndarray
    """(tolerance,) share of HR's boundaries that are in the image."""
    threshold: np.ndarray
    """(tolerance,) of the best, over HR's own."""


def ridges(image: np.ndarray, stds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the strength of the gradient and where it is a ridge, (row, column) float32 and bool.

    `image` is (band, row, column) reflectance, `stds` HR's standard deviation of each band. Within `RIDGE_PX` of the
    border, and of pixels without data, they mean nothing.
    """
    square = np.zeros(image.shape[1:], np.float32)
    down, right = np.zeros_like(square), np.zeros_like(square)
    for band, std in zip(image, stds, strict=True):
        smooth = smoothed(band) / np.float32(max(std, 1e-6))
        dy, dx = np.zeros_like(smooth), np.zeros_like(smooth)
        dy[1:-1], dx[:, 1:-1] = smooth[2:] - smooth[:-2], smooth[:, 2:] - smooth[:, :-2]
        own = dy * dy + dx * dx
        stronger = own > square
        for kept, new in ((square, own), (down, dy), (right, dx)):
            np.copyto(kept, new, where=stronger)
    return np.sqrt(square), _thin(square, down, right)


def _thin(square: np.ndarray, down: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return where the gradient is not below that of either neighbour along it; of two alike one stays."""
    flat, steep = np.float32(np.tan(np.pi / 8)) * np.abs((right, down))
    tilted = (np.abs(down) > flat) & (np.abs(right) > steep)
    falls = (down > 0) == (right > 0)
    along = (np.abs(down) <= flat, np.abs(right) <= steep, tilted & falls, tilted & ~falls)
    ridge = np.zeros(square.shape, bool)
    inner = (slice(1, -1), slice(1, -1))
    here, rows, cols = square[inner], *square.shape
    for chosen, (dr, dc) in zip(along, ((0, 1), (1, 0), (1, 1), (1, -1)), strict=True):
        before, after = (square[1 + s * dr : rows - 1 + s * dr, 1 + s * dc : cols - 1 + s * dc] for s in (-1, 1))
        ridge[inner] |= chosen[inner] & (here > before) & (here >= after)
    return ridge


def strength_parts(hr: da.Array, clear: np.ndarray, stds: np.ndarray) -> list[Delayed]:
    """Return how strong HR's gradient is in each block, for `threshold_of`; HR is 0 where it is not clear."""
    return per_neighbourhood(partial(_strengths, stds=stds), REACH_PX, hr, clear, with_place=True)


def threshold_of(parts: Sequence[np.ndarray]) -> float:
    """Return the gradient from which HR's ridges are boundaries, to 1 % below; infinity where nothing changes."""
    counts = added(parts)
    if not counts.any():
        return np.inf
    upper = sought(counts, STRONGEST).uppers[0]
    found = float(np.uint32(upper << 16).view(np.float32))
    return found if found > 1e-3 else np.inf


def boundary_map(hr: np.ndarray, clear: np.ndarray, stds: np.ndarray, threshold: float) -> np.ndarray:
    """Return HR's boundaries, (row, column) uint8 of the bits `HERE` and `COUNTED`."""
    strength, ridge = ridges(hr, stds)
    here = ridge & (strength >= threshold) & windows_clear(clear, 2 * RIDGE_PX + 1)
    return (here * HERE + windows_clear(clear, 2 * REACH_PX + 1) * COUNTED).astype(np.uint8)


def match_parts(sr: da.Array, hr_map: np.ndarray, stds: np.ndarray, threshold: float) -> list[Delayed]:
    """Return counts over each block of an image, 0 where it is not clear, for `boundaries`."""
    return per_neighbourhood(
        partial(_matched, stds=stds, threshold=threshold), REACH_PX, sr, hr_map, with_place=True
    )  # fmt: skip


def boundaries(parts: Sequence[np.ndarray]) -> Boundaries:
    """Return how good the boundaries are, from the counts of blocks."""
    passed = np.cumsum(np.sum(parts, axis=0)[..., ::-1], axis=-1)[..., ::-1].swapaxes(0, 1)
    (found, true, seen), there = passed[..., 1:], passed[2, :, :1]
    with np.errstate(invalid="ignore", divide="ignore"):
        precision, recall = true / found, seen / there
        score = np.where(true + seen > 0, 2 * precision * recall / (precision + recall), 0 * recall)
    best = np.nan_to_num(score, nan=-1.0).argmax(axis=1)
    at = np.arange(len(TOLERANCES_PX)), best
    precision = np.where(there[:, 0] > 0, np.nan_to_num(precision[at]), np.nan)
    return Boundaries(score[at], precision, recall[at], 2.0 ** (best / STEPS - OCTAVES))


def compared(sr: np.ndarray, hr_map: np.ndarray, stds: np.ndarray, threshold: float) -> np.ndarray:
    """Return which boundaries of an image are HR's at the least tolerance, (row, column) uint8; 0 where there is none.

    `sr` is a part of it, `hr_map` HR's boundaries there. The nearest `REACH_PX` to its border mean nothing.
    """
    strength, ridge = ridges(sr, stds)
    here, own = hr_map & HERE > 0, ridge & (strength >= threshold)
    near_here, near_own = (binary_dilation(lines, DISCS[0]) for lines in (here, own))
    found = np.zeros(own.shape, np.uint8)
    for code, lines in ((MISSED, here & ~near_own), (AGREEING, own & near_here), (MADE_UP, own & ~near_here)):
        found[lines & (hr_map & COUNTED > 0)] = code
    return found


def _strengths(near: Near, hr: np.ndarray, clear: np.ndarray, stds: np.ndarray) -> np.ndarray:
    strength = ridges(hr, stds)[0][near.inner]
    return upper_counts(strength[windows_clear(clear, 2 * REACH_PX + 1)[near.inner]])


def _matched(near: Near, sr: np.ndarray, hr_map: np.ndarray, stds: np.ndarray, threshold: float) -> np.ndarray:
    """Return how many boundary pixels pass how many thresholds, (tolerance, 3, number passed).

    Of the image: all, and those with one of HR nearby. Of HR: by the strongest of the image nearby.
    """
    level = levels(*ridges(sr, stds), threshold)
    here, counted = hr_map & HERE > 0, hr_map & COUNTED > 0
    own = np.zeros_like(counted)
    own[near.inner] = counted[near.inner]

    def counts(chosen: np.ndarray) -> np.ndarray:
        return np.bincount(chosen, minlength=LEVELS + 1)

    return np.array([
        [
            counts(level[own]), counts(level[own & binary_dilation(here, disc)]),
            counts(grey_dilation(level, footprint=disc)[own & here]),
        ]
        for disc in DISCS
    ])  # fmt: skip


def levels(strength: np.ndarray, ridge: np.ndarray, threshold: float) -> np.ndarray:
    """Return how many of the thresholds a ridge passes, (row, column) uint8; 0 where there is none."""
    level = np.zeros(ridge.shape, np.uint8)
    if not np.isfinite(threshold):
        return level
    octaves = np.log2(strength[ridge] / np.float32(threshold)) + OCTAVES
    level[ridge] = np.clip(np.floor(octaves * STEPS) + 1, 0, LEVELS)
    return level


METRICS = (
    Metric[Boundaries](
        key="boundary_f_1px", label="Boundaries within 1 px, F-score", better="higher", digits=3, place=300,
        meaning="field and other boundaries drawn from SR against HR's, at most 1 HR pixel off: harmonic mean of "
        "precision and recall at SR's best threshold",
        value=lambda found: known(found.f_score[0]),
    ),
    Metric[Boundaries](
        key="boundary_f_2px", label="Boundaries within 2 px, F-score", better="higher", digits=3, place=310,
        meaning="the same, at most 2 HR pixels off", value=lambda found: known(found.f_score[1]),
    ),
    Metric[Boundaries](
        key="boundary_precision", label="Boundaries, precision", better="higher", digits=3, place=320,
        meaning="share of SR's boundaries that lie within 1 HR pixel of one of HR's",
        value=lambda found: known(found.precision[0]),
    ),
    Metric[Boundaries](
        key="boundary_recall", label="Boundaries, recall", better="higher", digits=3, place=330,
        meaning="share of HR's boundaries that lie within 1 HR pixel of one of SR's",
        value=lambda found: known(found.recall[0]),
    ),
)  # fmt: skip
