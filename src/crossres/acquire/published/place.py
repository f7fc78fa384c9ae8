"""A place of a published set: its LR and HR images, as the set has them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from odc.geo import CRS
from rasterio.transform import Affine

SENTINEL2_L2A = (
    "coastal", "blue", "green", "red", "rededge1", "rededge2", "rededge3", "nir", "nir08", "nir09", "swir16", "swir22",
)  # fmt: skip
"""The 12 bands of a stack of L2A, B1 to B12 without B10."""
RGBN = ("red", "green", "blue", "nir")
UNKNOWN_DAY = datetime(2020, 1, 1, tzinfo=UTC)
"""Stands where a set has no date."""
SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
"""What sets call their splits, and what they are called here."""


@dataclass(frozen=True)
class Picture:
    """One image of a place."""

    file: Path
    """The raster, or the file that it is in."""
    sensor: str
    bands: tuple[str, ...]
    """Common name of each band, in file order."""
    gsd_m: float
    """Pixel size that the set gives it, in metres."""
    time: datetime | None = None
    nodata: float | None = None
    scale: float | None = None
    """Value = scale * number; None tells it by the data type: 16 bits are reflectance * 10,000, floating point is
    reflectance, 8 bits are display values."""
    inside: tuple[int, int] | None = None
    """First byte and length of a GeoTIFF that lies in the file."""
    pixels: Callable[[], np.ndarray] | None = None
    """Reads (band, row, column) from a file that is no raster."""
    grid: tuple[CRS, Affine] | None = None
    """CRS and transform that the set keeps beside an image without georeference."""
    cloud_percent: float | None = None
    assumed: tuple[str, ...] = ()
    """What the set does not say, or what is not physical."""


@dataclass(frozen=True)
class Place:
    """A place: one HR image, and the LR images that it may be paired with."""

    id: str
    lr: tuple[Picture, ...]
    hr: Picture
    split: str | None = None
    """The set's own: train, val or test; None where it has none."""


def day(text: str, form: str) -> datetime | None:
    """Read a time in UTC by a form of `strptime`; None for what is none."""
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC)
    except ValueError:
        return None
