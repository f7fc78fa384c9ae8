"""A fine image as means over the areas of LR pixels, at any rational factor."""

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
