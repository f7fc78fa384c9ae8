"""From digital numbers to reflectance: calibration at the top of the atmosphere, and a first correction of its haze."""

from dataclasses import dataclass
from math import cos, pi, radians

import numpy as np

from crossres.acquire.gaofen2_metadata import ImageMetadata
from crossres.errors import UserError
from crossres.sensors.gaofen2 import MSS_BANDS, SENSORS, calibration
from crossres.sensors.sun import earth_sun_distance_au

DARK_SHARE = 1e-3
"""The darkest pixels of a scene: those below this quantile."""
DARK_REFLECTANCE = 0.01
"""What the darkest pixels are taken to reflect (Chavez 1996)."""
SCATTERING_EXPONENT = 2.0
"""Path radiance falls with wavelength^-2 in a clear atmosphere (Chavez 1988, table 1)."""
MOST_HAZE = 0.15
"""A blue path reflectance above this is a scene without dark pixels, not haze."""


@dataclass(frozen=True)
class Radiometry:
    """Reflectance = gain * DN + offset, by band."""

    gain: dict[str, float]
    offset: dict[str, float]
    calibration_year: int


def mss_radiometry(metadata: ImageMetadata) -> Radiometry:
    """Return what turns MSS digital numbers into top-of-atmosphere reflectance.

    rho = pi L d^2 / (ESUN cos(solar zenith)), L = gain DN + offset. Raises `UserError` for a Sun below the horizon and
    for a year without calibration.
    """
    if not 0 <= metadata.sun_zenith_deg < 88:
        raise UserError(f"solar zenith is {metadata.sun_zenith_deg:.1f} degrees: a night scene has no reflectance")
    coefficients = calibration(metadata.sensor, metadata.time.year, MSS_BANDS)
    distance = earth_sun_distance_au(metadata.time)
    sensor = SENSORS[metadata.sensor]
    factor = {
        band: pi * distance**2 / (esun * cos(radians(metadata.sun_zenith_deg)))
        for band, esun in zip(sensor.bands, sensor.esun, strict=True)
    }
    return Radiometry(
        {b: coefficients.gain[b] * factor[b] for b in MSS_BANDS},
        {b: coefficients.offset[b] * factor[b] for b in MSS_BANDS},
        coefficients.year_used,
    )


def path_reflectance(reflectance: np.ndarray, centre_nm: np.ndarray) -> np.ndarray:
    """Estimate what the atmosphere adds to each band of a (band, row, column) TOA image, NaN where there is no data.

    The dark-object method (Chavez 1988, 1996): each band's darkest pixels, less what they should reflect. No band may
    exceed what scattering proportional to wavelength^-2 allows from the shortest band (a forest's near infrared has no
    dark pixels and would lose its brightness), and nothing is taken from a scene that has no dark pixels at all.
    Returns (band,) reflectance, never negative; zeros when fewer than 1000 pixels are valid.
    """
    valid = np.isfinite(reflectance).all(axis=0)
    if np.count_nonzero(valid) < 1000:
        return np.zeros(len(reflectance))
    dark = np.array([np.quantile(band[valid], DARK_SHARE) for band in reflectance], np.float64) - DARK_REFLECTANCE
    first = int(np.argmin(centre_nm))
    if dark[first] > MOST_HAZE:
        return np.zeros(len(reflectance))
    allowed = dark[first] * (np.asarray(centre_nm, np.float64) / centre_nm[first]) ** -SCATTERING_EXPONENT
    return np.clip(np.minimum(dark, allowed), 0.0, None)
