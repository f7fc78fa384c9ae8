"""Distances and blocks on the ground, anywhere on Earth, for polygons in degrees."""

import numpy as np
import shapely

from crossres.globe import split_each, unwrapped

METRES_PER_DEGREE = 111_195.0
"""On a sphere of 6371 km: within 0.6 % of the ellipsoid's, which SPARE covers."""
SPARE = 1.02
"""Distances are taken this much larger than asked, since a footprint's degrees of longitude differ in length."""
LEAST_M = 1e-3
"""Narrower buffers are lost in the rounding of degrees."""


def widened(polygons: np.ndarray, metres: float) -> np.ndarray:
    """Return polygons in degrees widened by at least `metres` on every side.

    Each is stretched so that a degree of longitude is as long as one of latitude at its pole-ward end, widened, and
    brought back: never too little for a polygon up to a degree high below 80 degrees of latitude.
    """
    if metres == 0 or not len(polygons):
        return polygons
    _, south, _, north = shapely.bounds(polygons).T
    shrink = np.cos(np.radians(np.minimum(np.maximum(np.abs(south), np.abs(north)), 89.0)))
    scaled = _stretched(polygons, shrink)
    width = SPARE * max(metres, LEAST_M) / METRES_PER_DEGREE
    return split_each(_stretched(shapely.buffer(scaled, width), 1 / shrink))


def centres(polygons: np.ndarray) -> np.ndarray:
    """Return the (n, 2) longitude and latitude of the centre of each polygon in degrees."""
    west, _, east, _ = shapely.bounds(polygons).T
    whole = np.array(polygons, object)
    for i in np.flatnonzero(east - west > 180.0):  # in parts on both sides of 180 degrees
        whole[i] = unwrapped(polygons[i])
    found = shapely.get_coordinates(shapely.centroid(whole))
    found[:, 0] = np.where(found[:, 0] > 180.0, found[:, 0] - 360.0, found[:, 0])
    return found


def _stretched(polygons: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Return polygons with each one's longitudes multiplied by a factor of its own."""
    result = np.array(polygons, object)
    coordinates, index = shapely.get_coordinates(result, return_index=True)
    coordinates[:, 0] *= factors[index]
    return shapely.set_coordinates(result, coordinates)


def blocks(longitude: np.ndarray, latitude: np.ndarray, side_m: float) -> np.ndarray:
    """Return the (n, 2) row and column of the block of ground that each point lies in.

    Rows of blocks are bands of latitude; each is cut into blocks as long as it is high, from Greenwich on. The same
    ground is in the same block, whatever scene it comes from.
    """
    row = np.floor(latitude * METRES_PER_DEGREE / side_m)
    middle = np.radians((row + 0.5) * side_m / METRES_PER_DEGREE)
    column = np.floor(longitude * METRES_PER_DEGREE * np.cos(middle) / side_m)
    return np.stack([row, column], axis=-1).astype(np.int64)
