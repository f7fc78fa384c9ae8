"""The rational polynomial camera of a satellite image: ground to image, and back at a known height.

Image coordinates are GDAL's: (0, 0) is the outer corner of the first pixel, (0.5, 0.5) its centre. An RPC itself counts
from the centre of the first pixel.
"""

from dataclasses import dataclass

import numpy as np
from rasterio.rpc import RPC
from shapely.geometry import Polygon

from crossres.errors import UserError

LARGEST_FOOTPRINT_DEG = 10.0
"""A scene of Gaofen-2 reaches over half a degree; a strip over some."""


@dataclass(frozen=True)
class ImagePoints:
    """Where points fall in an image, in pixels from its outer corner."""

    row: np.ndarray
    col: np.ndarray


def project(rpc: RPC, lon: np.ndarray, lat: np.ndarray, height_m: np.ndarray | float) -> ImagePoints:
    """Project ground points (degrees, ellipsoidal metres; any one shape) into the image.

    RPC00B of the NITF standard, STDI-0002 volume 1, appendix E: row = LINE_SCALE * P1 / P2 + LINE_OFF, and so for
    columns, with cubic polynomials of normalised latitude, longitude and height.
    """
    terms = _terms(*_normalised(rpc, lon, lat, height_m))
    line = (terms @ np.asarray(rpc.line_num_coeff)) / (terms @ np.asarray(rpc.line_den_coeff))
    sample = (terms @ np.asarray(rpc.samp_num_coeff)) / (terms @ np.asarray(rpc.samp_den_coeff))
    return ImagePoints(line * rpc.line_scale + rpc.line_off + 0.5, sample * rpc.samp_scale + rpc.samp_off + 0.5)


def locate(
    rpc: RPC, row: np.ndarray, col: np.ndarray, height_m: np.ndarray | float, tolerance_px: float = 1e-4
) -> tuple[np.ndarray, np.ndarray]:
    """Return (longitude, latitude) in degrees of image points at a height in ellipsoidal metres.

    Newton's method with a Jacobian by differences. Raises `UserError` when it does not converge: such an RPC is broken.
    """
    row, col, height = np.broadcast_arrays(
        np.asarray(row, np.float64), np.asarray(col, np.float64), np.asarray(height_m, np.float64)
    )
    lon = np.full(row.shape, float(rpc.long_off))
    lat = np.full(row.shape, float(rpc.lat_off))
    step = 1e-6
    with np.errstate(all="ignore"):  # what is not finite ends the loop
        for _ in range(30):
            here = project(rpc, lon, lat, height)
            miss_row, miss_col = row - here.row, col - here.col
            if np.all(np.hypot(miss_row, miss_col) < tolerance_px):
                return lon, lat
            east = project(rpc, lon + step, lat, height)
            north = project(rpc, lon, lat + step, height)
            row_lon, col_lon = (east.row - here.row) / step, (east.col - here.col) / step
            row_lat, col_lat = (north.row - here.row) / step, (north.col - here.col) / step
            determinant = row_lon * col_lat - row_lat * col_lon
            if not np.all(np.isfinite(determinant) & (determinant != 0)):
                break
            lon = lon + (miss_row * col_lat - miss_col * row_lat) / determinant
            lat = lat + (miss_col * row_lon - miss_row * col_lon) / determinant
    raise UserError("the RPC cannot be inverted: its coefficients do not describe a camera; get the .rpb file anew")


def shifted(rpc: RPC, row: float, col: float) -> RPC:
    """Return the RPC of the part of an image that begins at (row, col)."""
    return RPC(**{**rpc.to_dict(), "line_off": rpc.line_off - row, "samp_off": rpc.samp_off - col})


def rescaled(rpc: RPC, row_step: float, col_step: float) -> RPC:
    """Return the RPC of an image decimated by averaging `row_step` x `col_step` pixels into one."""
    scaled = {
        "line_off": (rpc.line_off + 0.5) / row_step - 0.5,
        "samp_off": (rpc.samp_off + 0.5) / col_step - 0.5,
        "line_scale": rpc.line_scale / row_step,
        "samp_scale": rpc.samp_scale / col_step,
    }
    return RPC(**{**rpc.to_dict(), **scaled})


