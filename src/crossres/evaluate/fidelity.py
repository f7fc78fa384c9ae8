"""How true an SR image is, pixel by pixel: RMSE, PSNR, SSIM, ERGAS, SAM. Only clear pixels count.

torchmetrics has all of them but knows no mask; here they are over clear pixels, and equal torchmetrics where all is
clear. Images are (band, row, column) reflectance, `clear` is (row, column) bool.
"""

import numpy as np
from scipy.ndimage import correlate1d, minimum_filter

SSIM_SIGMA_PX = 1.5
SSIM_RADIUS_PX = 5
SSIM_K = (0.01, 0.03)


def rmse(sr: np.ndarray, hr: np.ndarray, clear: np.ndarray) -> np.ndarray:
    """Return the root mean square error of each band, (band,), in reflectance."""
    return np.array([np.sqrt(np.mean(np.square(s[clear] - h[clear], dtype=np.float64))) for s, h in zip(sr, hr)])


def psnr(error: np.ndarray | float, peak: float) -> np.ndarray:
    """Return the peak signal-to-noise ratio in dB of root mean square errors; no error gives infinity."""
    with np.errstate(divide="ignore"):
        return 20 * np.log10(peak / np.asarray(error, np.float64))


def together(error: np.ndarray) -> float:
    """Return the root mean square error over all bands from that of each."""
    return float(np.sqrt(np.mean(np.square(error))))


def ssim(sr: np.ndarray, hr: np.ndarray, clear: np.ndarray, peak: float) -> np.ndarray:
    """Return the structural similarity of each band, (band,), over the pixels whose whole window is clear.

    Gaussian window of 11 x 11 pixels; NaN when no window is clear. Source: Wang et al. 2004, eq. 13.
    """
    inside = windows_clear(clear, 2 * SSIM_RADIUS_PX + 1)
    if not inside.any():
        return np.full(len(sr), np.nan)
    return np.array([_ssim_map(_filled(s, clear), _filled(h, clear), peak)[inside].mean() for s, h in zip(sr, hr)])


def windows_clear(clear: np.ndarray, size: int) -> np.ndarray:
    """Return where the centred window of `size` x `size` pixels is clear throughout and inside the image."""
    return minimum_filter(clear.astype(np.uint8), size, mode="constant", cval=0).astype(bool)


def _ssim_map(x: np.ndarray, y: np.ndarray, peak: float) -> np.ndarray:
    c1, c2 = ((k * peak) ** 2 for k in SSIM_K)
    mean_x, mean_y = _gaussian(x), _gaussian(y)
    variances = _gaussian(x * x + y * y) - mean_x**2 - mean_y**2
    covariance = _gaussian(x * y) - mean_x * mean_y
    return ((2 * mean_x * mean_y + c1) * (2 * covariance + c2)) / ((mean_x**2 + mean_y**2 + c1) * (variances + c2))


def _gaussian(image: np.ndarray) -> np.ndarray:
    offsets = np.arange(-SSIM_RADIUS_PX, SSIM_RADIUS_PX + 1)
    kernel = np.exp(-0.5 * (offsets / SSIM_SIGMA_PX) ** 2)
    kernel /= kernel.sum()
    return correlate1d(correlate1d(image, kernel, axis=0), kernel, axis=1)


def _filled(band: np.ndarray, clear: np.ndarray) -> np.ndarray:
    """Return the band about its clear mean's order of magnitude, with masked pixels set to that mean."""
    return np.where(clear, band, band[clear].mean())


def ergas(error: np.ndarray, hr: np.ndarray, clear: np.ndarray, factor: float) -> float:
    """Return ERGAS, the relative global error in percent of band means. Source: Wald 2002, with h/l = 1 / factor."""
    means = np.array([h[clear].mean(dtype=np.float64) for h in hr])
    return float(100 / factor * np.sqrt(np.mean((error / means) ** 2)))


def sam_deg(x: np.ndarray, y: np.ndarray, clear: np.ndarray) -> float:
    """Return the mean spectral angle between two images, in degrees. Source: Kruse et al. 1993."""
    a, b = x[:, clear].astype(np.float64), y[:, clear].astype(np.float64)
    norms = np.sqrt((a * a).sum(0) * (b * b).sum(0))
    cosine = (a * b).sum(0) / np.maximum(norms, np.finfo(np.float64).tiny)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean())
