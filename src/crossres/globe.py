"""Regions of the globe in degrees: cut at the 180th meridian, over a pole, to another CRS and back.

A region in degrees is a valid polygon or multipolygon between -180 and 180 degrees, as RFC 7946 wants it: one that
crosses 180 degrees is in parts on both sides. Every function here takes and gives such regions, so that overlaps,
unions and areas are those of any other place.

Cutting is done by shapely. The package `antimeridian` does the same for ordinary outlines, and the tests hold this to
it; it loses holes that are cut, what lies beside vertices at 180 degrees, and poles near the edge of an outline.
"""

import math
from functools import lru_cache
from typing import Any

import numpy as np
import shapely
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError
from shapely.affinity import translate
from shapely.geometry import MultiPolygon, Polygon, box, mapping
from shapely.geometry.base import BaseGeometry

from crossres.errors import UserError

__all__ = ["LON_LAT", "bbox", "polygons", "reproject", "split", "split_each", "to_geojson", "unwrapped"]

LON_LAT = CRS.from_epsg(4326)
PIECES = 16
"""A region's longer side is cut into so many before it changes its CRS: straight lines become curves."""
POLAR_DEG = 80.0
SEAM_DEG = 1e-9
"""0.1 mm: what is this near to 180 degrees touches it."""
MILLIMETRE = 0.001


def split(region: BaseGeometry) -> BaseGeometry:
    """Return the areas of a geometry in degrees, longitudes of any size, as a region: cut at 180 degrees and valid.

    A ring that jumps by more than 180 degrees goes the short way, across 180; one that goes round the globe holds the
    pole that it is nearer to. Heights are dropped. Empty when there is no area.
    """
    flat = polygons(shapely.force_2d(region))
    if flat.is_empty:
        return flat
    west, south, east, north = flat.bounds
    if west >= -180.0 and east <= 180.0 and south >= -90.0 and north <= 90.0 and not _jumps(flat):
        return polygons(_mended(flat))
    return polygons(shapely.union_all([_cut_polygon(part) for part in shapely.get_parts(flat)]))


def split_each(footprints: np.ndarray) -> np.ndarray:
    """Return (n,) footprints in degrees, far smaller than the globe, each split at 180; few of many have to be."""
    west, _, east, _ = shapely.bounds(footprints).T
    result = np.array(footprints, object)
    for i in np.flatnonzero((east - west > 180.0) | (west < -180.0) | (east > 180.0)):
        result[i] = split(footprints[i])
    return result


def unwrapped(region: BaseGeometry) -> BaseGeometry:
    """Return a region whose parts on both sides of 180 degrees are joined, the western ones 360 degrees further on.

    One that does not cross 180 degrees, or goes all the way round, comes back as it is.
    """
    west, _, east, _ = bbox(region)
    if west <= east:
        return region
    parts = [translate(part, 360.0) if part.bounds[0] < east else part for part in shapely.get_parts(region)]
    return shapely.union_all(parts)


def bbox(region: BaseGeometry) -> tuple[float, float, float, float]:
    """Return west, south, east, north of a region; west is above east when it crosses 180 degrees (RFC 7946)."""
    west, south, east, north = region.bounds
    if west > -180.0 + SEAM_DEG or east < 180.0 - SEAM_DEG:
        return west, south, east, north
    spans = sorted((part.bounds[0], part.bounds[2]) for part in shapely.get_parts(region))
    reached, widest = spans[0][1], (0.0, west, east)
    for start, end in spans[1:]:
        widest = max(widest, (start - reached, start, reached))
        reached = max(reached, end)
    return widest[1], south, widest[2], north


def reproject(region: BaseGeometry, source: CRS, target: CRS) -> BaseGeometry:
    """Return a region in another CRS (x east, y north); long edges are first cut, since they become curves.

    In degrees it is split at 180; what crosses 180 degrees is of one piece in a CRS that is of one piece there.
    Raises `UserError` when the region lies outside of where the target holds, or one of them is not on the Earth.
    """
    if source == target:
        return split(region) if target.is_geographic else region
    try:
        move = _transformer(source, target)
    except ProjError:
        raise UserError(f"there is no way from {source.name} to {target.name}: check the CRS") from None
    if source.is_geographic and not target.is_geographic and _is_one_piece(move, region):
        region = unwrapped(region)
    west, _, east, _ = region.bounds
    moved = _moved(region, move, PIECES)
    if target.is_geographic and max(abs(moved.bounds[1]), abs(moved.bounds[3])) > POLAR_DEG:
        moved = _moved(region, move, 8 * PIECES)  # lines bend much there
    if not np.isfinite(moved.bounds).all():
        raise UserError(f"a region of {source.name} lies outside of {target.name}: check its CRS")
    if target.is_geographic:
        return split(moved)
    if moved.is_valid and (west, east) != (-180.0, 180.0):
        return moved
    # Round a pole: both sides of 180 degrees are one line.
    return polygons(shapely.set_precision(polygons(_mended(moved)), MILLIMETRE))


