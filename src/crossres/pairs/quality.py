"""How well a patch's two images agree, what it shows, and how much of it counts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crossres.imagery.numbers import Mask

MAX_SHIFT_PX = 4
"""A patch's residual shift is looked for within this many LR pixels."""
UPSAMPLING = 20
"""The residual shift is found to this fraction of an LR pixel."""


@dataclass(frozen=True)
class Quality:
    """What is known of one candidate."""

    valid_share: float
    """Share of its LR pixels that are clear and have data in every band."""
    shares: dict[str, float]
    """Share of its LR pixels with each `Mask` code but CLEAR, by name."""
    correlation: float
    """Of HR brought to LR, with LR: mean over bands."""
    shift_px: float
    """How far HR lies from LR, in LR pixels; NaN where the patch has too little to tell."""
    texture: float
    """Standard deviation of what HR shows within LR pixels, in reflectance: mean over bands."""
    brightness: float
    """Mean LR reflectance over bands."""
    ndvi: float
    """Mean (NIR - red) / (NIR + red) of LR; NaN without these bands."""


def measure(
    lr: np.ndarray, hr: np.ndarray, codes: np.ndarray, clear: np.ndarray, bands: Sequence[str], weights: np.ndarray
) -> Quality:
    """Measure a patch: `lr` (band, row, column) and `hr` reflectance, `codes` and `clear` (row, column) on the LR grid.

    `weights` are those of `operators.area`.
    """
    on_lr = weights @ hr @ weights.T
    nir_red = [lr[list(bands).index(b)][clear] for b in ("nir", "red")] if {"nir", "red"} <= set(bands) else None
    some = bool(clear.any())
    ratio = np.mean(nir_red[0] - nir_red[1]) / max(1e-6, np.mean(nir_red[0] + nir_red[1])) if nir_red and some else None
    return Quality(
        float(clear.mean()),
        {code.name.lower(): float(np.mean(codes == code)) for code in Mask if code != Mask.CLEAR},
        correlation(lr, on_lr, clear),
        residual_shift(lr, on_lr, clear),
        texture(hr, on_lr, clear, weights),
        float(lr[:, clear].mean()) if some else float("nan"),
        float("nan") if ratio is None else float(ratio),
    )


def correlation(lr: np.ndarray, hr_on_lr: np.ndarray, clear: np.ndarray) -> float:
    """Return the mean over bands of the correlation of two (band, row, column) images over clear pixels.

    A band without contrast counts as 0: nothing can be learnt from it, nor said against it.
    """
    if clear.sum() < 3:
        return 0.0
    x, y = lr[:, clear].astype(np.float64), hr_on_lr[:, clear].astype(np.float64)
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    size = np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    return float(np.where(size > 1e-9, (x * y).sum(axis=1) / np.maximum(size, 1e-9), 0.0).mean())


def residual_shift(lr: np.ndarray, hr_on_lr: np.ndarray, clear: np.ndarray) -> float:
    """Return the length, in LR pixels, of the shift between two square (band, row, column) images.

    The peak of the cross-correlation of their complex gradients under a Hann window, by upsampled DFT (Guizar-Sicairos
    et al. 2008). An estimate for one patch, good to some tenths of a pixel: enough to find a patch that is off by
    more. NaN where either image is flat, or the peak lies at the border of the search.
    """
    side = clear.shape[0]
    window = np.hanning(side + 2)[1:-1]
    spectra = [np.fft.fft2(_gradient(image, clear) * np.outer(window, window)) for image in (lr, hr_on_lr)]
    product = (spectra[0] * spectra[1].conj()).sum(axis=0)
    if not np.abs(product).max() > 1e-12:
        return float("nan")
    frequency = np.fft.fftfreq(side)
    reach = min(MAX_SHIFT_PX, side // 4)
    centre, step, count = np.zeros(2), 1.0, reach
    for step in (1.0, 1.0 / UPSAMPLING):
        offsets = np.arange(-count, count + 1) * step
        rows, cols = (np.exp(2j * np.pi * np.outer(c + offsets, frequency)) for c in centre)
        surface = np.abs(rows @ product @ cols.T)
        peak = np.array(np.unravel_index(np.argmax(surface), surface.shape))
        if step == 1.0 and ((peak == 0) | (peak == 2 * count)).any():
            return float("nan")
        centre, count = centre + offsets[peak], UPSAMPLING
    return float(np.hypot(*centre))


def _gradient(image: np.ndarray, clear: np.ndarray) -> np.ndarray:
    """Return d/dx + i d/dy of (band, row, column) values; 0 at pixels that are not clear, and beside them."""
    values = np.where(clear, image, np.nan)
    gradient = np.gradient(values, axis=2) + 1j * np.gradient(values, axis=1)
    return np.nan_to_num(gradient)


def texture(hr: np.ndarray, hr_on_lr: np.ndarray, clear: np.ndarray, weights: np.ndarray) -> float:
    """Return the mean over bands of the standard deviation of HR within clear LR pixels; NaN when there are none.

    From the difference of second moments: the mean of squares in an LR pixel less the square of its mean.
    """
    if not clear.any():
        return float("nan")
    variance = weights @ hr.astype(np.float64) ** 2 @ weights.T - hr_on_lr.astype(np.float64) ** 2
    return float(np.sqrt(np.maximum(variance[:, clear].mean(axis=1), 0)).mean())
