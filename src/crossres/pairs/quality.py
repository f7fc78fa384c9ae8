"""How well a patch's two images agree, what it shows, and how much of it counts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crossres.imagery.numbers import Mask

MAX_SHIFT_PX = 4
"""A patch's residual shift is looked for within this many LR pixels."""
CLOUDY = 6
"""A pixel looks like cloud when one image is brighter in every band by this many robust standard deviations of all."""
CLOUDY_REFLECTANCE = 0.03
"""And by this, in reflectance: the least that a cloud adds."""
UPSAMPLING = 20
"""The residual shift is found to this fraction of an LR pixel."""


@dataclass(frozen=True)
class Quality:
    """What is known of one candidate."""

    valid_share: float
    """Share of its LR pixels that are clear and have data in every band."""
    shares: dict[str, float]
    """Share of its LR pixels with each `Mask` code but CLEAR, by name."""
    cloudy_share: float
    """Share of its LR pixels where one image is far brighter than the other in every band, as cloud is."""
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


def moments(fine: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the variance of a (band, row, column) image within each LR pixel, float64.

    `weights` are those of `operators.area` for as many LR pixels as are whole fine pixels together; the image has a
    multiple of their number along each side. The variance is the mean of squares less the square of the mean.
    """
    values, own = fine.astype(np.float64), weights.astype(np.float64)
    own /= own.sum(axis=1, keepdims=True)  # float32 weights of 1/12.5 miss 1 by what a flat image would show as detail
    mean = _to_lr(values, own)
    np.square(values, out=values)
    return mean, np.maximum(_to_lr(values, own) - mean**2, 0)


def _to_lr(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    bands, rows, cols = values.shape
    few, many = weights.shape
    by_rows = weights @ values.reshape(bands, rows // many, many, cols)
    by_both = by_rows.reshape(bands, -1, cols // many, many) @ weights.T
    return by_both.reshape(bands, rows // many * few, cols // many * few)


def cloudy(lr: np.ndarray, hr_on_lr: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Say which pixels (patch, row, column) look like cloud in one of (patch, band, row, column) images.

    `rest` (band, 2) is the median of LR - HR over the scene and its robust standard deviation; NaN where not known.
    """
    median, scale = rest.T[:, :, None, None]
    over = (lr - hr_on_lr - median) / np.maximum(CLOUDY * scale, CLOUDY_REFLECTANCE)
    return (over > 1).all(axis=1) | (over < -1).all(axis=1)


def measure(
    lr: np.ndarray,
    on_lr: np.ndarray,
    within: np.ndarray,
    codes: np.ndarray,
    clear: np.ndarray,
    bands: Sequence[str],
    rest: np.ndarray,
) -> list[Quality]:
    """Measure patches on the LR grid.

    `lr`, `on_lr` and `within`, (patch, band, row, column), are LR, HR's mean over each LR pixel and its variance in it,
    of reflectance. `codes` and `clear` are (patch, row, column); `rest` is that of `cloudy`.
    """
    count = clear.sum(axis=(1, 2))
    correlations, shifts = correlation(lr, on_lr, clear), residual_shift(lr, on_lr, clear)
    textures = texture(within, clear)
    means = np.where(clear[:, None], lr, 0).sum(axis=(2, 3), dtype=np.float64) / np.maximum(count, 1)[:, None]
    means[count == 0] = np.nan
    ndvi = np.full(len(lr), np.nan)
    if {"nir", "red"} <= set(bands):
        nir, red = (means[:, list(bands).index(band)] for band in ("nir", "red"))
        ndvi = (nir - red) / np.maximum(1e-6, nir + red)
    known = (codes == Mask.CLEAR) | (codes == Mask.CHANGED)
    cloud = (cloudy(lr, on_lr, rest) & known).mean(axis=(1, 2))
    shares = {code.name.lower(): (codes == code).mean(axis=(1, 2)) for code in Mask if code != Mask.CLEAR}
    return [
        Quality(
            float(clear[k].mean()), {name: float(share[k]) for name, share in shares.items()}, float(cloud[k]),
            float(correlations[k]), float(shifts[k]), float(textures[k]), float(means[k].mean()), float(ndvi[k]),
        )
        for k in range(len(lr))
    ]  # fmt: skip


def correlation(lr: np.ndarray, hr_on_lr: np.ndarray, clear: np.ndarray) -> np.ndarray:
    """Return the mean over bands of the correlation of (patch, band, row, column) images over each one's clear pixels.

    A band without contrast counts as 0: nothing can be learnt from it, nor said against it; so does a patch of fewer
    than three clear pixels.
    """
    count = clear.sum(axis=(1, 2))
    own = clear[:, None]

    def centred(image: np.ndarray) -> np.ndarray:
        values = np.where(own, image, 0).astype(np.float64)
        mean = values.sum(axis=(2, 3), keepdims=True) / np.maximum(count, 1)[:, None, None, None]
        return np.where(own, values - mean, 0)

    x, y = centred(lr), centred(hr_on_lr)
    size = np.sqrt((x**2).sum(axis=(2, 3)) * (y**2).sum(axis=(2, 3)))
    each = np.where(size > 1e-9, (x * y).sum(axis=(2, 3)) / np.maximum(size, 1e-9), 0.0)
    return np.where(count < 3, 0.0, each.mean(axis=1))


def residual_shift(lr: np.ndarray, hr_on_lr: np.ndarray, clear: np.ndarray) -> np.ndarray:
    """Return the lengths, in LR pixels, of the shifts between square (patch, band, row, column) images.

    The peak of the cross-correlation of their complex gradients under a Hann window, by upsampled DFT (Guizar-Sicairos
    et al. 2008). An estimate for one patch, good to some tenths of a pixel: enough to find a patch that is off by
    more. NaN where either image is flat, or the peak lies at the border of the search.
    """
    side = clear.shape[-1]
    window = np.hanning(side + 2)[1:-1]
    first, second = (np.fft.fft2(_gradient(image, clear) * np.outer(window, window)) for image in (lr, hr_on_lr))
    product = (first * second.conj()).sum(axis=1)
    found = np.abs(product).max(axis=(1, 2)) > 1e-12
    frequency = np.fft.fftfreq(side)
    reach = min(MAX_SHIFT_PX, side // 4)
    centres, step, count = np.zeros((2, len(lr))), 1.0, reach
    for step in (1.0, 1.0 / UPSAMPLING):
        offsets = np.arange(-count, count + 1) * step
        rows, cols = (np.exp(2j * np.pi * (c[:, None] + offsets)[..., None] * frequency) for c in centres)
        surface = np.abs(rows @ product @ cols.transpose(0, 2, 1))
        peaks = np.array(np.unravel_index(surface.reshape(len(lr), -1).argmax(axis=1), surface.shape[1:]))
        if step == 1.0:
            found &= ~((peaks == 0) | (peaks == 2 * count)).any(axis=0)
        centres, count = centres + offsets[peaks], UPSAMPLING
    return np.where(found, np.hypot(*centres), np.nan)


def _gradient(image: np.ndarray, clear: np.ndarray) -> np.ndarray:
    """Return d/dx + i d/dy of (patch, band, row, column) values; 0 at pixels that are not clear, and beside them."""
    values = np.where(clear[:, None], image, np.nan)
    gradient = np.gradient(values, axis=3) + 1j * np.gradient(values, axis=2)
    return np.nan_to_num(gradient)


def texture(within: np.ndarray, clear: np.ndarray) -> np.ndarray:
    """Return the mean over bands of the standard deviation of HR within clear LR pixels; NaN when there are none."""
    count = clear.sum(axis=(1, 2))
    mean = np.where(clear[:, None], within, 0).sum(axis=(2, 3)) / np.maximum(count, 1)[:, None]
    return np.where(count > 0, np.sqrt(mean).mean(axis=1), np.nan)
