"""First corrections of top-of-atmosphere reflectance: what they are is said by their label, and none is a full one."""

from dataclasses import dataclass
from math import cos, exp, radians, sqrt

import numpy as np

from crossres.imagery.numbers import NODATA, OFFSET, SCALE

DARK_SHARE = 1e-3
"""The darkest pixels of a scene: those below this quantile."""
DARK_REFLECTANCE = 0.01
"""What the darkest pixels are taken to reflect (Chavez 1996)."""
SCATTERING_EXPONENT = 2.0
"""Path radiance falls with wavelength^-2 in a clear atmosphere (Chavez 1988, table 1)."""
MOST_HAZE = 0.15
"""A blue path reflectance above this is a scene without dark pixels, not haze."""
FEWEST_PIXELS = 1000
DEPOLARISATION = 0.0279
"""Of molecules of the air."""
SCALE_HEIGHT_M = 8400.0
"""Height over which the pressure of the air falls to 1/e."""


@dataclass(frozen=True)
class Atmosphere:
    """What lies between the surface and the top, by band: top = path + transmittance * s / (1 - albedo * s)."""

    label: str
    path: np.ndarray
    """(band,) reflectance of the atmosphere itself."""
    transmittance: np.ndarray
    """(band,) down and up."""
    albedo: np.ndarray
    """(band,) spherical albedo: light that goes up and comes back."""

    def below_haze(self, top: np.ndarray) -> np.ndarray:
        """Return (band, row, column) reflectance without path and loss, still linear in what the sensor saw."""
        path, transmittance = (v.astype(np.float32)[:, None, None] for v in (self.path, self.transmittance))
        return (top - path) / transmittance

    def surface(self, below: np.ndarray) -> np.ndarray:
        """Return the surface's reflectance of what `below_haze` gave."""
        return below if not self.albedo.any() else below / (1 + self.albedo.astype(np.float32)[:, None, None] * below)


@dataclass(frozen=True)
class DarkPixels:
    """How often each number occurs, to find a scene's darkest pixels; those of two parts can be added."""

    counts: np.ndarray
    """(band, number) of valid pixels, as far as numbers go."""

    @classmethod
    def of(cls, numbers: np.ndarray) -> "DarkPixels":
        """Count (band, row, column) uint16 as `numbers.to_dn` makes them."""
        valid = (numbers != NODATA).all(axis=0)
        length = int(numbers.max(initial=0)) + 1
        return cls(np.stack([np.bincount(band[valid], minlength=length) for band in numbers]))

    def __add__(self, other: "DarkPixels") -> "DarkPixels":
        """Return the counts of both parts."""
        few, many = sorted((self.counts, other.counts), key=lambda counts: counts.shape[1])
        total = many.copy()
        total[:, : few.shape[1]] += few
        return DarkPixels(total)

    def reflectance(self) -> np.ndarray:
        """Return the (band,) reflectance below which lie the darkest; NaN with fewer than 1000 pixels."""
        total = self.counts.sum(axis=1)
        if (total < FEWEST_PIXELS).any():
            return np.full(len(self.counts), np.nan)
        rank = DARK_SHARE * (total[:, None] - 1)
        return (np.cumsum(self.counts, axis=1) > rank).argmax(axis=1) * SCALE + OFFSET


def no_correction(bands: int) -> Atmosphere:
    """Return the atmosphere that is left in the image."""
    return Atmosphere("top of atmosphere, haze left in", np.zeros(bands), np.ones(bands), np.zeros(bands))


