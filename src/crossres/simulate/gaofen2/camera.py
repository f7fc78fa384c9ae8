"""Gaofen-2's camera: where a point on the ground falls in the raw image, as the RPCs say and as it truly is."""

from dataclasses import dataclass

import numpy as np

from crossres.simulate.land.terrain import Terrain


@dataclass(frozen=True)
class Camera:
    """A pushbroom camera over a small area: linear in ground position, with relief displaced away from nadir.

    Ground coordinates are metres east and north of the place's centre; height is ellipsoidal.
    """

    gsd_m: float
    lines: int
    samples: int
    sample_azimuth_deg: float
    """Direction in which sample numbers grow, from north, clockwise; lines grow 90 degrees further."""
    reference_height_m: float
    relief: tuple[float, float]
    """Displacement to the east and north per metre above the reference height."""

    def project(self, east: np.ndarray, north: np.ndarray, height: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (line, sample) of ground points, the first pixel's centre being (0, 0)."""
        east = east + (height - self.reference_height_m) * self.relief[0]
        north = north + (height - self.reference_height_m) * self.relief[1]
        a = np.deg2rad(self.sample_azimuth_deg)
        sample = (east * np.sin(a) + north * np.cos(a)) / self.gsd_m + (self.samples - 1) / 2
        line = (east * np.cos(a) - north * np.sin(a)) / self.gsd_m + (self.lines - 1) / 2
        return line, sample

    def locate(self, line: np.ndarray, sample: np.ndarray, height: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (east, north) of the points at `height` that fall on (line, sample)."""
        a = np.deg2rad(self.sample_azimuth_deg)
        right = (sample - (self.samples - 1) / 2) * self.gsd_m
        down = (line - (self.lines - 1) / 2) * self.gsd_m
        east = right * np.sin(a) + down * np.cos(a) - (height - self.reference_height_m) * self.relief[0]
        north = right * np.cos(a) - down * np.sin(a) - (height - self.reference_height_m) * self.relief[1]
        return east, north


@dataclass(frozen=True)
class LocationError:
    """What the RPCs get wrong: they put the ground point p at p + shift(p)."""

    bias_m: tuple[float, float]
    """Constant part, east and north."""
    drift: tuple[float, float, float, float]
    """Metres per metre: d(east)/d(east), d(east)/d(north), d(north)/d(east), d(north)/d(north)."""
    jitter_m: tuple[float, float]
    """Amplitude of a slow attitude wave along the track, east and north."""
    jitter_wavelength_m: float
    jitter_phase: float

    def shift_m(self, east: np.ndarray, north: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the shift to the east and north, in metres."""
        wave = np.sin(2 * np.pi * north / self.jitter_wavelength_m + self.jitter_phase)
        a, b, c, d = self.drift
        return (
            self.bias_m[0] + a * east + b * north + self.jitter_m[0] * wave,
            self.bias_m[1] + c * east + d * north + self.jitter_m[1] * wave,
        )


def draw_location_error(rng: np.random.Generator, bias_std_m: float) -> LocationError:
    """Draw a bias with a standard deviation per axis, and a drift and jitter of a metre or less."""
    bias, drift, jitter = rng.normal(0, bias_std_m, 2), rng.normal(0, 5e-4, 4), rng.normal(0, 0.35, 2)
    return LocationError(
        bias_m=(float(bias[0]), float(bias[1])),
        drift=(float(drift[0]), float(drift[1]), float(drift[2]), float(drift[3])),
        jitter_m=(float(jitter[0]), float(jitter[1])),
        jitter_wavelength_m=float(rng.uniform(1500, 3000)),
        jitter_phase=float(rng.uniform(0, 2 * np.pi)),
    )


def true_ground(
    camera: Camera, error: LocationError, terrain: Terrain, line: np.ndarray, sample: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return (east, north) of the ground that a detector at (line, sample) truly saw."""
    east, north = camera.locate(line, sample, np.asarray(camera.reference_height_m))
    for _ in range(6):
        shift = error.shift_m(east, north)
        east, north = camera.locate(line, sample, terrain.height_m(east, north))
        east, north = east - shift[0], north - shift[1]
    return east, north
