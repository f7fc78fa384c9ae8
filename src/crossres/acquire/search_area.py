"""The area of interest of a search, as a person gives it and as servers are asked for it."""

from pathlib import Path

import geopandas
import shapely
from pyproj import CRS
from shapely.geometry import Point, box
from shapely.geometry.base import BaseGeometry

from crossres.acquire.regions import SMALLEST_AREA_DEG2, bbox, bounding_box, local_utm
from crossres.errors import UserError
from crossres.globe import LON_LAT, polygons, reproject


def read_area(area: str | tuple[float, float, float, float] | None, key: str = "search.area") -> BaseGeometry | None:
    """Return the area of interest in degrees; None is everywhere. Raises `UserError`, with its key, for what is none.

    A box whose west is above its east goes across 180 degrees.
    """
    if area is None:
        return None
    if not isinstance(area, str):
        return bounding_box(area, key)
    if not Path(area).is_file():
        raise UserError(f"{key}: {area}: no such file")
    try:
        # Geometries alone: attributes may be in any encoding.
        table = geopandas.read_file(area, columns=[])
    except Exception as error:  # the drivers behind it share no base class
        raise UserError(f"{key}: {area}: not a vector file ({' '.join(str(error).split())[:120]})") from None
    if not isinstance(table, geopandas.GeoDataFrame) or not table.geometry.notna().any():
        raise UserError(f"{key}: {area}: holds no polygon")
    if table.crs is None:
        raise UserError(f"{key}: {area}: has no coordinate reference system; assign one")
    crs = CRS.from_wkt(table.crs.to_wkt()).to_2d()
    try:
        parts = [reproject(part, crs, LON_LAT) for part in _areas(table)]
    except (UserError, ValueError, shapely.errors.GEOSException) as error:
        raise UserError(f"{key}: {area}: cannot be brought to degrees ({error}); check its CRS") from None
    region = polygons(shapely.union_all(parts))
    if region.area < SMALLEST_AREA_DEG2:
        raise UserError(f"{key}: {area}: holds no polygon")
    return region


def square(lon: float, lat: float, side_m: float) -> BaseGeometry:
    """Return the square around a place in degrees, upright in its UTM zone, with sides of so many metres."""
    place = Point(lon, lat)
    plane = local_utm(place)
    [centre] = shapely.get_parts(reproject(place, LON_LAT, plane))
    half = side_m / 2
    around = box(centre.x - half, centre.y - half, centre.x + half, centre.y + half)
    return polygons(reproject(around, plane, LON_LAT))


def sides(area: BaseGeometry) -> list[BaseGeometry]:
    """Return an area as one region, or as two when it crosses 180 degrees: not every server knows one that does."""
    west, _, east, _ = bbox(area)
    if west <= east:
        return [area]
    parts = shapely.get_parts(area)
    return [
        polygons(shapely.union_all([p for p in parts if (p.bounds[0] >= west) == first])) for first in (True, False)
    ]


def _areas(table: geopandas.GeoDataFrame) -> list[BaseGeometry]:
    found = [polygons(shapely.force_2d(geometry)) for geometry in table.geometry if geometry is not None]
    return [area for area in found if not area.is_empty]
