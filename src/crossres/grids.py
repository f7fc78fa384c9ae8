"""Grids: an LR scene's own grid, and the fine grid that divides it by any rational factor."""

from fractions import Fraction

from odc.geo.geobox import GeoBox
from rasterio.transform import Affine
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from crossres.errors import UserError

__all__ = ["crop", "fine_grid", "lr_multiple", "scale_factor", "whole_window"]


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

    The window is clipped to the grid; None when nothing is left.
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


def _corners(region: BaseGeometry) -> list[tuple[float, float]]:
    hull = region.convex_hull
    return [(x, y) for x, y, *_ in getattr(hull, "exterior", hull).coords]


def _floor(x: float) -> int:
    return int((x + 1e-6) // 1)


def _ceil(x: float) -> int:
    return -int((-x + 1e-6) // 1)