def mapped(rpc: RPC, affine: np.ndarray, shape: tuple[int, int], heights_m: tuple[float, float]) -> RPC:
    """Return the RPC that adds `affine` @ (1, row, column), (2, 3), to where `rpc` puts a point of an image.

    Fitted over the image (`shape` rows, columns) and a range of heights: numerators change by as little as does it,
    denominators stay. For maps of up to some pixels in a whole scene that is exact to 0.001 pixels.
    """
    row, col, height = (
        axis.ravel()
        for axis in np.meshgrid(
            np.linspace(0, shape[0], 12), np.linspace(0, shape[1], 12), np.linspace(*heights_m, 5), indexing="ij"
        )
    )
    lon, lat = locate(rpc, row, col, height)
    terms = _terms(*_normalised(rpc, lon, lat, height))
    add_row, add_col = affine @ np.stack([np.ones_like(row), row, col])
    content = rpc.to_dict()
    for axis, add, scale in (("line", add_row, rpc.line_scale), ("samp", add_col, rpc.samp_scale)):
        quotients = terms / (terms @ np.asarray(content[f"{axis}_den_coeff"]))[:, None]
        change = np.linalg.lstsq(quotients, add / scale, rcond=1e-9)[0]
        content[f"{axis}_num_coeff"] = (np.asarray(content[f"{axis}_num_coeff"]) + change).tolist()
    return RPC(**content)


def footprint(rpc: RPC, height_px: int, width_px: int, height_m: float, points_per_side: int = 5) -> Polygon:
    """Return the outline of an image on the ground (longitude, latitude) at an ellipsoidal height in metres.

    Raises `UserError` when the RPC cannot be inverted, or sees an outline that no image has: of more than
    `LARGEST_FOOTPRINT_DEG` of latitude, or as far along a parallel, beyond a pole, or crossing itself.
    """
    along = np.linspace(0, 1, points_per_side)[:-1]
    zero, one = np.zeros_like(along), np.ones_like(along)
    row = np.concatenate([zero, along, one, 1 - along]) * height_px
    col = np.concatenate([along, one, 1 - along, zero]) * width_px
    lon, lat = locate(rpc, row, col, height_m)
    outline = Polygon(zip(lon.tolist(), lat.tolist(), strict=True))
    across = np.ptp(lon) * np.cos(np.deg2rad(lat.mean()))
    if np.abs(lat).max() >= 90 or max(across, np.ptp(lat)) > LARGEST_FOOTPRINT_DEG or not outline.is_valid:
        raise UserError("the RPC does not describe a camera: its image lies on no ground; get the .rpb file anew")
    return outline


def _normalised(
    rpc: RPC, lon: np.ndarray, lat: np.ndarray, height_m: np.ndarray | float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    east = np.asarray(lon, np.float64) - rpc.long_off
    east = np.where(np.abs(east) > 180.0, east - np.copysign(360.0, east), east)  # the short way, across 180 degrees
    return (
        east / rpc.long_scale,
        (np.asarray(lat, np.float64) - rpc.lat_off) / rpc.lat_scale,
        (np.asarray(height_m, np.float64) - rpc.height_off) / rpc.height_scale,
    )


def _terms(lon: np.ndarray, lat: np.ndarray, h: np.ndarray) -> np.ndarray:
    """Return the 20 terms of RPC00B, (..., 20), of normalised coordinates."""
    one = np.ones(np.broadcast(lon, lat, h).shape)
    terms = (
        one, lon, lat, h, lon * lat, lon * h, lat * h, lon**2, lat**2, h**2,
        lat * lon * h, lon**3, lon * lat**2, lon * h**2, lon**2 * lat, lat**3, lat * h**2, lon**2 * h, lat**2 * h, h**3,
    )  # fmt: skip
    return np.stack([np.broadcast_to(t, one.shape) for t in terms], axis=-1)
