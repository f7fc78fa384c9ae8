"""Grids: an LR scene's own grid, and the fine grid that divides it by any rational factor."""

import math
from fractions import Fraction
from typing import Any

import shapely
from odc.geo.geobox import GeoBox
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError
from rasterio.transform import Affine
from rasterio.windows import Window
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from crossres.errors import UserError
from crossres.globe import LON_LAT, reproject

__all__ = [
    "are_aligned",
    "crop",
    "crs_of",
    "epsg_of",
    "fine_grid",
    "grid_outline",
    "ground_pixel_m",
    "gsd_m",
    "lr_multiple",
    "scale_factor",
    "whole_window",
]  # fmt: skip

EDGE_PX = 0.02
"""A centimetre, to which regions in degrees are written, of pixels of half a metre."""
NOMINAL = 0.01
"""A projection whose scale is off by less than this share is taken at its word: UTM is by 0.1 %."""

LARGEST_SHIFT_PX = 0.01
"""By which grids that are one may differ: coordinates are written with few digits."""


def scale_factor(lr_gsd_m: float, target_gsd_m: float) -> Fraction:
    """Return LR GSD / target GSD as an exact fraction (10 m / 0.8 m = 25/2).

    Raises `UserError` when the quotient is not a fraction with a denominator up to 20, or not above 1.
    """
    factor = Fraction(lr_gsd_m / target_gsd_m).limit_denominator(20)
    if abs(float(factor) - lr_gsd_m / target_gsd_m) > 1e-6 or factor <= 1:
        raise UserError(
            f"grid.gsd_m: {target_gsd_m} m does not divide the LR GSD of {lr_gsd_m} m by a rational factor above 1 "
            "(denominator up to 20); choose another target GSD"
        )
    return factor


def lr_multiple(factor: Fraction, fine_multiple: int = 1) -> int:
    """Return the smallest number of LR pixels whose fine grid is a whole multiple of `fine_multiple` pixels."""
    n = factor.denominator
    while (n * factor) % fine_multiple:
        n += factor.denominator
    return n


def fine_grid(lr: GeoBox, factor: Fraction) -> GeoBox:
    """Return the grid with the same corners as `lr` and `factor` times as many pixels on each axis.

    Raises `UserError` when a side of `lr` is not a multiple of the factor's denominator.
    """
    rows, cols = lr.shape
    if rows % factor.denominator or cols % factor.denominator:
        raise UserError(
            f"an LR grid of {rows} x {cols} pixels has no whole fine grid at factor {factor}; "
            f"crop it to a multiple of {factor.denominator}"
        )
    a = lr.affine
    step = factor.denominator / factor.numerator
    fine = Affine(a.a * step, a.b * step, a.c, a.d * step, a.e * step, a.f)
    return GeoBox((int(rows * factor), int(cols * factor)), fine, lr.crs)


def whole_window(grid: GeoBox, region: BaseGeometry, multiple: int = 1) -> Window | None:
    """Return the window of `grid` around `region` (in the grid's CRS), its sides multiples of `multiple` pixels.

    The window is clipped to the grid; None when nothing is left. A pixel that the region reaches by less than
    `EDGE_PX` is not in it: that is how far a region in degrees is rounded.
    """
    inverse = ~grid.affine
    corners = [inverse @ point for point in _corners(region)]
    rows, cols = grid.shape
    left, right = max(0, _floor(min(x for x, _ in corners))), min(cols, _ceil(max(x for x, _ in corners)))
    top, bottom = max(0, _floor(min(y for _, y in corners))), min(rows, _ceil(max(y for _, y in corners)))
    width = (right - left) // multiple * multiple
    height = (bottom - top) // multiple * multiple
    return Window(left, top, width, height) if width > 0 and height > 0 else None


def crop(grid: GeoBox, window: Window) -> GeoBox:
    """Return the part of `grid` inside a window of whole pixels."""
    shift = Affine.translation(window.col_off, window.row_off)
    return GeoBox((int(window.height), int(window.width)), grid.affine @ shift, grid.crs)


def are_aligned(one: GeoBox, other: GeoBox) -> bool:
    """Return whether two grids of one CRS have their first rows and columns in one place, within 0.01 pixels."""
    size = min(one.shape[0], other.shape[0]), min(one.shape[1], other.shape[1])
    to_one = ~one.affine @ other.affine
    ends = [(0, 0), (size[1], 0), (0, size[0])]
    return bool(one.crs == other.crs) and all(math.dist(to_one @ end, end) <= LARGEST_SHIFT_PX for end in ends)


