"""The grid that the bands of an item share, and where its scene classification covers it."""

from collections.abc import Sequence

from odc.geo.geobox import GeoBox
from rasterio.transform import array_bounds
from rasterio.warp import transform_bounds
from rasterio.windows import Window
from shapely.geometry import box

from crossres.acquire.regions import crs_of
from crossres.errors import UserError
from crossres.grids import are_aligned, whole_window


def common_grid(item: str, bands: Sequence[str], grids: Sequence[GeoBox]) -> GeoBox:
    """Return the grid that all bands share, cut to the smallest of them; `UserError` where they share none."""
    first = grids[0]
    for band, grid in zip(bands, grids, strict=True):
        if not are_aligned(first, grid):
            raise UserError(
                f"item {item}: bands {bands[0]} and {band} are on different grids; the bands that are asked for must "
                "share one"
            )
        if any(abs(a - b) > 1 for a, b in zip(grid.shape, first.shape, strict=True)):
            sizes = " and ".join(f"{shape[0]} x {shape[1]}" for shape in (first.shape, grid.shape))
            raise UserError(
                f"item {item}: bands {bands[0]} and {band} have {sizes} pixels; one of them is cut off: get it again"
            )
    shape = tuple(min(grid.shape[axis] for grid in grids) for axis in (0, 1))
    return GeoBox(shape, first.affine, first.crs)


def class_window(classes: GeoBox, grid: GeoBox) -> Window | None:
    """Return the window of the scene classification that covers a grid, with a pixel around it."""
    there = crs_of(classes)
    bounds = array_bounds(*grid.shape, grid.affine)
    bounds = transform_bounds(crs_of(grid).to_wkt(), there.to_wkt(), *bounds)
    return whole_window(classes, box(*bounds).buffer(abs(classes.affine.a), join_style="mitre"))
