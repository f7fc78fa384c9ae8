"""Pansharpening: the detail of PAN at the radiometry of the multispectral bands.

All methods are fitted once, at MSS pixel size over the whole scene, and applied block by block. PAN may be in any
linear unit: it is matched to the bands by regression.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.ndimage import gaussian_filter

from crossres.sensors.sensor import mtf_sigma_px

Method = Literal["brovey", "gsa", "mtf-glp", "mtf-glp-hpm"]

RATIO = 4
"""MSS pixel size / PAN pixel size."""
DARKEST_BLACK = 0.8
"""What PAN shows of black ground is at most this share of its mean: a regression may say anything of a dull scene."""
TRUNCATE = 3.5
"""Where the low-pass ends, in standard deviations."""


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


def lowpass_radius_px(mtf: float) -> int:
    """Return how far the low-pass reaches, in PAN pixels: blocks must overlap by that much."""
    return int(TRUNCATE * RATIO * mtf_sigma_px(mtf) + 0.5)


def lowpass(pan: np.ndarray, mtf: float, ratio: float = RATIO) -> np.ndarray:
    """Return PAN (row, column; NaN where there is none) as blurred as the bands are, on its own pixels.

    A Gaussian of the bands' MTF at their Nyquist frequency (Aiazzi et al. 2006), normalised over valid pixels.
    """
    sigma = ratio * mtf_sigma_px(mtf)
    valid = np.isfinite(pan)
    if valid.all():
        return gaussian_filter(pan, sigma, truncate=TRUNCATE, mode="nearest")
    weight = gaussian_filter(valid.astype(np.float32), sigma, truncate=TRUNCATE, mode="nearest")
    total = gaussian_filter(np.where(valid, pan, 0).astype(np.float32), sigma, truncate=TRUNCATE, mode="nearest")
    return np.where(valid, total / np.maximum(weight, 1e-6), np.nan)


class Moments:
    """Sums over a scene at MSS pixel size from which any method is fitted, gathered block by block."""

    def __init__(self, bands: int) -> None:
        self.count = 0
        self._sum = np.zeros(bands + 1)
        self._products = np.zeros((bands + 1, bands + 1))
        self._origin: np.ndarray | None = None

    def add(self, bands: np.ndarray, pan: np.ndarray) -> None:
        """Add pixels: bands (band, row, column), and PAN as sharp as they are, (row, column); NaN where none are."""
        values = np.concatenate([bands, pan[None]]).reshape(len(bands) + 1, -1)
        values = values[:, np.isfinite(values).all(axis=0)].astype(np.float64)
        if values.shape[1] == 0:
            return
        if self._origin is None:
            self._origin = values.mean(axis=1)
        values -= self._origin[:, None]  # sums of squares would lose digits far from the mean
        self.count += values.shape[1]
        self._sum += values.sum(axis=1)
        self._products += values @ values.T

    def statistics(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean (band + 1,) and the covariance (band + 1, band + 1) of bands and PAN."""
        count = max(self.count, 1)
        mean = self._sum / count
        origin = np.zeros(len(mean)) if self._origin is None else self._origin
        return mean + origin, self._products / count - np.outer(mean, mean)


def as_sharp_as_bands(mean_pan: np.ndarray, mtf: float) -> np.ndarray:
    """Return PAN averaged over MSS pixels as blurred as the bands are.

    The mean over a pixel is sharper than what the bands see (its MTF at Nyquist is 2/pi), so it is blurred by the rest.
    """
    return lowpass(mean_pan, min(mtf / (2 / np.pi), 0.999), ratio=1)


def fit_sharpening(
    method: Method, moments: Moments, mtf: float, offset: np.ndarray | float = 0.0, scale: np.ndarray | float = 1.0
) -> Sharpening:
    """Fit a method on the moments of bands and PAN, for bands that became (band - offset) / scale since.

    mtf-glp: gain = cov(band, PAN) / var(PAN), both at MSS resolution (Aiazzi et al. 2006, global CBD). gsa: PAN is
    regressed on the bands, gain = cov(band, I) / var(I) (Aiazzi et al. 2007), in PAN's unit.
    """
    mean, covariance = moments.statistics()
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


def sharpen(fitted: Sharpening, bands: np.ndarray, pan: np.ndarray) -> np.ndarray:
    """Return sharpened bands (band, row, column) of bands brought to PAN's grid, and PAN (row, column) there.

    NaN where a band or PAN has no data. gsa adds gain (PAN - I), with I the regression of PAN on the bands; mtf-glp
    adds gain (PAN - low-pass of PAN). The others multiply, so that colours stay: brovey by PAN / I (Gillespie et al.
    1987), mtf-glp-hpm by PAN / low-pass of PAN (Aiazzi et al. 2003), both less what PAN shows of black ground, without
    which haze would dampen all detail (Lolli et al. 2017).
    """
    gains = fitted.gains[:, None, None].astype(np.float32)
    if fitted.method == "mtf-glp":
        return bands + gains * (pan - lowpass(pan, fitted.mtf))
    black = np.float32(min(fitted.weights[-1], DARKEST_BLACK * fitted.mean[-1]))
    if fitted.method == "mtf-glp-hpm":
        return bands * _ratio(pan - black, lowpass(pan, fitted.mtf) - black)
    seen = np.tensordot(fitted.weights[:-1].astype(np.float32), bands, axes=1)
    if fitted.method == "gsa":
        return bands + gains * (pan - seen - np.float32(fitted.weights[-1]))
    return bands * _ratio(pan - black, seen + np.float32(fitted.weights[-1]) - black)


def _ratio(fine: np.ndarray, coarse: np.ndarray) -> np.ndarray:
    """Return fine / coarse, at most 4; 1 where coarse is not positive, NaN where either has no data."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.clip(np.where(coarse > 0, fine / coarse, np.float32(1)), 0, 4)
    return np.where(np.isfinite(fine) & np.isfinite(coarse), ratio, np.float32(np.nan))
