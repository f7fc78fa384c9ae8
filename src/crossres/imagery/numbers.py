"""The numbers that scenes are kept in: uint16, r = DN * 1e-4 - 0.1, DN 0 is nodata; and the codes of masks.

That is Sentinel-2's own convention since baseline 04.00, so that dark pixels keep their noise below zero.
"""

from enum import IntEnum

import numpy as np

SCALE = 1e-4
OFFSET = -0.1
NODATA = 0


class Mask(IntEnum):
    """Codes of a scene's mask raster (uint8); only CLEAR pixels count."""

    CLEAR = 0
    NODATA = 1
    CLOUD = 2
    SHADOW = 3
    CHANGED = 4
    SNOW = 5
    OTHER_SPLIT = 6
    """Ground that is not held out, in a scene of which a part is."""


def to_dn(reflectance: np.ndarray) -> np.ndarray:
    """Return float reflectance, NaN where there is none, as the uint16 numbers that scenes are kept in."""
    dn = np.rint((reflectance - OFFSET) / SCALE)
    return np.where(np.isfinite(reflectance), np.clip(dn, 1, 65535), NODATA).astype(np.uint16)


def to_reflectance(dn: np.ndarray) -> np.ndarray:
    """Return uint16 numbers of a scene as float32 reflectance, NaN where there is none."""
    return np.where(dn == NODATA, np.float32(np.nan), dn * np.float32(SCALE) + np.float32(OFFSET))
