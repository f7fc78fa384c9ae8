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

from crossres.acquire.orthorectification.copernicus_dem import COLLECTION, dem_tiles
from crossres.acquire.regions import LON_LAT, buffered, reproject
from crossres.acquire.remote.asset import asset_raster
from crossres.acquire.stac.hrefs import is_remote
from crossres.errors import UserError
from crossres.globe import bbox
from crossres.imagery.raster import open_raster
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

    `dem` is a raster, or `COLLECTION` for tiles from `settings.dem_api`. Without DEM and height, the height that `rpc`
    is centred on; PAN and MSS must share one, although their RPCs are centred on different heights. Raises `UserError`
    when the DEM does not cover the region, and when orthometric heights come without a geoid.
    """
    if dem is None:
        height = float(rpc.height_off if settings.height_m is None else settings.height_m)
        return Terrain(None, height, height, f"constant height {height:.1f} m")
    wide = buffered(region, MARGIN_M)
    if bbox(wide) != wide.bounds:  # GDAL looks heights up by longitudes from -180 to 180
        raise UserError(
            "acquire.dem: heights across 180 degrees are not read; cut search.area at 180, or set acquire.dem to null "
            "and acquire.height_m"
        )
    bounds = wide.bounds
    if dem == COLLECTION:
        tiles = dem_tiles(settings.dem_api, box(*bounds))
        # Where no tile is, there is the sea.
        heights = np.nan_to_num(_mosaic(list(tiles.values()), bounds))
        source, kind = f"{COLLECTION} ({', '.join(tiles)})", "orthometric"
    else:
        with open_raster(dem) as src:
            here = reproject(region, LON_LAT, CRS.from_wkt(src.crs.to_wkt()).to_2d())
            if not box(*src.bounds).contains(here):
                raise UserError(f"{dem}: the DEM does not cover the whole region to orthorectify; use a larger one")
        heights = _mosaic([dem], bounds)
        source, kind = "DEM", settings.dem_heights
    if not np.isfinite(heights).any():
        raise UserError(f"{dem}: the DEM has no valid height in the region to orthorectify")
    undulation, note = _undulation(settings, kind, bounds, heights.shape)
    heights += undulation
    path = scratch / "terrain.tif"
    rows, cols = heights.shape
    profile = dict(driver="GTiff", count=1, height=rows, width=cols, dtype="float32", crs="EPSG:4326", nodata=np.nan)
    with rasterio.open(path, "w", transform=from_bounds(*bounds, cols, rows), **profile) as dst:
        dst.write(heights, 1)
    lowest, highest = float(np.nanmin(heights)), float(np.nanmax(heights))
    return Terrain(path, lowest, highest, f"{source}, {note}")


def _undulation(
    settings: AcquireSettings, kind: str, bounds: tuple[float, float, float, float], shape: tuple[int, ...]
) -> tuple[np.ndarray | np.float32, str]:
    """Return what makes heights of a kind ellipsoidal, in metres, and a note on it.

    A raster's own vertical datum is left aside: PROJ's geoid grids do not come with Python wheels, and GDAL would then
    shift heights by nothing without a word.
    """
    if kind == "ellipsoidal":
        return np.float32(0), "ellipsoidal heights"
    if settings.geoid is not None:
        with open_raster(settings.geoid) as src:
            west, south, east, north = src.bounds
            if not src.crs.is_geographic or not box(west, south, east, north).contains(box(*bounds)):
                raise UserError(
                    f"{settings.geoid}: is no grid of degrees that covers the region to orthorectify "
                    f"({', '.join(f'{b:.2f}' for b in bounds)}); use another for acquire.geoid"
                )
            values = np.full(shape, np.nan, np.float32)
            warp(
                rasterio.band(src, 1), values, dst_transform=from_bounds(*bounds, shape[1], shape[0]),
                dst_crs="EPSG:4326", dst_nodata=np.nan, resampling=Resampling.bilinear,
            )  # fmt: skip
        if not np.isfinite(values).all():
            raise UserError(f"{settings.geoid}: has gaps in the region to orthorectify; use another for acquire.geoid")
        return values, f"orthometric heights and a geoid of {values.mean():+.1f} m"
    if settings.geoid_undulation_m is None:
        raise UserError(
            "acquire.geoid_undulation_m: heights above the geoid need its height above the ellipsoid here (in Henan "
            "-19 m), or acquire.geoid a grid of it; where 50 m are missing, a scene seen at 15 degrees lies 13 m off"
        )
    return np.float32(settings.geoid_undulation_m), f"orthometric heights {settings.geoid_undulation_m:+.1f} m"


def _mosaic(hrefs: list[str], bounds: tuple[float, float, float, float]) -> np.ndarray:
    """Return the heights (row, column) float32 of all rasters on the grid of the first, NaN where none has any."""
    heights: np.ndarray | None = None
    for href in hrefs:
        # A DEM of one's own may be a VRT of tiles: the configuration names it, nobody else.
        with asset_raster(href) if is_remote(href) else open_raster(href) as src:
            if heights is None:
                heights = np.full(_shape_in_degrees(src, bounds), np.nan, np.float32)
            here = _in_degrees(src, bounds, heights.shape)
        heights = np.where(np.isfinite(heights), heights, here)
    assert heights is not None
    return heights


def _shape_in_degrees(src: rasterio.DatasetReader, bounds: tuple[float, float, float, float]) -> tuple[int, int]:
    """Return the rows and columns of a grid of degrees of half a DEM's pixel size.

    GDAL looks a height up for every pixel of the image. On a grid of degrees that spares it a projection each time, and
    at half the pixel size bilinear interpolation is as good as cubic on the original.
    """
    west, south, east, north = bounds
    step_m = abs(src.transform.e) * (METRES_PER_DEGREE if src.crs.is_geographic else 1.0) / 2
    across_m = (east - west) * METRES_PER_DEGREE * cos(radians((south + north) / 2))
    cols = min(LARGEST_SIDE, max(2, ceil(across_m / step_m)))
    return min(LARGEST_SIDE, max(2, ceil((north - south) * METRES_PER_DEGREE / step_m))), cols


def _in_degrees(
    src: rasterio.DatasetReader, bounds: tuple[float, float, float, float], shape: tuple[int, ...]
) -> np.ndarray:
    heights = np.full(shape, np.nan, np.float32)
    warp(
        rasterio.band(src, 1), heights, src_crs=CRS.from_wkt(src.crs.to_wkt()).to_2d().to_wkt(),
        dst_transform=from_bounds(*bounds, shape[1], shape[0]), dst_crs="EPSG:4326", dst_nodata=np.nan,
        resampling=Resampling.cubic,
    )  # fmt: skip
    return heights
