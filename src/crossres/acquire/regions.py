"""Regions on the globe: areas, buffers in metres, GeoJSON (see `globe` for what a region is)."""

from typing import Any

import numpy as np
import shapely
from pyproj import CRS, Geod
from shapely.geometry import MultiPolygon, Polygon, box, shape
from shapely.geometry.base import BaseGeometry

from crossres.errors import UserError
from crossres.globe import LON_LAT, bbox, polygons, reproject, split, to_geojson, unwrapped
from crossres.grids import crs_of

__all__ = [
    "LON_LAT", "area_km2", "bbox", "bounding_box", "buffered", "crs_of", "from_geojson", "local_utm",
    "polygons", "reproject", "split", "to_geojson",
]  # fmt: skip

MOST_VERTICES = 100_000
"""A footprint with more is no footprint; looking at it would take minutes."""
MOST_EXACT, MOST_MENDED = 500, 200
"""Vertices of a foreign polygon that is taken as it is, and of one that crosses itself; of others, the convex hull.

Where two outlines cross everywhere, overlap takes time and memory with the product of their vertices.
"""
SMALLEST_AREA_DEG2 = 1e-12
"""Some square centimetres."""
UTM_NORTH, UTM_SOUTH = 84.0, -80.0
"""Latitudes that UTM ends at."""
WIDE_DEG = 10.0
"""From east to west: no scene is."""
_GEOD = Geod(ellps="WGS84")


def area_km2(region: BaseGeometry) -> float:
    """Return the area of a region given in degrees on the WGS 84 ellipsoid, in square kilometres."""
    west, _, east, _ = region.bounds
    if not east - west > WIDE_DEG:  # nor when it is empty
        return abs(_GEOD.geometry_area_perimeter(shapely.orient_polygons(region))[0]) / 1e6
    # An edge is a shortest line, which leaves its parallel and may take the pole, and no area is above half the globe.
    octants = [box(lon, lat, lon + 90, lat + 90) for lon in (-180, -90, 0, 90) for lat in (-90, 0)]
    parts = [shapely.segmentize(polygons(region.intersection(octant)), 1.0) for octant in octants]
    return sum(abs(_GEOD.geometry_area_perimeter(shapely.orient_polygons(part))[0]) for part in parts) / 1e6


def local_utm(region: BaseGeometry) -> CRS:
    """Return the UTM zone (its standard 6 degrees) of the centre of a region given in degrees.

    Beyond 84 degrees north and 80 degrees south, where there is none, that of the same longitude.
    """
    centre = unwrapped(region).centroid
    zone = int((centre.x + 180.0) // 6.0) % 60 + 1
    return CRS.from_epsg((32600 if centre.y >= 0 else 32700) + zone)


def buffered(region: BaseGeometry, metres: float) -> BaseGeometry:
    """Return a region given in degrees, grown by a distance in metres."""
    if metres == 0:
        return region
    _, south, _, north = region.bounds
    if north > UTM_NORTH or south < UTM_SOUTH:
        plane = CRS.from_epsg(32661 if north > UTM_NORTH else 32761)  # UPS, which holds all around its pole
    else:
        plane = local_utm(region)
    return reproject(reproject(region, LON_LAT, plane).buffer(metres, join_style="mitre"), plane, LON_LAT)


def from_geojson(content: Any, name: str) -> BaseGeometry:
    """Read the areas of a GeoJSON geometry in degrees, of anybody's making, as a region.

    What crosses itself is mended, heights are dropped, longitudes may go on beyond 180 degrees; an outline that is
    too fine to work with becomes its convex hull. Raises `UserError` naming its owner when it is none, has no area,
    lies off the globe or has more vertices than `MOST_VERTICES`.
    """
    if content is None:
        raise UserError(f"{name}: has no geometry")
    too_many = f"{name}: its geometry has more than {MOST_VERTICES:,} vertices; it is not read"
    if _numbers_in(content, 4 * MOST_VERTICES) > 3 * MOST_VERTICES:
        raise UserError(too_many)
    try:
        given = shapely.force_2d(shape(content))
        if shapely.get_num_coordinates(given) > MOST_VERTICES:
            raise UserError(too_many)
        if not np.isfinite(shapely.get_coordinates(given)).all():
            raise UserError(f"{name}: its geometry has coordinates that are no numbers")
        west, south, east, north = given.bounds if not given.is_empty else (0.0, 0.0, 0.0, 0.0)
        if south < -90.0 - 1e-6 or north > 90.0 + 1e-6 or west < -360.0 or east > 540.0:
            raise UserError(f"{name}: its geometry is not longitude and latitude in degrees")
        parts = _workable(given)
        region = split(parts[0] if len(parts) == 1 else MultiPolygon(parts))
    except (TypeError, ValueError, KeyError, AttributeError, IndexError, OverflowError, shapely.errors.ShapelyError):
        raise UserError(f"{name}: its geometry is not GeoJSON") from None
    if region.area < SMALLEST_AREA_DEG2:
        raise UserError(f"{name}: its geometry has no area")
    return region


def bounding_box(bounds: Any, name: str) -> BaseGeometry:
    """Return west, south, east, north in degrees as a region, across 180 degrees where west is above east.

    Raises `UserError` when they are no such box.
    """
    try:
        west, south, east, north = (float(value) for value in bounds)
    except (TypeError, ValueError):
        raise UserError(f"{name}: {str(bounds)[:80]} is not west, south, east, north in degrees") from None
    if not (-180 <= west <= 180 and -180 <= east <= 180 and west != east and -90 <= south < north <= 90):
        raise UserError(f"{name}: {[west, south, east, north]} is not west, south, east, north in degrees")
    if west < east:
        return box(west, south, east, north)
    return polygons(shapely.union_all([box(*b) for b in ((west, south, 180.0, north), (-180.0, south, east, north))]))


def _workable(given: BaseGeometry) -> list[Polygon]:
    """Return the polygons of a geometry, the convex hull for those that are too fine."""
    if isinstance(given, Polygon):
        vertices = shapely.get_num_coordinates(given)
        fine = vertices > MOST_EXACT or (vertices > MOST_MENDED and not given.is_valid)
        one = given.convex_hull if fine else given
        return [one] if isinstance(one, Polygon) and not one.is_empty else []
    return [polygon for part in getattr(given, "geoms", []) for polygon in _workable(part)]


def _numbers_in(content: Any, most: int) -> int:
    """Return how many numbers JSON content holds, counted no further than to `most`."""
    count, waiting = 0, [content]
    while waiting and count < most:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting.extend(one.values())
        elif isinstance(one, list | tuple):
            waiting.extend(one)
        else:
            count += 1
    return count
