"""SSIM's and UQI's terms at each pixel, over the window about it."""

import numpy as np
from scipy.ndimage import minimum_filter1d

SSIM_SIGMA_PX = 1.5
SSIM_RADIUS_PX = 5
SSIM_K = (0.01, 0.03)
UQI_PX = 8
FLAT = 1e-12
"""Variance below which a window is flat: what is left of it is rounding."""


def windows_clear(clear: np.ndarray, size: int) -> np.ndarray:
    """Return where the window of `size` x `size` pixels about a pixel is clear throughout and inside the image.

    An even window reaches one pixel further up and left.
    """
    rows = minimum_filter1d(clear.astype(np.uint8), size, axis=0, mode="constant", cval=0)
    return minimum_filter1d(rows, size, axis=1, mode="constant", cval=0).astype(bool)


def ssim_terms(x: np.ndarray, y: np.ndarray, peak: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the local means of both images, and SSIM's contrast and structure."""
    c2 = np.float32((SSIM_K[1] * peak) ** 2)
    mean_x, mean_y = smoothed(x), smoothed(y)
    variances = smoothed(x * x + y * y) - mean_x**2 - mean_y**2
    covariance = smoothed(x * y) - mean_x * mean_y
    return mean_x, mean_y, (2 * covariance + c2) / (variances + c2)


def luminance(mean_x: np.ndarray, mean_y: np.ndarray, offset: float, added: float, peak: float) -> np.ndarray:
    """Return SSIM's luminance of means that lack `offset`, with something added to those of SR."""
    c1 = np.float32((SSIM_K[0] * peak) ** 2)
    mean_x, mean_y = mean_x + np.float32(offset + added), mean_y + np.float32(offset)
    return (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)


def smoothed(image: np.ndarray) -> np.ndarray:
    """Return an image smoothed by SSIM's window; within its radius of the border the values mean nothing."""
    return _along_rows(_along_rows(image).T).T


def _along_rows(image: np.ndarray) -> np.ndarray:
    """Smooth along rows' axis, symmetric taps in pairs: several times faster than a general correlation."""
    kernel = np.exp(-0.5 * (np.arange(SSIM_RADIUS_PX + 1) / SSIM_SIGMA_PX) ** 2)
    kernel = (kernel / (2 * kernel.sum() - kernel[0])).astype(np.float32)
    rows = len(image)
    smooth = np.zeros_like(image)
    if rows <= 2 * SSIM_RADIUS_PX:
        return smooth
    inner = smooth[SSIM_RADIUS_PX : rows - SSIM_RADIUS_PX]
    np.multiply(image[SSIM_RADIUS_PX : rows - SSIM_RADIUS_PX], kernel[0], out=inner)
    pair = np.empty_like(inner)
    for i in range(1, SSIM_RADIUS_PX + 1):
        above = image[SSIM_RADIUS_PX - i : rows - SSIM_RADIUS_PX - i]
        np.add(above, image[SSIM_RADIUS_PX + i : rows - SSIM_RADIUS_PX + i], out=pair)
        pair *= kernel[i]
        inner += pair
    return smooth


def uqi_map(x: np.ndarray, y: np.ndarray, offset: float) -> np.ndarray:
    mean_x, mean_y = _box(x), _box(y)
    variances = _box(x * x + y * y) - mean_x**2 - mean_y**2
    covariance = _box(x * y) - mean_x * mean_y
    structured = np.where(variances > FLAT, 2 * covariance / np.maximum(variances, np.float32(FLAT)), 1)
    mean_x, mean_y = mean_x + np.float32(offset), mean_y + np.float32(offset)
    return 2 * mean_x * mean_y / np.maximum(mean_x**2 + mean_y**2, np.float32(FLAT)) * structured


def _box(image: np.ndarray) -> np.ndarray:
    """Return the mean over UQI's window; where it leaves the image the values mean nothing."""
    return _summed(_summed(image).T).T / np.float32(UQI_PX**2)


def _summed(image: np.ndarray) -> np.ndarray:
    """Return sums of 8 rows, from 4 above to 3 below, by doubling."""
    sums = image
    for step in (1, 2, 4):
        sums = sums[:-step] + sums[step:]
    summed = np.zeros_like(image)
    summed[UQI_PX // 2 : UQI_PX // 2 + len(sums)] = sums
    return summed


def halved(image: np.ndarray, join: np.ufunc) -> np.ndarray:
    """Return an image of half the size, each pixel joined from four; an odd last row or column is left out."""
    rows, cols = (n // 2 * 2 for n in image.shape)
    upper, lower = image[0:rows:2, :cols], image[1:rows:2, :cols]
    return join(join(upper[:, ::2], upper[:, 1::2]), join(lower[:, ::2], lower[:, 1::2]))
