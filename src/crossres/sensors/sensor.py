"""The description of a sensor, and its optics as a Gaussian."""

from dataclasses import dataclass
from math import log, pi, sqrt


@dataclass(frozen=True)
class Sensor:
    """A multispectral camera; every tuple has one value per band, in the order of `bands`."""

    name: str
    bands: tuple[str, ...]
    """Common names: blue, green, red, nir, pan."""
    gsd_m: tuple[float, ...]
    """Ground sampling distance at nadir, in metres."""
    mtf: tuple[float, ...]
    """Modulation transfer function at the band's own Nyquist frequency (0 to 1)."""
    esun: tuple[float, ...]
    """Mean solar irradiance above the atmosphere at 1 au, in W m-2 um-1."""
    centre_nm: tuple[float, ...]
    """Centroid of the spectral response, in nanometres."""
    fwhm_nm: tuple[float, ...]
    """Full width at half maximum of the spectral response, in nanometres."""


def mtf_sigma_px(mtf: float) -> float:
    """Return the standard deviation, in pixels, of the Gaussian whose MTF at Nyquist (0.5 cycles/px) is `mtf`.

    From exp(-2 pi^2 sigma^2 f^2) = mtf at f = 1/2.
    """
    return sqrt(-2.0 * log(mtf)) / pi
