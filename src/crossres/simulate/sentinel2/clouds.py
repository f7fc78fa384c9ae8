"""Clouds and their shadows over a Sentinel-2 scene."""

from dataclasses import dataclass

import numpy as np

from crossres.simulate import noise
from crossres.simulate.optics import area_matrix, resample

REFLECTANCE = {
    "blue": 0.62, "green": 0.61, "red": 0.62, "nir": 0.66,
    "rededge1": 0.63, "rededge2": 0.65, "rededge3": 0.66, "nir08": 0.66, "swir16": 0.48, "swir22": 0.36,
}  # fmt: skip
"""Of thick cloud; its droplets absorb in the SWIR."""
BASE_HEIGHT_M = 900.0


@dataclass(frozen=True)
class Clouds:
    """Opacity of cloud and of cloud shadow, both (row, column) float32 in 0..1."""

    opacity: np.ndarray
    shadow: np.ndarray

    def over(self, reflectance: np.ndarray, band: str) -> np.ndarray:
        """Return reflectance with the clouds drawn over it and their shadows on it."""
        shaded = reflectance * (1 - 0.62 * self.shadow)
        return shaded + self.opacity * (np.float32(REFLECTANCE[band]) - shaded)

    def means(self, pixels: int) -> "Clouds":
        """Return the same clouds on pixels of `pixels` x `pixels` of these."""
        size = len(self.opacity)
        mean = area_matrix(size, 1.0, 0.0, size // pixels, pixels)
        return Clouds(resample(mean, self.opacity, mean), resample(mean, self.shadow, mean))


def draw_clouds(
    rng: np.random.Generator, size: int, gsd_m: float, share: float, sun_azimuth: float, sun_elevation: float
) -> Clouds:
    """Draw cumulus clouds over about `share` of (size, size) pixels, and the shadows they cast away from the Sun."""
    reach = BASE_HEIGHT_M / np.tan(np.deg2rad(sun_elevation)) / gsd_m
    # The shadow lies away from the Sun, so the cloud that shades a pixel is found towards it.
    drow, dcol = (round(float(f(np.deg2rad(sun_azimuth)) * reach * sign)) for f, sign in ((np.cos, -1), (np.sin, 1)))
    pad = int(np.ceil(reach)) + 1
    wide = size + 2 * pad
    if share <= 0:
        return Clouds(np.zeros((size, size), np.float32), np.zeros((size, size), np.float32))
    field = np.zeros((wide, wide), np.float32)
    for spacing_m, weight in ((420.0, 1.0), (160.0, 0.4), (60.0, 0.2), (25.0, 0.09)):
        field += weight * noise.smooth_field(rng, wide, spacing_m / gsd_m)
    here = slice(pad, pad + size)
    threshold = np.quantile(field[here, here], 1 - share)
    opacity = np.clip((field - threshold) / 0.45, 0, 1).astype(np.float32) ** 0.7
    shadow = opacity[pad + drow : pad + drow + size, pad + dcol : pad + dcol + size]
    return Clouds(opacity[here, here], shadow)
