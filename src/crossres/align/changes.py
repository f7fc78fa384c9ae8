"""Where the land changed between the two acquisitions, as areas rather than single pixels."""

import numpy as np
from scipy import ndimage

MIN_AREA_PX = 4
MIN_CHANGE = 0.02
"""Reflectance by which a band must differ after normalisation: less may be certain, but it is not land cover."""


def suspects(no_change: np.ndarray, threshold: float, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Say which pixels may have changed, from the (row, column) probability of no change (NaN where unknown).

    Those below `threshold` that also differ visibly: `low` and `high` are (band, row, column) reflectance in one
    radiometry.
    """
    differs = np.abs(low - high).max(axis=0) > MIN_CHANGE
    return (np.nan_to_num(no_change, nan=1.0) < threshold) & differs


def changed_areas(suspect: np.ndarray) -> np.ndarray:
    """Return the (row, column) mask of changed areas, from the suspects of the whole scene.

    Lines one pixel wide (an edge that registration left a little off) and specks are dropped, holes are filled.
    """
    areas = ndimage.binary_fill_holes(ndimage.binary_opening(suspect, np.ones((2, 2))))
    labels, count = ndimage.label(areas)
    size = np.bincount(labels.ravel(), minlength=count + 1)
    return areas & (size[labels] > MIN_AREA_PX)
