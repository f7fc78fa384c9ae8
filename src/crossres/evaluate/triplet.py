"""Improvement, omission and hallucination: what SR added, missed and made up, pixel by pixel.

Source: Aybar et al. 2024 (opensr-test), distance "nd", softmin; written here since the package knows no mask and breaks
on factors that are no integers.
"""

from dataclasses import dataclass

import numpy as np

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


def triplet(sr: np.ndarray, hr: np.ndarray, lr_up: np.ndarray, clear: np.ndarray) -> Triplet:
    """Judge SR against HR and the upsampled LR; all (band, row, column) reflectance.

    Only pixels count where one of the three distances passes the 75th percentile of LR's distance to HR. SR is taken as
    it is: the package's own histogram matching and registration, meant for images of unknown origin, are left out.
    """
    sr_, hr_, lr_ = sr[:, clear], hr[:, clear], lr_up[:, clear]
    reference, to_hr, to_lr = _distance(lr_, hr_), _distance(sr_, hr_), _distance(sr_, lr_)
    threshold = np.percentile(reference, PERCENTILE) if reference.size else 0.0
    active = np.maximum(np.maximum(reference, to_hr), to_lr) > threshold
    image = np.full(clear.shape, np.nan, np.float32)
    if not active.any():
        return Triplet(np.nan, np.nan, np.nan, image)
    reference = np.maximum(reference[active], 1e-8)
    d_im, d_om = to_hr[active] / reference, to_lr[active] / reference
    tension = np.exp(-GAMMA * (d_im + d_om - 1))
    scores = np.stack([d_im + d_om * (1 - tension), d_om + d_im * (1 - tension), np.exp(-GAMMA * d_im * d_om)])
    weights = np.exp(-(scores - scores.min(axis=0)) / TEMPERATURE)
    weights /= weights.sum(axis=0)
    rows, cols = np.nonzero(clear)
    image[rows[active], cols[active]] = weights[2]
    improvement, omission, hallucination = (float(w.mean(dtype=np.float64)) for w in weights)
    return Triplet(improvement, omission, hallucination, image)


def _distance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the normalised difference |x - y| / |x + y|, mean over bands, (pixel,)."""
    return np.mean(np.abs(x - y) / (np.abs(x + y) + 1e-8), axis=0)
