"""The heights that orthorectification uses: a DEM, or one height for all."""

from dataclasses import dataclass
from math import ceil, cos, radians
from pathlib import Path

import numpy as np
import rasterio
from pyproj import CRS
from rasterio.enums import Resampling
from rasterio.rpc import RPC
from rasterio.transform import from_bounds
from rasterio.warp import reproject as warp
from scipy.ndimage import map_coordinates
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from crossres.acquire.regions import LON_LAT, buffered, reproject
from crossres.errors import UserError
from crossres.rasters import open_raster
from crossres.settings.acquire import AcquireSettings

MARGIN_M = 100.0
"""How far around a region heights are kept, where the DEM has them."""
METRES_PER_DEGREE = 111_320.0
LARGEST_SIDE = 8192


@dataclass(frozen=True)
class Terrain:
    """Ellipsoidal heights in metres."""

    dem: Path | None
    """Heights on a grid of degrees; None where one height holds everywhere."""
    lowest_m: float
    highest_m: float
    note: str

    def gdal_options(self) -> dict[str, str]:
        """Return the options of GDAL's RPC transformer."""
        if self.dem is None:
            return {"RPC_HEIGHT": repr(self.lowest_m)}
        return {"RPC_DEM": str(self.dem), "RPC_DEMINTERPOLATION": "bilinear"}

    def height_m(self, lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
        """Return the heights of points (degrees), bilinear; outside of the DEM the nearest."""
        if self.dem is None:
            return np.full(np.shape(lon), self.lowest_m)
        with rasterio.open(self.dem) as src:
            heights = src.read(1)
            col, row = ~src.transform @ (np.asarray(lon), np.asarray(lat))
        filled = np.where(np.isfinite(heights), heights, np.float32(self.lowest_m))
        return map_coordinates(filled, (row - 0.5, col - 0.5), order=1, mode="nearest", output=np.float64)


def terrain_for(settings: AcquireSettings, dem: str | None, rpc: RPC, region: BaseGeometry, scratch: Path) -> Terrain:
    """Return the heights over a region (in degrees) as the settings say; a file with them may be put into `scratch`.

    Without DEM and height, the height that `rpc` is centred on; PAN and MSS must share one, although their RPCs are
    centred on different heights. Raises `UserError` when the DEM does not cover the region.
    """
    if dem is None:
        height = float(rpc.height_off if settings.height_m is None else settings.height_m)
        return Terrain(None, height, height, f"constant height {height:.1f} m")
    # The DEM's own vertical datum is left aside: PROJ's geoid grids do not come with Python wheels, and GDAL would
    # then shift heights by nothing without a word.
    added = settings.geoid_undulation_m if settings.dem_heights == "orthometric" else 0.0
    bounds = buffered(region, MARGIN_M).bounds
    with open_raster(dem) as src:
        here = reproject(region, LON_LAT, CRS.from_wkt(src.crs.to_wkt()).to_2d())
        if not box(*src.bounds).contains(here):
            raise UserError(f"{dem}: the DEM does not cover the whole region to orthorectify; use a larger one")
        heights = _in_degrees(src, bounds) + np.float32(added)
    if not np.isfinite(heights).any():
        raise UserError(f"{dem}: the DEM has no valid height in the region to orthorectify")
    path = scratch / "terrain.tif"
    rows, cols = heights.shape
    profile = dict(driver="GTiff", count=1, height=rows, width=cols, dtype="float32", crs="EPSG:4326", nodata=np.nan)
    with rasterio.open(path, "w", transform=from_bounds(*bounds, cols, rows), **profile) as dst:
        dst.write(heights, 1)
    lowest, highest = float(np.nanmin(heights)), float(np.nanmax(heights))
    return Terrain(path, lowest, highest, f"DEM, {settings.dem_heights} heights {added:+.1f} m")


def _in_degrees(src: rasterio.DatasetReader, bounds: tuple[float, float, float, float]) -> np.ndarray:
    """Return the heights (row, column) float32 on a grid of degrees of half the DEM's pixel size, NaN where none are.

    GDAL looks a height up for every pixel of the image. On a grid of degrees that spares it a projection each time, and
    at half the pixel size bilinear interpolation is as good as cubic on the original.
    """
    west, south, east, north = bounds
    step_m = abs(src.transform.a) * (METRES_PER_DEGREE if src.crs.is_geographic else 1.0) / 2
    across_m = (east - west) * METRES_PER_DEGREE * cos(radians((south + north) / 2))
    cols = min(LARGEST_SIDE, max(2, ceil(across_m / step_m)))
    rows = min(LARGEST_SIDE, max(2, ceil((north - south) * METRES_PER_DEGREE / step_m)))
    heights = np.full((rows, cols), np.nan, np.float32)
    warp(
        rasterio.band(src, 1), heights, src_crs=CRS.from_wkt(src.crs.to_wkt()).to_2d().to_wkt(),
        dst_transform=from_bounds(*bounds, cols, rows), dst_crs="EPSG:4326", dst_nodata=np.nan,
        resampling=Resampling.cubic,
    )  # fmt: skip
    return heights
