"""Further LR dates of a pair on the grid of its first: measured values, and where on the first's pixels they lie.

One raster holds them, in the numbers of scenes. Each date has the LR bands and then `row` and `col`, named `blue@2` to
`col@2` for the second date, `blue@3` for the third. A value is that of the date's nearest pixel, not interpolated. The
two last say where the ground of its centre lies: 1 + how many LR pixels below and right of the first's pixel centre.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import dask.array as da
import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from crossres.imagery.engine import store
from crossres.imagery.numbers import NODATA, REFLECTANCE_DN, to_dn, to_reflectance
from crossres.imagery.raster import new_cog, open_raster

CHUNK_PX = 512
"""Side of a chunk that is written: of all dates at once."""
OFFSETS = ("row", "col")
ZERO = 1.0
"""What an offset of 0 reads as: numbers of scenes hold no less than -0.1."""


@dataclass(frozen=True)
class LrDate:
    """One further date as it lies on the first."""

    values: np.ndarray
    """(band, row, column) float32 reflectance of the nearest pixels; NaN where it is not clear or has no data."""
    offsets: np.ndarray
    """(2, row, column) float32 rows and columns, in LR pixels, from the first's pixel centre to where it was measured;
    half a pixel at most where the two grids run alike."""


def bands_of_dates(bands: Sequence[str], lr_dates: int) -> tuple[str, ...]:
    """Return the names of the bands of all further dates, given the LR bands and the number of dates, the first too."""
    return tuple(f"{name}@{date}" for date in range(2, lr_dates + 1) for name in (*bands, *OFFSETS))


def dates_in(channels: int, bands: int) -> int:
    """Return how many dates an image of so many channels holds: the `bands` of the first, then those of others."""
    further, rest = divmod(channels - bands, bands + len(OFFSETS))
    if rest or further < 0:
        raise ValueError(f"{channels} channels are not {bands} bands and further dates of {bands} bands")
    return 1 + further


def date_numbers(date: LrDate) -> np.ndarray:
    """Return a date as (band + 2, row, column) uint16 numbers, NODATA in all bands where one has no value."""
    both = np.concatenate([date.values, date.offsets + np.float32(ZERO)])
    both[:, ~np.isfinite(both).all(axis=0)] = np.nan
    return to_dn(both)


def date_of(numbers: np.ndarray) -> LrDate:
    """Return what `date_numbers` was given."""
    both = to_reflectance(numbers)
    return LrDate(both[: -len(OFFSETS)], both[-len(OFFSETS) :] - np.float32(ZERO))


def write_dates(path: Path, grid: GeoBox, bands: Sequence[str], dates: Sequence[LrDate | da.Array | None]) -> None:
    """Write further dates, in order, as a COG; one that is None is NODATA throughout. `grid` is that of the first.

    A date may come as lazy (band + 2, row, column) numbers, as `date_numbers` gives them.
    """
    shape = len(bands) + len(OFFSETS), *grid.shape
    lazy = [_lazy(date, shape) for date in dates]
    with new_cog(path, grid, bands_of_dates(bands, 1 + len(dates)), REFLECTANCE_DN) as dst:
        store([da.concatenate(lazy).rechunk((-1, CHUNK_PX, CHUNK_PX))], [dst], path.name)


def _lazy(date: LrDate | da.Array | None, shape: tuple[int, int, int]) -> da.Array:
    if date is None:
        return da.full(shape, NODATA, np.uint16, chunks=(-1, CHUNK_PX, CHUNK_PX))
    return da.from_array(date_numbers(date), chunks=-1, name=False) if isinstance(date, LrDate) else date


def read_dates(path: Path, bands: int, window: Window | None = None) -> list[LrDate]:
    """Read what `write_dates` wrote, of a window of it; a date without any value is NaN throughout."""
    with open_raster(path) as src:
        numbers = src.read(window=window)
    return [date_of(own) for own in np.split(numbers, dates_in(len(numbers) + bands, bands) - 1)]
