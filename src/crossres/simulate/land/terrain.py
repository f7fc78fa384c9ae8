"""The height of the land, as a function that can be asked anywhere."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Terrain:
    """Ellipsoidal height = base + slope + a sum of plane waves; coordinates are metres from the place's centre."""

    base_m: float
    slope: tuple[float, float]
    """Rise per metre to the east and to the north."""
    wave_vectors: np.ndarray
    """(wave, 2) in radians per metre."""
    amplitudes_m: np.ndarray
    phases: np.ndarray

    def height_m(self, east: np.ndarray, north: np.ndarray) -> np.ndarray:
        """Return heights in metres at positions that broadcast against each other."""
        height = self.base_m + self.slope[0] * east + self.slope[1] * north
        for (kx, ky), amplitude, phase in zip(self.wave_vectors, self.amplitudes_m, self.phases, strict=True):
            height = height + amplitude * np.sin(kx * east + ky * north + phase)
        return height


def make_terrain(rng: np.random.Generator, relief_m: float) -> Terrain:
    """Return a terrain whose standard deviation is about `relief_m`, with wavelengths of 500 m to 4 km."""
    waves = 14
    wavelength = np.geomspace(500.0, 4000.0, waves)
    direction = rng.uniform(0, np.pi, waves)
    weight = wavelength**1.2 * rng.uniform(0.5, 1.5, waves)
    amplitude = relief_m * np.sqrt(2.0) * weight / np.linalg.norm(weight)
    k = 2 * np.pi / wavelength
    return Terrain(
        base_m=float(rng.uniform(35.0, 110.0)),
        slope=(float(rng.normal(0, 0.001)), float(rng.normal(0, 0.001))),
        wave_vectors=np.stack([k * np.cos(direction), k * np.sin(direction)], axis=1),
        amplitudes_m=amplitude,
        phases=rng.uniform(0, 2 * np.pi, waves),
    )
