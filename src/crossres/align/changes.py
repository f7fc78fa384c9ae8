"""Where the land changed between the two acquisitions, as areas rather than single pixels."""

import numpy as np
from scipy import ndimage

MIN_AREA_PX = 4
MIN_CHANGE = 0.02
"""Reflectance by which a band must differ after normalisation: less may be certain, but it is not land cover."""


def changed_areas(no_change: np.ndarray, threshold: float, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the (row, column) mask of changed areas, from the probability of no change (NaN where unknown).

    `low` and `high` are (band, row, column) reflectance in one radiometry. Pixels below `threshold` that also differ
    visibly form areas; lines one pixel wide (an edge that registration left a little off) and specks are dropped,
    holes are filled.
    """
    differs = np.abs(low - high).max(axis=0) > MIN_CHANGE
    low_probability = np.nan_to_num(no_change, nan=1.0) < threshold
    areas = ndimage.binary_fill_holes(ndimage.binary_opening(low_probability & differs, np.ones((2, 2))))
    labels, count = ndimage.label(areas)
    size = np.bincount(labels.ravel(), minlength=count + 1)
    return areas & (size[labels] > MIN_AREA_PX)
