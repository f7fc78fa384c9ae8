"""Pansharpening: the detail of PAN at the radiometry of the multispectral bands.

All methods are fitted once, at MSS pixel size over the whole scene, and applied block by block. PAN may be in any
linear unit: it is matched to the bands by regression.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.ndimage import gaussian_filter

from crossres.operators import CUT_SIGMAS, mtf_sigma

Method = Literal["brovey", "gsa", "mtf-glp", "mtf-glp-hpm"]

WITH_LOWPASS: frozenset[Method] = frozenset({"mtf-glp", "mtf-glp-hpm"})
"""Methods that compare PAN with its low-pass."""
RATIO = 4
"""MSS pixel size / PAN pixel size."""
DARKEST_BLACK = 0.8
"""What PAN shows of black ground is at most this share of its mean: a regression may say anything of a dull scene."""


@dataclass(frozen=True)
class Sharpening:
    """What is fitted on a scene."""

    method: Method
    weights: np.ndarray
    """(band + 1,) regression of PAN on the bands, and its constant: PAN as the bands would make it."""
    gains: np.ndarray
    """(band,) how much of a detail in PAN (in PAN's unit) each band shows."""
    mean: np.ndarray
    """(band + 1,) mean of the bands and of PAN."""
    mtf: float
    """MTF of the bands at their Nyquist frequency."""


def lowpass_radius_px(mtf: float, ratio: float = RATIO) -> int:
    """Return how far `lowpass` reaches, in PAN pixels: blocks must overlap by that much."""
    return int(CUT_SIGMAS * ratio * mtf_sigma(mtf) + 0.5)


def as_sharp_radius_px(mtf: float) -> int:
    """Return how far `as_sharp_as_bands` reaches, in MSS pixels."""
    return lowpass_radius_px(_without_pixel(mtf), ratio=1)


def lowpass(pan: np.ndarray, mtf: float, ratio: float = RATIO) -> np.ndarray:
    """Return PAN (row, column; NaN where there is none) as blurred as the bands are, on its own pixels.

    A Gaussian of the bands' MTF at their Nyquist frequency (Aiazzi et al. 2006), normalised over valid pixels.
    """
    sigma = ratio * mtf_sigma(mtf)
    valid = np.isfinite(pan)
    if valid.all():
        return gaussian_filter(pan, sigma, truncate=CUT_SIGMAS, mode="nearest")
    weight = gaussian_filter(valid.astype(np.float32), sigma, truncate=CUT_SIGMAS, mode="nearest")
    total = gaussian_filter(np.where(valid, pan, 0).astype(np.float32), sigma, truncate=CUT_SIGMAS, mode="nearest")
    return np.where(valid, total / np.maximum(weight, 1e-6), np.nan)


@dataclass(frozen=True)
class Moments:
    """Moments at MSS pixel size from which any method is fitted; those of two parts of a scene can be added."""

    count: int
    mean: np.ndarray
    """(band + 1,) of the bands and of PAN."""
    products: np.ndarray
    """(band + 1, band + 1) sums of products of what lies off the mean."""

    @classmethod
    def of(cls, bands: np.ndarray, pan: np.ndarray) -> "Moments":
        """Take pixels: bands (band, row, column), and PAN as sharp as they are, (row, column); NaN where none are."""
        values = np.concatenate([bands, pan[None]]).reshape(len(bands) + 1, -1)
        values = values[:, np.isfinite(values).all(axis=0)].astype(np.float64)
        count = values.shape[1]
        mean = values.sum(axis=1) / max(count, 1)
        values -= mean[:, None]  # sums of squares would lose digits far from the mean
        return cls(count, mean, values @ values.T)

    def __add__(self, other: "Moments") -> "Moments":
        """Return the moments of both parts (Chan, Golub and LeVeque 1983, eq. 2.1)."""
        count = self.count + other.count
        if not count:
            return self
        apart = other.mean - self.mean
        between = np.outer(apart, apart) * (self.count * other.count / count)
        return Moments(count, self.mean + apart * (other.count / count), self.products + other.products + between)

    def covariance(self) -> np.ndarray:
        """Return the covariance of bands and PAN, (band + 1, band + 1)."""
        return self.products / max(self.count, 1)


def as_sharp_as_bands(mean_pan: np.ndarray, mtf: float) -> np.ndarray:
    """Return PAN averaged over MSS pixels as blurred as the bands are.

    The mean over a pixel is sharper than what the bands see (its MTF at Nyquist is 2/pi), so it is blurred by the rest.
    """
    return lowpass(mean_pan, _without_pixel(mtf), ratio=1)


def _without_pixel(mtf: float) -> float:
    return min(mtf / (2 / np.pi), 0.999)


def fit_sharpening(
    method: Method, moments: Moments, mtf: float, offset: np.ndarray | float = 0.0, scale: np.ndarray | float = 1.0
) -> Sharpening:
    """Fit a method on the moments of bands and PAN, for bands that became (band - offset) / scale since.

    mtf-glp: gain = cov(band, PAN) / var(PAN), both at MSS resolution (Aiazzi et al. 2006, global CBD). gsa: PAN is
    regressed on the bands, gain = cov(band, I) / var(I) (Aiazzi et al. 2007), in PAN's unit.
    """
    mean, covariance = moments.mean, moments.covariance()
    bands = len(mean) - 1
    if moments.count < 100 or covariance[-1, -1] <= 0:
        return Sharpening(method, np.zeros(bands + 1), np.zeros(bands), np.zeros(bands + 1), mtf)
    shift = np.append(np.broadcast_to(offset, bands), 0.0)
    unit = np.append(np.broadcast_to(scale, bands), 1.0)
    mean, covariance = (mean - shift) / unit, covariance / np.outer(unit, unit)
    own, shared = covariance[:-1, :-1], covariance[:-1, -1]
    slopes = np.linalg.lstsq(own, shared, rcond=None)[0]
    weights = np.append(slopes, mean[-1] - slopes @ mean[:-1])
    with_intensity = own @ slopes / max(float(slopes @ own @ slopes), 1e-30)
    gains = with_intensity if method == "gsa" else shared / covariance[-1, -1]
    return Sharpening(method, weights, gains, mean, mtf)


def sharpen(fitted: Sharpening, bands: np.ndarray, pan: np.ndarray, low: np.ndarray | None = None) -> np.ndarray:
    """Return sharpened bands (band, row, column) of bands brought to PAN's grid, and PAN (row, column) there.

    `low` is the low-pass of PAN where its neighbours are known; None makes it of `pan` alone, if the method needs it.

    NaN where a band or PAN has no data. gsa adds gain (PAN - I), with I the regression of PAN on the bands; mtf-glp
    adds gain (PAN - low-pass of PAN). The others multiply, so that colours stay: brovey by PAN / I (Gillespie et al.
    1987), mtf-glp-hpm by PAN / low-pass of PAN (Aiazzi et al. 2003), both less what PAN shows of black ground, without
    which haze would dampen all detail (Lolli et al. 2017).
    """
    gains = fitted.gains[:, None, None].astype(np.float32)
    black = np.float32(min(fitted.weights[-1], DARKEST_BLACK * fitted.mean[-1]))
    if fitted.method in WITH_LOWPASS:
        low = lowpass(pan, fitted.mtf) if low is None else low
        if fitted.method == "mtf-glp":
            return bands + gains * (pan - low)
        return bands * _ratio(pan - black, low - black)
    seen = np.tensordot(fitted.weights[:-1].astype(np.float32), bands, axes=1)
    if fitted.method == "gsa":
        return bands + gains * (pan - seen - np.float32(fitted.weights[-1]))
    return bands * _ratio(pan - black, seen + np.float32(fitted.weights[-1]) - black)


def _ratio(fine: np.ndarray, coarse: np.ndarray) -> np.ndarray:
    """Return fine / coarse, at most 4; 1 where coarse is not positive, NaN where either has no data."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.clip(np.where(coarse > 0, fine / coarse, np.float32(1)), 0, 4)
    return np.where(np.isfinite(fine) & np.isfinite(coarse), ratio, np.float32(np.nan))