def dark_object(dark: np.ndarray, centre_nm: np.ndarray) -> Atmosphere:
    """Estimate what the atmosphere adds to each band from the reflectance of its darkest pixels (NaN: unknown).

    The dark-object method (Chavez 1988, 1996): each band's darkest pixels, less what they should reflect. No band may
    exceed what scattering proportional to wavelength^-2 allows from the shortest band (a forest's near infrared has no
    dark pixels and would lose its brightness), and nothing is taken from a scene that has no dark pixels at all.
    """
    excess = np.nan_to_num(dark - DARK_REFLECTANCE)
    first = int(np.argmin(centre_nm))
    if excess[first] > MOST_HAZE:
        excess = np.zeros_like(excess)
    allowed = excess[first] * (np.asarray(centre_nm, np.float64) / centre_nm[first]) ** -SCATTERING_EXPONENT
    path = np.clip(np.minimum(excess, allowed), 0.0, None)
    label = "top of atmosphere less dark-object haze; not surface reflectance"
    return Atmosphere(label, path, np.ones(len(path)), np.zeros(len(path)))


def rayleigh(
    centre_nm: np.ndarray,
    sun_zenith_deg: float,
    sun_azimuth_deg: float,
    view_zenith_deg: float,
    view_azimuth_deg: float,
    height_m: float,
) -> Atmosphere:
    """Return the atmosphere without aerosol, gases and neighbourhood: molecules alone, at a height above the sea.

    Optical depth by Hansen and Travis (1974, eq. 2.30); path reflectance with multiple scattering by the fit of Vermote
    and Tanre (1992) that 6S uses (its routine CHAND); two-stream transmittance of a conservative layer; spherical
    albedo 0.92 tau exp(-tau). Both azimuths are directions from the place.
    """
    micron = np.asarray(centre_nm, np.float64) / 1000
    depth = 0.008569 * micron**-4 * (1 + 0.0113 * micron**-2 + 0.00013 * micron**-4) * exp(-height_m / SCALE_HEIGHT_M)
    sun, view = cos(radians(sun_zenith_deg)), cos(radians(view_zenith_deg))
    path = _molecular_path(depth, sun, view, radians(180.0 - (sun_azimuth_deg - view_azimuth_deg)))
    label = "surface estimate through molecules alone: no aerosol, no gases, no neighbourhood"
    transmittance = _transmittance(depth, sun) * _transmittance(depth, view)
    return Atmosphere(label, path, transmittance, 0.92 * depth * np.exp(-depth))


def _molecular_path(depth: np.ndarray, sun: float, view: float, azimuth: float) -> np.ndarray:
    """Return path reflectance as a Fourier series in azimuth (0 is forward scattering); cosines of zenith angles."""
    polarised = 2 * (1 - DEPOLARISATION) / (2 + DEPOLARISATION)
    sines = sqrt((1 - sun**2) * (1 - view**2))
    phase = (
        1 + (3 * sun**2 - 1) * (3 * view**2 - 1) * polarised / 8,
        -0.75 * polarised * sun * view * sines,
        0.1875 * polarised * sines**2,
    )
    log_depth = np.log(depth)
    angles = np.array([1, sun + view, sun * view, sun**2 + view**2, (sun * view) ** 2])
    scattered_more = (
        angles @ (0.33243832, 0.16285370, -0.30924818, -0.10324388, 0.11493334)
        + angles @ (-6.777104e-2, 1.577425e-3, -1.240906e-2, 3.241678e-2, -3.503695e-2) * log_depth,
        0.19666292 - 5.439061e-2 * log_depth,
        0.14545937 - 2.910845e-2 * log_depth,
    )
    once = (1 - np.exp(-depth * (1 / sun + 1 / view))) / (4 * (sun + view))
    again = (1 - np.exp(-depth / sun)) * (1 - np.exp(-depth / view))
    orders = [p * (once + again * more) for p, more in zip(phase, scattered_more, strict=True)]
    return orders[0] + 2 * orders[1] * cos(azimuth) + 2 * orders[2] * cos(2 * azimuth)


def _transmittance(depth: np.ndarray, cosine: float) -> np.ndarray:
    return ((2 / 3 + cosine) + (2 / 3 - cosine) * np.exp(-depth / cosine)) / (4 / 3 + depth)
