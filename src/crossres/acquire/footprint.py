"""The footprint of a raster: where it really has data, not its bounding box."""

from collections.abc import Sequence

import numpy as np
import rasterio
import shapely
from pyproj import CRS
from rasterio.features import shapes
from rasterio.transform import Affine
from scipy.ndimage import binary_fill_holes
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from crossres.errors import UserError
from crossres.foreign_raster import alpha_mask, read_numbers
from crossres.globe import LON_LAT, reproject, split

LONGEST_SIDE = 512
"""Side of the decimated image that the footprint is drawn from, in pixels."""
SMALLEST_SHARE = 0.005
"""Parts below this share of the raster are specks, not footprint."""


def valid_footprint(src: rasterio.DatasetReader, nodata: float | None, bands: Sequence[int]) -> BaseGeometry:
    """Return the outline of a raster's valid pixels in degrees, in parts where it crosses 180.

    `nodata` overrides the file's own tag; a pixel is empty when all of `bands` (counted from 1) are. Holes inside
    (clouds masked by a provider, lakes of zeros) stay part of it. Raises `UserError` when no pixel is valid.
    """
    step = max(1.0, max(src.shape) / LONGEST_SIDE)
    size = (max(1, round(src.height / step)), max(1, round(src.width / step)))
    values = read_numbers(src, bands, alpha=alpha_mask(src), shape=size)
    if nodata is None:
        empty = np.ma.getmaskarray(values) | (np.isnan(values.data) if values.dtype.kind == "f" else False)
        valid = ~empty.all(axis=0)
    else:
        valid = ~(np.isnan(values.data) if np.isnan(nodata) else values.data == nodata).all(axis=0)
    pixel = src.transform * Affine.scale(src.width / size[1], src.height / size[0])
    filled = binary_fill_holes(valid).astype(np.uint8)
    parts = [shape(geometry) for geometry, _ in shapes(filled, mask=filled > 0, transform=pixel)]
    whole = abs(src.width * src.height * src.transform.determinant)
    kept = [p for p in parts if p.area >= SMALLEST_SHARE * whole]
    if not kept:
        raise UserError(f"{src.name}: has no valid pixels (nodata is {src.nodata if nodata is None else nodata})")
    outline = shapely.union_all(kept)
    if not filled.all():
        outline = outline.simplify(1.5 * max(np.hypot(pixel.a, pixel.d), np.hypot(pixel.b, pixel.e)))
    return split(reproject(outline, CRS.from_wkt(src.crs.to_wkt()), LON_LAT).simplify(1e-6))
