"""For the time of moving: scenes as numpy arrays."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from crossres.errors import UserError
from crossres.imagery.numbers import NODATA, OFFSET, SCALE, to_dn
from crossres.imagery.raster import open_raster, tags_of, write_cog


@dataclass(frozen=True)
class Scene:
    """Reflectance of some bands on one grid."""

    values: np.ndarray
    """(band, row, column) float32 reflectance, NaN where there is none."""
    grid: GeoBox
    bands: tuple[str, ...]
    """Common names: blue, green, red, nir, pan."""
    tags: dict[str, str] = field(default_factory=dict)
    """Acquisition time (`datetime`, ISO 8601 UTC), `sensor` and provenance."""

    def select(self, bands: Sequence[str]) -> "Scene":
        """Return the scene with these bands in this order; `UserError` when one is missing."""
        missing = [b for b in bands if b not in self.bands]
        if missing:
            raise UserError(f"band {missing[0]!r} is not in the scene, which has {', '.join(self.bands)}")
        return Scene(self.values[[self.bands.index(b) for b in bands]], self.grid, tuple(bands), self.tags)


def write_scene(path: Path, scene: Scene) -> None:
    """Write reflectance as a scaled uint16 COG with overviews, whole or not at all."""
    dn = to_dn(scene.values)
    write_cog(path, dn, scene.grid, bands=scene.bands, nodata=NODATA, tags=scene.tags, scale=SCALE, offset=OFFSET)


def read_scene(path: Path, window: Window | None = None) -> Scene:
    """Read a scene written by `write_scene`, or any georeferenced raster with band names, scale and offset."""
    with open_raster(path) as src:
        dn = src.read(window=window, masked=True)
        scale = np.array(src.scales, np.float64)[:, None, None]
        offset = np.array(src.offsets, np.float64)[:, None, None]
        values = (dn.data * scale + offset).astype(np.float32)
        values[np.ma.getmaskarray(dn)] = np.nan
        transform = src.window_transform(window) if window else src.transform
        bands = tuple(name or f"band{i}" for i, name in enumerate(src.descriptions, 1))
        return Scene(values, GeoBox(values.shape[1:], transform, src.crs.to_wkt()), bands, tags_of(src))
