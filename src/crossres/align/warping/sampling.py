"""Where an LR index falls in the HR raster, and band-limited values of the HR raster there."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.transform import Affine
from scipy import ndimage


@dataclass(frozen=True)
class Displacement:
    """How far HR content lies from where the LR image has it, at the crossings of some rows and columns."""

    rows: np.ndarray
    """(n, m) displacement along rows, in LR pixels."""
    cols: np.ndarray
    """(n, m) displacement along columns, in LR pixels."""


def hr_indices(
    lr: GeoBox, hr: GeoBox, rows: np.ndarray, cols: np.ndarray, displacement: Displacement | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the (n, m) row and column indices in `hr` of the crossings of LR rows (n,) and columns (m,).

    Indices count from the centre of the first pixel. With a displacement, the HR content that belongs there.
    """
    r, c = np.meshgrid(np.asarray(rows, np.float64), np.asarray(cols, np.float64), indexing="ij")
    if displacement is not None:
        r, c = r + displacement.rows, c + displacement.cols
    x, y = transform(lr.affine, c + 0.5, r + 0.5)
    if lr.crs != hr.crs:
        x, y = _transformer(str(lr.crs), str(hr.crs)).transform(x, y)
    c, r = transform(~hr.affine, x, y)
    return r - 0.5, c - 0.5


@lru_cache(maxsize=4)
def _transformer(source: str, target: str) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)


def transform(affine: Affine, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return arrays of points mapped by an affine transform."""
    return affine.a * x + affine.b * y + affine.c, affine.d * x + affine.e * y + affine.f


def lr_pixel_in_hr(lr: GeoBox, hr: GeoBox) -> float:
    """Return the side of an LR pixel in HR pixels, at the LR grid's centre."""
    row, col = lr.shape[0] / 2, lr.shape[1] / 2
    r, c = hr_indices(lr, hr, np.array([row, row + 1]), np.array([col, col + 1]))
    return float(abs((r[1, 0] - r[0, 0]) * (c[0, 1] - c[0, 0]) - (r[0, 1] - r[0, 0]) * (c[1, 0] - c[0, 0])) ** 0.5)


def filled(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a (band, row, column) image whose gaps carry their nearest valid pixel, and the (row, column) validity.

    A pixel is valid when all bands are.
    """
    valid = np.isfinite(values).all(axis=0)
    if valid.all():
        return values, valid
    if not valid.any():
        return np.zeros_like(values), valid
    index = ndimage.distance_transform_edt(~valid, return_distances=False, return_indices=True)
    return values[:, index[0], index[1]], valid


def low_pass(image: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """Filter the last two axes of an image with the same taps."""
    if taps.size > 1:
        for axis in (-2, -1):
            image = ndimage.correlate1d(image, taps, axis=axis, mode="nearest")
    return image


def spline_coefficients(image: np.ndarray) -> np.ndarray:
    """Return the cubic spline coefficients of each band of a (band, row, column) image, for `interpolate`."""
    return np.stack([ndimage.spline_filter(band, order=3, output=np.float32, mode="mirror") for band in image])


def interpolate(coefficients: np.ndarray, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
    """Return (band, ...) cubic spline values at row and column indices, constant beyond the border."""
    height, width = coefficients.shape[1:]
    where = [np.clip(rows, 0, height - 1), np.clip(cols, 0, width - 1)]
    return np.stack(
        [
            ndimage.map_coordinates(b, where, order=3, prefilter=False, output=np.float32, mode="mirror")
            for b in coefficients
        ]
    )


def gaps_before(valid: np.ndarray) -> np.ndarray:
    """Return the (row + 1, column + 1) number of pixels above and to the left that are not valid, for `covered`."""
    count = np.zeros((valid.shape[0] + 1, valid.shape[1] + 1), np.int64)
    np.cumsum(np.cumsum(~valid, axis=0), axis=1, out=count[1:, 1:])
    return count


def covered(gaps: np.ndarray, rows: np.ndarray, cols: np.ndarray, side_px: float) -> np.ndarray:
    """Say where a square of `side_px` around row and column indices has only pixels that are inside and valid.

    `gaps` comes from `gaps_before`. A pixel is in the square when its centre is.
    """
    height, width = gaps.shape[0] - 1, gaps.shape[1] - 1
    top, bottom = np.ceil(rows - side_px / 2), np.floor(rows + side_px / 2)
    left, right = np.ceil(cols - side_px / 2), np.floor(cols + side_px / 2)
    inside = (top >= 0) & (bottom < height) & (left >= 0) & (right < width)
    t, b = (np.clip(v, 0, height).astype(np.intp) for v in (top, bottom + 1))
    le, r = (np.clip(v, 0, width).astype(np.intp) for v in (left, right + 1))
    return inside & (gaps[b, r] - gaps[t, r] - gaps[b, le] + gaps[t, le] == 0)