def _corners(region: BaseGeometry) -> list[tuple[float, float]]:
    hull = region.convex_hull
    return [(x, y) for x, y, *_ in getattr(hull, "exterior", hull).coords]


def _floor(x: float) -> int:
    return int((x + EDGE_PX) // 1)


def _ceil(x: float) -> int:
    return -int((-x + EDGE_PX) // 1)


def crs_of(grid: GeoBox) -> CRS:
    """Return the CRS of a georeferenced grid."""
    if grid.crs is None:
        raise ValueError("the grid has no CRS")
    return CRS.from_wkt(grid.crs.to_wkt())


def grid_outline(grid: GeoBox) -> BaseGeometry:
    """Return the outline of a grid in degrees: valid, and in parts where it crosses 180 degrees (see `globe`).

    Raises `UserError` for a grid that lies off the Earth.
    """
    corners = [grid.affine @ (x * grid.shape[1], y * grid.shape[0]) for x, y in ((0, 0), (1, 0), (1, 1), (0, 1))]
    crs = crs_of(grid)
    outline = reproject(shapely.orient_polygons(Polygon(corners)), crs, LON_LAT)
    if outline.is_empty:
        raise UserError(f"the grid lies outside of where {crs.name} holds: check its CRS and its transform")
    return outline


def ground_pixel_m(grid: GeoBox) -> tuple[float, float]:
    """Return the distance on the ground from one column to the next, and from one row to the next, at the centre.

    In metres on the ellipsoid of the grid's CRS: its unit, rotation and the scale of its projection count. Raises
    `UserError` when the CRS has no place on the Earth or the centre lies outside of where it holds.
    """
    crs = _horizontal(crs_of(grid))
    geodetic, geod = crs.geodetic_crs, crs.get_geod()
    if geodetic is None or geod is None:
        raise UserError(f"{crs.name}: is no CRS on the Earth, so that its pixels have no size on the ground")
    rows, cols = grid.shape
    x, y = cols / 2.0, rows / 2.0
    ends = [grid.affine @ point for point in ((x - 0.5, y), (x + 0.5, y), (x, y - 0.5), (x, y + 0.5))]
    move = Transformer.from_crs(crs, geodetic, always_xy=True)
    lon, lat = move.transform([point[0] for point in ends], [point[1] for point in ends])
    if not all(math.isfinite(value) for value in (*lon, *lat)) or max(abs(value) for value in lat) > 90.0:
        raise UserError(f"the grid's centre lies outside of where {crs.name} holds: check its CRS and its transform")
    _, _, metres = geod.inv((lon[0], lon[2]), (lat[0], lat[2]), (lon[1], lon[3]), (lat[1], lat[3]))
    return float(metres[0]), float(metres[1])


def gsd_m(grid: GeoBox) -> float:
    """Return the pixel size in metres that items and products state; of a pixel that is not square the longer side.

    That is the pixel in metres of the CRS where it is within 1 % of the ground, else its size on the ground in 4
    digits. Raises `UserError` as `ground_pixel_m` does.
    """
    ground = ground_pixel_m(grid)
    crs = _horizontal(crs_of(grid))
    unit_m = crs.axis_info[0].unit_conversion_factor if crs.is_projected else math.nan
    affine = grid.affine
    nominal = math.hypot(affine.a, affine.d) * unit_m, math.hypot(affine.b, affine.e) * unit_m
    if all(abs(n - g) <= NOMINAL * g for n, g in zip(nominal, ground, strict=True)):
        return round(max(nominal), 6)
    return float(f"{max(ground):.4g}")


def epsg_of(crs: Any) -> int | None:
    """Return the EPSG code of a CRS (of pyproj, rasterio or odc); None where no code means just this CRS.

    Parameters decide, not names or the code that a file claims; a compound CRS has a code only of its own.
    """
    given = CRS.from_wkt(crs.to_wkt())
    code = given.to_epsg(min_confidence=25)
    if code is None:
        return None
    try:
        known = CRS.from_epsg(code)
    except CRSError:
        return None
    return code if known.equals(given, ignore_axis_order=True) else None


def _horizontal(crs: CRS) -> CRS:
    """Return a CRS without its height."""
    while crs.is_compound:
        crs = crs.sub_crs_list[0]
    return crs.source_crs if crs.is_bound and crs.source_crs is not None else crs
