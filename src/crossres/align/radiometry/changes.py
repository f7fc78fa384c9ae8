"""Where the land changed between the two acquisitions, as areas rather than single pixels."""

import numpy as np
from scipy import ndimage

MIN_AREA_PX = 4
STRIP_ROWS = 256
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
    result = np.empty_like(areas)
    # Labels take many times the memory of a mask. An area larger than a speck has more pixels than one within as
    # many rows of any of its pixels, so a strip with that margin tells them apart.
    for top in range(0, len(areas), STRIP_ROWS):
        first, stop = max(0, top - MIN_AREA_PX), min(len(areas), top + STRIP_ROWS)
        part = areas[first : stop + MIN_AREA_PX]
        labels, count = ndimage.label(part)
        large = np.bincount(labels.ravel(), minlength=count + 1) > MIN_AREA_PX
        result[top:stop] = (part & large[labels])[top - first : stop - first]
    return result
