"""The heights that orthorectification uses: a DEM, or one height for all."""

from dataclasses import dataclass

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox
from pyproj import CRS
from rasterio.rpc import RPC
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from crossres.acquire.regions import LON_LAT, reproject
from crossres.errors import UserError
from crossres.grids import whole_window
from crossres.rasters import open_raster
from crossres.settings.acquire import AcquireSettings


@dataclass(frozen=True)
class Terrain:
    """Ellipsoidal heights in metres."""

    dem: str | None
    """Elevation raster; None where one height holds everywhere."""
    height_m: float
    """That height; with a DEM, what is added to it (the undulation of the geoid)."""
    lowest_m: float
    highest_m: float
    note: str

    def gdal_options(self) -> dict[str, str]:
        """Return the options of GDAL's RPC transformer.

        RPC_HEIGHT is added to the DEM. A DEM's own vertical datum is ignored: PROJ's geoid grids are not installed with
        Python wheels, and GDAL would shift by nothing without a word.
        """
        if self.dem is None:
            return {"RPC_HEIGHT": repr(self.height_m)}
        return {
            "RPC_DEM": self.dem,
            "RPC_DEMINTERPOLATION": "cubic",
            "RPC_DEM_APPLY_VDATUM_SHIFT": "NO",
            "RPC_HEIGHT": repr(self.height_m),
        }


def terrain_for(settings: AcquireSettings, dem: str | None, rpc: RPC, region: BaseGeometry) -> Terrain:
    """Return the heights over a region (in degrees) as the settings say.

    Without DEM and height, the height that `rpc` is centred on; PAN and MSS must share one, although their RPCs are
    centred on different heights. Raises `UserError` when the DEM does not cover the region.
    """
    if dem is None:
        height = float(rpc.height_off if settings.height_m is None else settings.height_m)
        return Terrain(None, height, height, height, f"constant height {height:.1f} m")
    added = settings.geoid_undulation_m if settings.dem_heights == "orthometric" else 0.0
    with open_raster(dem) as src:
        here = reproject(region, LON_LAT, CRS.from_wkt(src.crs.to_wkt()).to_2d())
        if not box(*src.bounds).contains(here):
            raise UserError(f"{dem}: the DEM does not cover the whole region to orthorectify; use a larger one")
        heights = _heights(src, here)
    if heights.count() == 0:
        raise UserError(f"{dem}: the DEM has no valid height in the region to orthorectify")
    lowest, highest = float(heights.min()) + added, float(heights.max()) + added
    return Terrain(dem, added, lowest, highest, f"DEM, {settings.dem_heights} heights {added:+.1f} m")


def _heights(src: rasterio.DatasetReader, region: BaseGeometry) -> np.ma.MaskedArray:
    window = whole_window(GeoBox(src.shape, src.transform, src.crs.to_wkt()), region)
    if window is None:
        return np.ma.masked_all((1, 1))
    size = (min(1024, int(window.height)), min(1024, int(window.width)))
    return np.ma.masked_invalid(src.read(1, window=window, out_shape=size, masked=True))
