"""Pixels of one layer, wherever on the map they are asked for."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from rasterio import DatasetReader
from rasterio.crs import CRS
from rasterio.warp import transform_bounds
from rio_tiler.errors import PointOutsideBounds
from rio_tiler.reader import part, point
from rio_tiler.utils import non_alpha_indexes

from crossres.imagery.numbers import SUPPORT
from crossres.imagery.raster import open_raster
from crossres.view.places import Layer

Bounds = tuple[float, float, float, float]
"""Left, bottom, right, top."""
KEPT_OPEN = 32
"""Files that a thread has open, whose blocks GDAL then still has."""

_local = threading.local()


@dataclass(frozen=True)
class OpenLayer:
    """A layer with what its file says of itself; any thread may read it."""

    layer: Layer
    path: str
    """The file or, where it lacks overviews, a raster that refers to it and has them."""
    bands: tuple[str, ...]
    indices: tuple[int, ...]
    """Of the bands in the file, counted from 1."""
    crs: CRS
    bounds: Bounds
    resolution: float
    """Side of a pixel in units of `crs`."""

    @classmethod
    def of(cls, layer: Layer, path: str) -> "OpenLayer":
        """Open a layer, of which `path` has the pixels; `UserError` where it is no raster or has no CRS."""
        with open_raster(path) as src:
            indices = non_alpha_indexes(src)
            bands = tuple(src.descriptions[i - 1] or f"band {i}" for i in indices)
            return cls(layer, path, bands, tuple(indices), src.crs, tuple(src.bounds), abs(src.transform.a))

    def bounds_in(self, crs: CRS) -> Bounds:
        """Return what the layer covers, in another CRS."""
        return self.bounds if crs == self.crs else transform_bounds(self.crs, crs, *self.bounds)

    def read(self, bounds: Bounds, crs: CRS, shape: tuple[int, int], bands: Sequence[int]) -> np.ndarray:
        """Return (band, row, column) float32 of a window in any CRS, NaN where there is no data.

        `bands` are places in `self.bands`. Pixels stay what they are where they are enlarged, and are averaged where
        they are made smaller. Values are those that scale and offset of the file make.
        """
        smaller = crs == self.crs and (bounds[2] - bounds[0]) / shape[1] > 1.01 * self.resolution
        found = part(
            _opened(self.path), bounds, *shape, dst_crs=crs, indexes=[self.indices[i] for i in bands], unscale=True,
            resampling_method="average" if smaller else "nearest",
        ).array  # fmt: skip
        return found.filled(np.nan)

    def at(self, x: float, y: float, crs: CRS) -> list[float | None]:
        """Return the value of each band at a point; None where there is none."""
        try:
            found = point(_opened(self.path), (x, y), indexes=list(self.indices), coord_crs=crs, unscale=True).array
        except PointOutsideBounds:
            return [None] * len(self.bands)
        return [None if not np.isfinite(value) else round(float(value), 6) for value in np.ma.filled(found, np.nan)]

    @property
    def doubt_bands(self) -> list[int]:
        """Places of the bands whose mean is the doubt: what is drawn or, of a std, all of them."""
        return [self.bands.index("drawn")] if self.bands == SUPPORT else list(range(len(self.bands)))


def _opened(path: str) -> DatasetReader:
    """Return a raster as this thread has it open: GDAL's datasets cannot be shared."""
    if not hasattr(_local, "open"):
        _local.open = lru_cache(KEPT_OPEN)(open_raster)
    return _local.open(path)
