"""Which residuals are outliers: content that changed, or a wrong match."""

import numpy as np

from crossres.align.warping.displacement import TUKEY, robust_scale

MIN_OUTLIER_PX = 0.15
"""Residuals this small are never outliers: a window's match scatters as much by itself."""

REJECTIONS = 3


def outlier_limit(length: np.ndarray, cap_px: float) -> float:
    """Return the length in LR pixels beyond which a residual is an outlier, at most `cap_px`.

    It is where the biweight of a fit would give a point no weight.
    """
    return min(max(TUKEY * robust_scale(length), MIN_OUTLIER_PX), cap_px)


def near(length: np.ndarray, among: np.ndarray, cap_px: float) -> np.ndarray:
    """Say which of the residuals `among` (n,), of `length` (n,) LR pixels, are no outliers: at most `cap_px` long."""
    found = among
    for _ in range(REJECTIONS):
        if not found.any():
            break
        found = among & (length <= outlier_limit(length[found], cap_px))
    return found
