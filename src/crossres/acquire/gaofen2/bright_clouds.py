"""A first cloud mask of an image without thermal or cirrus bands: what is bright, white and large."""

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter

BRIGHT = 0.25
"""Least top-of-atmosphere reflectance of a cloud in blue, green and red."""
WHITE = 0.3
"""Most that a cloud's visible bands differ by, relative to their mean."""
OPENING_PX = 21
"""Side of what a cloud must be larger than, in pixels of 3.2 m (67 m): roofs, roads and most greenhouses are not."""
MARGIN_PX = 10
"""How far a cloud's thin edge reaches beyond what is bright, in pixels of 3.2 m."""


def is_bright(top: np.ndarray, saturated: np.ndarray) -> np.ndarray:
    """Return where a pixel could be cloud, (row, column), from (blue, green, red, nir) top-of-atmosphere reflectance.

    `saturated` is true where a band has its largest number: it then may be as bright and as white as it likes. Fresh
    snow, salt and fields of white plastic pass for cloud; thin and shaded cloud does not.
    """
    visible = top[:3]
    with np.errstate(invalid="ignore"):
        bright = ((visible > BRIGHT) | saturated[:3]).all(axis=0) & (top[3] > 0.8 * BRIGHT)
        white = np.ptp(visible, axis=0) < WHITE * visible.mean(axis=0)
    return bright & (white | saturated[:3].any(axis=0))


def cloud_mask(bright: np.ndarray) -> np.ndarray:
    """Return the clouds of a scene, (row, column) bool: bright places that are large, and a margin around them."""
    opened = maximum_filter(minimum_filter(bright, OPENING_PX), OPENING_PX)
    return maximum_filter(opened, 2 * MARGIN_PX + 1)
