"""From digital numbers to reflectance at the top of the atmosphere."""

from dataclasses import dataclass
from math import cos, pi, radians

import numpy as np

from crossres.acquire.gaofen2.metadata import ImageMetadata
from crossres.errors import UserError
from crossres.sensors.gaofen2 import MSS_BANDS, SENSORS, calibration
from crossres.sensors.sun import earth_sun_distance_au


@dataclass(frozen=True)
class ToaCoefficients:
    """Reflectance = gain * DN + offset, by band."""

    gain: dict[str, float]
    offset: dict[str, float]
    calibration_year: int
    """Year whose coefficients were published and are used."""
    warning: str | None = None
    """What is wrong with them: the image is younger."""

    def applied(self, numbers: np.ndarray) -> np.ndarray:
        """Return the reflectance of (band, row, column) MSS numbers."""
        gain, offset = (
            np.array([values[b] for b in MSS_BANDS], np.float32)[:, None, None] for values in (self.gain, self.offset)
        )
        return numbers * gain + offset


def mss_radiometry(metadata: ImageMetadata) -> ToaCoefficients:
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
    return ToaCoefficients(
        {b: coefficients.gain[b] * factor[b] for b in MSS_BANDS},
        {b: coefficients.offset[b] * factor[b] for b in MSS_BANDS},
        coefficients.year_used,
        coefficients.warning,
    )
