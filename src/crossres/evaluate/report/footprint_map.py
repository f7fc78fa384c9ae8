"""Where the pairs lie, as a small SVG without any base map."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from shapely.affinity import translate
from shapely.geometry.base import BaseGeometry

from crossres.evaluate.report.pairs import Pair

WIDTH, HEIGHT, MARGIN = 640, 300, 34
SMALLEST = 7.0
"""A footprint smaller than this on the page, in SVG units, gets a marker instead."""


@dataclass(frozen=True)
class Footprint:
    """One pair on the map, in SVG units."""

    pair: str
    split: str
    x: float
    y: float
    path: str | None
    """None when the footprint is too small to be seen."""


@dataclass(frozen=True)
class PlaceMap:
    """Footprints and the map's extent in words."""

    footprints: list[Footprint]
    west: str
    east: str
    north: str
    south: str
    bar: float
    """Length of the scale bar, in SVG units."""
    bar_text: str


def place_map(pairs: Sequence[Pair]) -> PlaceMap | None:
    """Lay out the pairs' footprints at true proportions; None without any."""
    shapes = [(pair, pair.found.geometry) for pair in pairs if pair.found.geometry]
    if not shapes:
        return None
    # Seen from Greenwich or from 180 degrees, whichever has the pairs nearer together.
    views = [shapes, [(pair, _beyond_180(geometry)) for pair, geometry in shapes]]
    extents = [shapely.total_bounds([geometry for _, geometry in view]) for view in views]
    shapes, extent = min(zip(views, extents, strict=True), key=lambda view: view[1][2] - view[1][0])
    west, south, east, north = (float(v) for v in extent)
    squeeze = np.cos(np.radians((south + north) / 2))
    span = max((east - west) * squeeze, 1e-6), max(north - south, 1e-6)
    scale = min((WIDTH - 2 * MARGIN) / span[0], (HEIGHT - 2 * MARGIN) / span[1])
    left, top = (WIDTH - span[0] * scale) / 2, (HEIGHT - span[1] * scale) / 2

    def place(lon: float, lat: float) -> tuple[float, float]:
        return left + (lon - west) * squeeze * scale, top + (north - lat) * scale

    found = []
    for pair, geometry in shapes:
        x, y = place(geometry.centroid.x, geometry.centroid.y)
        large = (geometry.bounds[3] - geometry.bounds[1]) * scale >= SMALLEST
        ring = getattr(geometry.convex_hull, "exterior", None)
        points = " ".join("{:.1f},{:.1f}".format(*place(lon, lat)) for lon, lat, *_ in ring.coords) if ring else ""
        found.append(Footprint(pair.id, pair.split, round(x, 1), round(y, 1), points if large and ring else None))
    km = 111.32 / scale  # of one SVG unit
    length = max(d * 10.0**e for e in range(-3, 5) for d in (1, 2, 5) if d * 10.0**e <= 0.25 * WIDTH * km)
    text = f"{length:g} km" if length >= 1 else f"{1000 * length:g} m"
    return PlaceMap(
        found, _degrees(west, "E", "W"), _degrees(east, "E", "W"), _degrees(north, "N", "S"), _degrees(south, "N", "S"),
        round(length / km, 1), text,
    )  # fmt: skip


def _beyond_180(geometry: BaseGeometry) -> BaseGeometry:
    """Return a geometry in degrees with what is west of Greenwich east of 180 degrees."""
    parts = [translate(part, 360.0) if part.bounds[2] <= 0 else part for part in shapely.get_parts(geometry)]
    return shapely.union_all(parts)


def _degrees(value: float, positive: str, negative: str) -> str:
    value = value - 360.0 if value > 180.0 else value
    return f"{abs(value):.2f}° {positive if value >= 0 else negative}"
