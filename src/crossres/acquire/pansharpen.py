"""Pansharpening: the detail of PAN at the radiometry of the multispectral bands.

All methods are fitted once, at MSS pixel size over the whole scene, and applied block by block. PAN may be in any
linear unit: it is matched to the bands by regression.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.ndimage import gaussian_filter

from crossres.sensors.sensor import mtf_sigma_px

Method = Literal["brovey", "gsa", "mtf-glp"]

RATIO = 4
"""MSS pixel size / PAN pixel size."""
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


def fit_sharpening(method: Method, bands: np.ndarray, pan: np.ndarray, mtf: float) -> Sharpening:
    """Fit a method on reflectance (band, row, column) and the mean of PAN over each MSS pixel (row, column).

    The mean over a pixel is sharper than what the bands see (its MTF at Nyquist is 2/pi), so it is blurred by the rest.
    mtf-glp: gain = cov(band, PAN) / var(PAN), both at MSS resolution (Aiazzi et al. 2006, global CBD). gsa: PAN is
    regressed on the bands, gain = cov(band, I) / var(I) (Aiazzi et al. 2007), in PAN's unit.
    """
    low = lowpass(pan, min(mtf / (2 / np.pi), 0.999), ratio=1)
    valid = np.isfinite(low) & np.isfinite(bands).all(axis=0)
    x = bands[:, valid].astype(np.float64)
    p = low[valid].astype(np.float64)
    if p.size < 100 or p.std() == 0:
        return Sharpening(method, np.zeros(len(bands) + 1), np.zeros(len(bands)), mtf)
    centred = x - x.mean(axis=1, keepdims=True)
    slopes = np.linalg.lstsq(centred @ centred.T / p.size, centred @ (p - p.mean()) / p.size, rcond=None)[0]
    weights = np.append(slopes, p.mean() - slopes @ x.mean(axis=1))
    detail = p if method == "mtf-glp" else slopes @ x
    gains = centred @ (detail - detail.mean()) / p.size / max(detail.var(), 1e-30)
    return Sharpening(method, weights, gains, mtf)


def sharpen(fitted: Sharpening, bands: np.ndarray, pan: np.ndarray) -> np.ndarray:
    """Return sharpened bands (band, row, column) of bands brought to PAN's grid, and PAN (row, column) there.

    NaN where a band or PAN has no data. brovey multiplies every band by PAN / I (Gillespie et al. 1987), with I the
    regression of PAN on the bands; gsa adds gain (PAN - I); mtf-glp adds gain (PAN - low-pass of PAN).
    """
    if fitted.method == "mtf-glp":
        return bands + fitted.gains[:, None, None].astype(np.float32) * (pan - lowpass(pan, fitted.mtf))
    weights = fitted.weights.astype(np.float32)
    intensity = np.tensordot(weights[:-1], bands, axes=1) + weights[-1]
    if fitted.method == "gsa":
        return bands + fitted.gains[:, None, None].astype(np.float32) * (pan - intensity)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(intensity > 0, pan / intensity, np.float32(1))
    return bands * np.where(np.isfinite(pan), np.clip(ratio, 0, 4), np.nan)
