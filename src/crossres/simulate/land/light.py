"""Light on the land: cast shadows, slopes towards and away from the Sun."""

import numpy as np

from crossres.simulate.land.landscape import Landscape

SKY_SHARE = {
    "blue": 0.36, "green": 0.29, "red": 0.24, "nir": 0.27, "pan": 0.26,
    "rededge1": 0.24, "rededge2": 0.26, "rededge3": 0.27, "nir08": 0.27, "swir16": 0.16, "swir22": 0.12,
}  # fmt: skip
"""Light from the sky, and from sunlit leaves around in the NIR, as a share of all: what a shadow still receives."""


def direct_light(landscape: Landscape, sun_azimuth: float, sun_elevation: float) -> np.ndarray:
    """Return the direct beam relative to that on flat open land, (row, column) float32; 0 in cast shadow.

    Angles in degrees, azimuth from north, clockwise.
    """
    gsd, height = landscape.gsd_m, landscape.object_m
    towards_east = float(np.sin(np.deg2rad(sun_azimuth)))
    towards_north = float(np.cos(np.deg2rad(sun_azimuth)))
    rise = float(np.tan(np.deg2rad(sun_elevation)))

    size = height.shape[0]
    axis = (np.arange(size) + 0.5 - size / 2) * gsd
    terrain = landscape.terrain.height_m(axis[None, ::8], -axis[::8, None])
    slope_row, slope_col = (np.float32(g) / (8 * gsd) for g in np.gradient(terrain))
    ground_slope = np.repeat(np.repeat(-slope_row * towards_north + slope_col * towards_east, 8, 0), 8, 1)[:size, :size]

    surface_row, surface_col = np.gradient(height, np.float32(gsd))
    facing = np.clip(surface_row * towards_north - surface_col * towards_east, -1.2, 1.2)
    light = np.clip(1 + (0.32 * facing - ground_slope) / rise, 0.3, 1.45).astype(np.float32)
    light[_shadow(height, towards_east, towards_north, rise, gsd)] = 0
    return light


def _shadow(height: np.ndarray, towards_east: float, towards_north: float, rise: float, gsd: float) -> np.ndarray:
    """Whether something nearer to the Sun stands above the ray through each pixel."""
    blocked = np.zeros(height.shape, bool)
    steps = int(np.ceil(float(height.max()) / rise / gsd))
    for step in range(1, steps + 1):
        drow, dcol = round(-towards_north * step), round(towards_east * step)
        here, there = _overlap(height.shape, drow, dcol)
        np.logical_or(blocked[here], height[there] > height[here] + rise * gsd * step, out=blocked[here])
    return blocked


def _overlap(shape: tuple[int, ...], drow: int, dcol: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    rows, cols = shape
    here = (slice(max(0, -drow), rows - max(0, drow)), slice(max(0, -dcol), cols - max(0, dcol)))
    there = (slice(max(0, drow), rows - max(0, -drow)), slice(max(0, dcol), cols - max(0, -dcol)))
    return here, there
