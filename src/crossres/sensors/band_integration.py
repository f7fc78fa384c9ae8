"""From a spectrum to what each band of a sensor sees of it."""

import numpy as np

from crossres.sensors.sensor import Sensor

FLATNESS = 4
"""Exponent of the response: real filters are flatter on top and steeper at the edges than a Gaussian (2)."""


def response(sensor: Sensor, wavelength_nm: np.ndarray) -> np.ndarray:
    """Return the approximate spectral response of each band, (band, wavelength), each row summing to 1.

    A flat-topped Gaussian, exp(-ln 2 (2 |w - centre| / FWHM)^4), sampled at evenly spaced wavelengths.
    """
    centre = np.asarray(sensor.centre_nm)[:, None]
    fwhm = np.asarray(sensor.fwhm_nm)[:, None]
    weight = np.exp(-np.log(2.0) * (2.0 * np.abs(wavelength_nm - centre) / fwhm) ** FLATNESS)
    return weight / weight.sum(axis=1, keepdims=True)


def band_reflectance(spectra: np.ndarray, wavelength_nm: np.ndarray, sensor: Sensor) -> np.ndarray:
    """Integrate spectra (..., wavelength) over the bands of `sensor`; returns (..., band)."""
    return spectra @ response(sensor, wavelength_nm).T
