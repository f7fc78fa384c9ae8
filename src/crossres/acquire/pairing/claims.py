"""Where an item says that it lies: by its geometry, else by the grid or the box that it states."""

import math
from functools import lru_cache
from typing import Any

from pyproj import CRS
from pyproj.exceptions import ProjError
from shapely.geometry import Polygon, box
from shapely.geometry.base import BaseGeometry

from crossres.acquire.regions import bbox, bounding_box, from_geojson
from crossres.errors import UserError
from crossres.globe import LON_LAT, reproject
from crossres.imagery.items import Item

LONGEST_WKT = 20_000
LARGEST_SIDE = 10_000_000
"""Pixels along a side of a raster."""
HALF_GLOBE_DEG = 180.0


class NoPlaceError(UserError):
    """An item does not say where it lies, or says two places: only its raster can tell."""


def claimed_region(item: Item, name: str) -> BaseGeometry:
    """Return where an item says that it lies.

    A geometry that cannot be is passed over for the grid of its `proj:` fields and then for its `bbox`; one that goes
    round the globe, for the grid. Raises `NoPlaceError` when nothing is left, or geometry and grid do not meet.
    """
    grid = _stated_grid(item)
    try:
        region = from_geojson(item.get("geometry"), name)
    except UserError as error:
        region = grid or _stated_box(item)
        if region is None:
            raise NoPlaceError(str(error)) from None
        return region
    if grid is None:
        return region
    if not region.intersects(grid):
        raise NoPlaceError(f"{name}: its geometry and its proj: fields say different places")
    west, _, east, _ = bbox(region)
    return grid if (east - west) % 360.0 > HALF_GLOBE_DEG or (west, east) == (-180.0, 180.0) else region


def _stated_box(item: Item) -> BaseGeometry | None:
    bounds = item.get("bbox")
    if isinstance(bounds, list) and len(bounds) == 6:
        bounds = [*bounds[:2], *bounds[3:5]]
    try:
        return bounding_box(bounds, "bbox")
    except UserError:
        return None


def _stated_grid(item: Item) -> BaseGeometry | None:
    """Return the outline of the grid that the `proj:` fields of an item or of one of its assets describe."""
    properties = item.get("properties") or {}
    assets = [asset for asset in (item.get("assets") or {}).values() if isinstance(asset, dict)]
    for fields in (properties, *({**properties, **asset} for asset in assets)):
        crs = _stated_crs(fields)
        outline = _stated_outline(fields) if crs is not None else None
        if crs is not None and outline is not None:
            try:
                return reproject(outline, crs, LON_LAT)
            except (UserError, ProjError):
                return None
    return None


def _stated_crs(fields: dict[str, Any]) -> CRS | None:
    code, wkt = fields.get("proj:code") or fields.get("proj:epsg"), fields.get("proj:wkt2")
    if code is not None:
        return _known_crs(str(code))
    try:
        return CRS.from_wkt(wkt) if isinstance(wkt, str) and len(wkt) <= LONGEST_WKT else None
    except ProjError:
        return None


@lru_cache(256)
def _known_crs(code: str) -> CRS | None:
    number = code.upper().removeprefix("EPSG:")
    try:
        return CRS.from_epsg(int(number)) if number.isascii() and number.isdigit() and len(number) < 7 else None
    except ProjError:
        return None


def _stated_outline(fields: dict[str, Any]) -> Polygon | None:
    transform: Any = fields.get("proj:transform")
    shape: Any = fields.get("proj:shape")
    bounds: Any = fields.get("proj:bbox")
    if _are_numbers(transform, 6, 9) and _are_numbers(shape, 2) and all(0 < n <= LARGEST_SIDE for n in shape):
        a, b, c, d, e, f = transform[:6]
        corners = [(0, 0), (shape[1], 0), (shape[1], shape[0]), (0, shape[0])]
        outline = Polygon([(a * x + b * y + c, d * x + e * y + f) for x, y in corners])
    elif _are_numbers(bounds, 4):
        outline = box(*bounds)
    else:
        return None
    return outline if outline.is_valid and outline.area > 0 else None


def _are_numbers(values: Any, *counts: int) -> bool:
    return (
        isinstance(values, list)
        and len(values) in counts
        and all(isinstance(v, int | float) and math.isfinite(v) and abs(v) < 1e12 for v in values)
    )
