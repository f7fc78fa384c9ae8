"""The numbers that rasters are kept in; those of scenes are uint16, r = DN * 1e-4 - 0.1, and DN 0 is nodata.

That is Sentinel-2's own convention since baseline 04.00, so that dark pixels keep their noise below zero.
"""

from dataclasses import dataclass
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


@dataclass(frozen=True)
class Encoding:
    """How a raster keeps its values, the same in all bands: value = number * scale + offset."""

    data_type: str
    """As numpy and STAC call it."""
    nodata: float | None = None
    """The number where there is no value."""
    scale: float | None = None
    """None where nothing is said of it: the numbers are the values."""
    offset: float = 0.0
    unit: str | None = None
    """Of the values, in UCUM; "1" is a ratio."""
    overviews: str = "average"
    """How GDAL makes its overviews: codes have no average."""

    def numbers(self, values: np.ndarray) -> np.ndarray:
        """Return values of any shape, NaN where there are none, as integers of which the first or last is nodata."""
        least, most = np.iinfo(self.data_type).min, np.iinfo(self.data_type).max
        low, high = least + (self.nodata == least), most - (self.nodata == most)
        numbers = np.clip(np.rint((values - self.offset) / (self.scale or 1.0)), low, high)
        return np.where(np.isfinite(values), numbers, self.nodata or 0).astype(self.data_type)


REFLECTANCE_DN = Encoding("uint16", NODATA, SCALE, OFFSET, unit="1")
STD_DN = Encoding("uint16", 65535, SCALE, unit="1")
"""Of the standard deviation of reflectance, which may be 0."""
CODES = Encoding("uint8", overviews="mode")
"""Of masks: `Mask`, or yes and no."""

PARTS = {"mean": REFLECTANCE_DN, "std": STD_DN, "sample": REFLECTANCE_DN}
"""The rasters of a super-resolved scene, `<name>.tif` each, in this order; their bands are the scene's."""
SUPPORT = ("measured", "inferred", "drawn")
"""Bands of its `support.tif`, in the numbers of std: what its detail beyond interpolation rests on."""


def to_dn(reflectance: np.ndarray) -> np.ndarray:
    """Return float reflectance, NaN where there is none, as the uint16 numbers that scenes are kept in."""
    return REFLECTANCE_DN.numbers(reflectance)


def to_reflectance(dn: np.ndarray) -> np.ndarray:
    """Return uint16 numbers of a scene as float32 reflectance, NaN where there is none."""
    return np.where(dn == NODATA, np.float32(np.nan), dn * np.float32(SCALE) + np.float32(OFFSET))
