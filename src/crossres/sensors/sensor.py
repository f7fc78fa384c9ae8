"""The description of a sensor."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sensor:
    """A multispectral camera; every tuple has one value per band, in the order of `bands`."""

    name: str
    bands: tuple[str, ...]
    """Common names: blue, green, red, nir, pan; rededge1 to rededge3, nir08, swir16, swir22 as STAC writes them."""
    gsd_m: tuple[float, ...]
    """Ground sampling distance at nadir, in metres."""
    centre_nm: tuple[float, ...]
    """Centroid of the spectral response, in nanometres."""
    fwhm_nm: tuple[float, ...]
    """Full width at half maximum of the spectral response, in nanometres."""
    mtf: tuple[float, ...] = ()
    """Modulation transfer function at the band's own Nyquist frequency (0 to 1); empty where none is published."""
    esun: tuple[float, ...] = ()
    """Mean solar irradiance above the atmosphere at 1 au, in W m-2 um-1; empty where it is not needed."""
