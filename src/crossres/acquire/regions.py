"""Regions on the globe: areas, buffers in metres, changes of CRS, GeoJSON."""

from typing import Any

import numpy as np
import shapely
from odc.geo.geobox import GeoBox
from pyproj import CRS, Geod, Transformer
from shapely.geometry import MultiPolygon, Polygon, box, mapping, shape
from shapely.geometry.base import BaseGeometry

from crossres.errors import UserError

LON_LAT = CRS.from_epsg(4326)
_GEOD = Geod(ellps="WGS84")


def area_km2(region: BaseGeometry) -> float:
    """Return the area of a region given in degrees on the WGS 84 ellipsoid, in square kilometres."""
    return abs(_GEOD.geometry_area_perimeter(shapely.orient_polygons(region))[0]) / 1e6


def local_utm(region: BaseGeometry) -> CRS:
    """Return the UTM zone (its standard 6 degrees) of the centre of a region given in degrees."""
    centre = region.centroid
    zone = int((centre.x + 180.0) // 6.0) % 60 + 1
    return CRS.from_epsg((32600 if centre.y >= 0 else 32700) + zone)


def reproject(region: BaseGeometry, source: CRS, target: CRS) -> BaseGeometry:
    """Return a region in another CRS (x east, y north); long edges are first cut, since they become curves."""
    if source == target:
        return region
    west, south, east, north = region.bounds
    cut = shapely.segmentize(region, max(east - west, north - south, 1e-9) / 16)
    move = Transformer.from_crs(source, target, always_xy=True)
    moved = shapely.transform(cut, lambda xy: np.column_stack(move.transform(xy[:, 0], xy[:, 1])))
    if not np.isfinite(moved.bounds).all():
        raise UserError(f"a region of {source.name} lies outside of {target.name}: check its CRS")
    return moved


def buffered(region: BaseGeometry, metres: float) -> BaseGeometry:
    """Return a region given in degrees, grown by a distance in metres."""
    if metres == 0:
        return region
    utm = local_utm(region)
    return reproject(reproject(region, LON_LAT, utm).buffer(metres, join_style="mitre"), utm, LON_LAT)


def polygons(region: BaseGeometry) -> BaseGeometry:
    """Return only the areas of a geometry, without the points and lines where areas merely touch."""
    parts = [g for g in shapely.get_parts(region) if isinstance(g, Polygon | MultiPolygon) and not g.is_empty]
    return shapely.union_all(parts) if parts else Polygon()


def crs_of(grid: GeoBox) -> CRS:
    """Return the CRS of a georeferenced grid."""
    if grid.crs is None:
        raise ValueError("the grid has no CRS")
    return CRS.from_wkt(grid.crs.to_wkt())


def grid_region(grid: GeoBox) -> BaseGeometry:
    """Return the outline of a grid in degrees."""
    corners = [grid.affine * (x * grid.shape[1], y * grid.shape[0]) for x, y in ((0, 0), (1, 0), (1, 1), (0, 1))]
    return reproject(Polygon(corners), crs_of(grid), LON_LAT)


def to_geojson(region: BaseGeometry) -> dict[str, Any]:
    """Return a region in degrees as GeoJSON, to 1e-7 degrees (1 cm), outer rings anticlockwise."""
    return _rounded(mapping(shapely.orient_polygons(shapely.normalize(region))))


def from_geojson(content: Any, name: str) -> BaseGeometry:
    """Read a GeoJSON geometry in degrees; `UserError` naming its owner when it is none."""
    try:
        region = shapely.make_valid(shape(content))
    except (TypeError, ValueError, KeyError, AttributeError, shapely.errors.GEOSException):
        raise UserError(f"{name}: its geometry is not GeoJSON") from None
    if region.is_empty:
        raise UserError(f"{name}: its geometry is empty")
    return region


def bounding_box(bounds: tuple[float, float, float, float], name: str) -> BaseGeometry:
    """Return west, south, east, north in degrees as a region; `UserError` when they are no such box."""
    west, south, east, north = bounds
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise UserError(f"{name}: {list(bounds)} is not west, south, east, north in degrees")
    return box(west, south, east, north)


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(v) for v in value]
    return round(value, 7) if isinstance(value, float) else value
