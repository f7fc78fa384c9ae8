"""How well a patch's two images agree, and how much of it counts."""

from fractions import Fraction

import numpy as np


def area_weights(lr_px: int, factor: Fraction) -> np.ndarray:
    """Return the (lr_px, lr_px * factor) share of each fine pixel in each LR pixel along one axis; rows sum to 1."""
    fine = int(lr_px * factor)
    edges = np.arange(fine + 1) / float(factor)
    start, end = edges[:-1], edges[1:]
    lr = np.arange(lr_px)[:, None]
    overlap = np.minimum(end, lr + 1) - np.maximum(start, lr)
    return np.clip(overlap, 0, None)


def to_lr(hr: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the area mean over LR pixels of a square (band, row, column) fine image."""
    return weights @ hr @ weights.T


def correlation(lr: np.ndarray, hr_on_lr: np.ndarray, clear: np.ndarray) -> float:
    """Return the mean over bands of the correlation of two (band, row, column) images over clear pixels.

    A band without contrast counts as 0: nothing can be learnt from it, nor said against it.
    """
    if clear.sum() < 3:
        return 0.0
    x, y = lr[:, clear].astype(np.float64), hr_on_lr[:, clear].astype(np.float64)
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    size = np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    return float(np.where(size > 1e-9, (x * y).sum(axis=1) / np.maximum(size, 1e-9), 0.0).mean())