def polygons(region: BaseGeometry) -> BaseGeometry:
    """Return only the areas of a geometry, without the points and lines where areas merely touch."""
    if isinstance(region, Polygon | MultiPolygon):
        return region
    parts = [polygons(part) for part in shapely.get_parts(region)] if hasattr(region, "geoms") else []
    return shapely.union_all(parts) if parts else Polygon()


def to_geojson(region: BaseGeometry) -> dict[str, Any]:
    """Return a region in degrees as GeoJSON, to 1e-7 degrees (1 cm), outer rings anticlockwise."""
    return _rounded(mapping(shapely.orient_polygons(shapely.normalize(region))))


def _mended(region: BaseGeometry) -> BaseGeometry:
    # The other method takes minutes for some hundred vertices of a ring that crosses itself everywhere.
    return region if region.is_valid else shapely.make_valid(region, method="structure", keep_collapsed=False)


def _moved(region: BaseGeometry, move: Transformer, pieces: int) -> BaseGeometry:
    west, south, east, north = region.bounds
    cut = shapely.segmentize(region, max(east - west, north - south, 1e-9) / pieces)
    return shapely.transform(cut, lambda xy: np.column_stack(move.transform(xy[:, 0], xy[:, 1])))


@lru_cache(64)
def _transformer(source: CRS, target: CRS) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)


def _is_one_piece(move: Transformer, region: BaseGeometry) -> bool:
    """Return whether a transformation puts both sides of 180 degrees at one place."""
    west, south, east, north = bbox(region)
    if west <= east:
        return False
    x, y = move.transform([180.0 - SEAM_DEG, -180.0 + SEAM_DEG], [(south + north) / 2] * 2)
    return math.hypot(x[0] - x[1], y[0] - y[1]) < 1.0


def _jumps(region: BaseGeometry) -> bool:
    return any(
        not np.array_equal(_unwrapped_ring(ring), shapely.get_coordinates(ring))
        for part in shapely.get_parts(region)
        for ring in (part.exterior, *part.interiors)
    )


def _cut_polygon(polygon: Polygon) -> BaseGeometry:
    holes = [_cut_ring(ring) for ring in polygon.interiors]
    return _cut_ring(polygon.exterior).difference(shapely.union_all(holes)) if holes else _cut_ring(polygon.exterior)


def _cut_ring(ring: BaseGeometry) -> BaseGeometry:
    """Return what a ring holds, cut at 180 degrees."""
    line = _unwrapped_ring(ring)
    turn = line[-1, 0] - line[0, 0]
    if abs(turn) > 180.0:  # once round the globe: closed along the pole that it is nearer to
        pole = math.copysign(90.0, line[:, 1].mean())
        line = np.vstack([line, (line[-1, 0], pole), (line[0, 0], pole)])
    held = polygons(_mended(Polygon(line)))
    west, _, east, _ = held.bounds if not held.is_empty else (0.0, 0.0, 0.0, 0.0)
    globes = range(math.floor((west + 180.0) / 360.0), math.ceil((east + 180.0) / 360.0))
    parts = [translate(held.intersection(box(360.0 * k - 180, -90, 360.0 * k + 180, 90)), -360.0 * k) for k in globes]
    return polygons(shapely.union_all(parts))


def _unwrapped_ring(ring: BaseGeometry) -> np.ndarray:
    """Return the vertices of a ring with longitudes that go on beyond 180 degrees instead of jumping."""
    line = shapely.get_coordinates(ring)
    steps = np.diff(line[:, 0])
    # A step of 360 degrees is the edge of a map of the whole globe.
    jumps = np.where((np.abs(steps) > 180.0) & (np.abs(steps) < 360.0 - SEAM_DEG), np.round(steps / 360.0), 0.0)
    line[1:, 0] -= 360.0 * np.cumsum(jumps)
    return line


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(v) for v in value]
    return round(value, 7) if isinstance(value, float) else value
