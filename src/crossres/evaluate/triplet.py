"""Improvement, omission and hallucination: what SR added, missed and made up, pixel by pixel.

Source: Aybar et al. 2024 (opensr-test), distance "nd", softmin; written here since the package knows no mask and breaks
on factors that are no integers.
"""

from dataclasses import dataclass

import numpy as np

from crossres.evaluate.strips import each, strips

GAMMA = 0.05
TEMPERATURE = 0.25
PERCENTILE = 75


@dataclass(frozen=True)
class Triplet:
    """Shares that sum to one; a perfect SR has improvement near 1."""

    improvement: float
    omission: float
    hallucination: float
    hallucination_map: np.ndarray
    """(row, column) float32, NaN where the pixel is masked or nothing happens."""
    by_stratum: np.ndarray
    """(stratum, 3) improvement, omission and hallucination within each stratum; NaN where nothing happens."""


class TripletReference:
    """What is the same for every SR image of a scene: LR's distance to HR and the threshold that follows from it."""

    def __init__(self, hr: np.ndarray, lr_up: np.ndarray, clear: np.ndarray, threads: int = 1) -> None:
        """Take HR and the upsampled LR, both (band, row, column) reflectance."""
        self._hr, self._lr_up, self._clear, self._threads = hr, lr_up, clear, threads

        def reference(rows: slice) -> np.ndarray:
            return _distance(*(image[:, rows][:, clear[rows]] for image in (lr_up, hr)))

        self._reference = each(reference, strips(len(clear)), threads)
        self._threshold = np.percentile(np.concatenate(self._reference), PERCENTILE) if clear.any() else 0.0

    def __call__(self, sr: np.ndarray, strata: np.ndarray | None = None, count: int = 1) -> Triplet:
        """Judge SR (band, row, column); `strata` is (row, column) uint8 below `count` where the pixel is clear.

        Only pixels count where one of the three distances passes the 75th percentile of LR's distance to HR. SR is
        taken as it is: the package's own histogram matching and registration, meant for images of unknown origin, are
        left out.
        """
        image = np.full(self._clear.shape, np.nan, np.float32)

        def sums(part: tuple[slice, np.ndarray]) -> np.ndarray:
            rows, reference = part
            clear = self._clear[rows]
            pixels, truth, low = (x[:, rows][:, clear] for x in (sr, self._hr, self._lr_up))
            to_hr, to_lr = _distance(pixels, truth), _distance(pixels, low)
            active = np.maximum(np.maximum(reference, to_hr), to_lr) > self._threshold
            weights = _weights(to_hr[active], to_lr[active], np.maximum(reference[active], 1e-8))
            where = np.flatnonzero(clear)[active]
            image[rows].reshape(-1)[where] = weights[2]
            label = strata[rows].ravel()[where] if strata is not None else np.zeros(len(where), np.uint8)
            counts = [np.bincount(label, w, minlength=count) for w in (None, *weights)]
            return np.stack(counts, axis=1).astype(np.float64)

        total = np.sum(each(sums, zip(strips(len(self._clear)), self._reference), self._threads), axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            improvement, omission, hallucination = total[:, 1:].sum(axis=0) / total[:, 0].sum()
            by_stratum = total[:, 1:] / total[:, :1]
        return Triplet(float(improvement), float(omission), float(hallucination), image, by_stratum)


def triplet(sr: np.ndarray, hr: np.ndarray, lr_up: np.ndarray, clear: np.ndarray) -> Triplet:
    """Judge one SR image against HR and the upsampled LR; all (band, row, column) reflectance."""
    return TripletReference(hr, lr_up, clear)(sr)


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
