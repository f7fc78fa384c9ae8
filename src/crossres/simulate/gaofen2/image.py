"""What Gaofen-2 sees of a place: raw PAN and MSS images in sensor geometry, in 10 bit numbers."""

from dataclasses import dataclass
from datetime import datetime
from math import cos, pi, radians

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from crossres.sensors.gaofen2 import MSS_BANDS, Calibration
from crossres.sensors.sensor import Sensor
from crossres.sensors.sun import earth_sun_distance_au
from crossres.simulate import noise
from crossres.simulate.gaofen2.camera import Camera, LocationError, true_ground
from crossres.simulate.land.landscape import Landscape
from crossres.simulate.land.surface import Surface
from crossres.simulate.optics import linear_matrix, mtf_sigma_px, resample

DN_MAX = 1023
PATH_REFLECTANCE = {"blue": 0.060, "green": 0.040, "red": 0.027, "nir": 0.014, "pan": 0.028}
"""What a hazy spring atmosphere adds at the top."""
TRANSMITTANCE = {"blue": 0.80, "green": 0.85, "red": 0.88, "nir": 0.92, "pan": 0.88}
"""Share of the surface's reflectance that is left at the top, down and up again."""
LINEAR_INTERPOLATION_VARIANCE = 1 / 6
"""Mean variance, in square pixels, of the blur of linear interpolation at an even spread of positions."""
KNOT_PX = 16
"""Detector positions are computed at every 16th pixel and interpolated: terrain and jitter are smooth."""
BANDS_OF = {"PAN": ("pan",), "MSS": MSS_BANDS}


@dataclass(frozen=True)
class DayRadiometry:
    """How surface reflectance becomes numbers on one day."""

    sensor: Sensor
    calibration: Calibration
    time: datetime
    sun_elevation: float
    haze: float
    """Haze relative to `PATH_REFLECTANCE`."""
    gain_error: dict[str, float]
    """True gain over the published one, by band."""

    def numbers(self, reflectance: np.ndarray, haze: np.ndarray, band: str, rng: np.random.Generator) -> np.ndarray:
        """Return DN (uint16, 1 to 1023) of surface reflectance under `haze` (a factor per pixel)."""
        top = TRANSMITTANCE[band] * reflectance + PATH_REFLECTANCE[band] * self.haze * haze
        irradiance = self.sensor.esun[self.sensor.bands.index(band)] * cos(radians(90 - self.sun_elevation))
        radiance = top * irradiance / (pi * earth_sun_distance_au(self.time) ** 2)
        dn = (radiance * self.gain_error[band] - self.calibration.offset[band]) / self.calibration.gain[band]
        sigma = np.sqrt(1.0 + 0.012 * np.maximum(dn, 0))
        return np.clip(np.rint(dn + sigma * rng.standard_normal(dn.shape, np.float32)), 1, DN_MAX).astype(np.uint16)


def take_image(
    rng: np.random.Generator, landscape: Landscape, surface: Surface, camera: Camera, error: LocationError,
    radiometry: DayRadiometry, bands: tuple[str, ...],
) -> np.ndarray:  # fmt: skip
    """Return the raw image, (band, line, sample) uint16."""
    rows, cols = _fine_position(landscape, camera, error)
    haze = _haze(rng, camera)
    out = np.empty((len(bands), camera.lines, camera.samples), np.uint16)
    for i, band in enumerate(bands):
        mtf = radiometry.sensor.mtf[radiometry.sensor.bands.index(band)]
        sigma = mtf_sigma_px(mtf) * camera.gsd_m / landscape.gsd_m
        blur = np.sqrt(max(sigma**2 - LINEAR_INTERPOLATION_VARIANCE, 0.0))
        fine = gaussian_filter(surface.reflectance(radiometry.sensor, band), blur, truncate=3.0)
        seen = map_coordinates(fine, (rows, cols), order=1, mode="nearest")
        out[i] = radiometry.numbers(seen, haze, band, rng)
    return out


def _fine_position(landscape: Landscape, camera: Camera, error: LocationError) -> tuple[np.ndarray, np.ndarray]:
    """Return where each detector looks, as (row, column) of the landscape, float32."""
    lines, samples = (np.arange(0, n + KNOT_PX, KNOT_PX, dtype=np.float64) for n in (camera.lines, camera.samples))
    east, north = true_ground(camera, error, landscape.terrain, lines[:, None], samples[None])
    half = landscape.object_m.shape[0] / 2
    row_weight = linear_matrix(camera.lines, len(lines), KNOT_PX)
    col_weight = linear_matrix(camera.samples, len(samples), KNOT_PX)
    position = (half - north / landscape.gsd_m - 0.5, half + east / landscape.gsd_m - 0.5)
    row, col = (resample(row_weight, knots.astype(np.float32), col_weight) for knots in position)
    return row, col


def _haze(rng: np.random.Generator, camera: Camera) -> np.ndarray:
    """Haze varies by a few percent over kilometres."""
    size = max(camera.lines, camera.samples)
    field = noise.smooth_field(rng, size, 700.0 / camera.gsd_m)
    return (1 + 0.06 * field)[: camera.lines, : camera.samples]
