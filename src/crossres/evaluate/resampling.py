"""From the HR grid to the LR grid through the sensor's MTF, and back by bicubic, at any rational factor.

Both are separable: a sparse matrix along rows and one along columns. The grids share their corners.
"""

import numpy as np
from scipy import sparse

from crossres.evaluate.strips import each


def to_lr(image: np.ndarray, shape: tuple[int, int], mtf: float, threads: int = 1) -> np.ndarray:
    """Return (band, row, column) brought to an LR grid of `shape` by a Gaussian MTF, NaN-aware.

    The Gaussian has the modulation `mtf` at LR's Nyquist frequency. An LR pixel is NaN when less than nine tenths of
    its weight lies on finite pixels.
    """
    rows, cols = (_gaussian_matrix(n, fine, mtf) for n, fine in zip(shape, image.shape[1:]))
    finite = np.isfinite(image).all(axis=0)
    sums = np.stack(each(lambda band: rows @ np.where(finite, band, np.float32(0)) @ cols.T, image, threads))
    weight = rows @ finite.astype(np.float32) @ cols.T
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(weight > 0.9, sums / weight, np.nan).astype(np.float32)


def bicubic(image: np.ndarray, shape: tuple[int, int], threads: int = 1) -> np.ndarray:
    """Return (band, row, column) on a finer grid of `shape`. Source: Keys 1981, a = -0.5. NaN spreads no further."""
    rows, cols = (_cubic_matrix(n, coarse) for n, coarse in zip(shape, image.shape[1:]))
    finite = np.isfinite(image).all(axis=0)
    fill = np.nan_to_num(np.array([np.nanmean(b) if np.isfinite(b).any() else 0.0 for b in image]))
    unseen = ~nearest(finite, shape)
    result = np.empty((len(image), *shape), np.float32)

    def enlarge(band: int) -> None:
        result[band] = rows @ np.where(finite, image[band], fill[band]) @ cols.T
        result[band][unseen] = np.nan

    each(enlarge, range(len(image)), threads)
    return result


def nearest(
    image: np.ndarray, shape: tuple[int, int], rows: slice = slice(None), cols: slice = slice(None)
) -> np.ndarray:
    """Return (..., row, column) on a finer grid of `shape`, or some rows and columns of it.

    Each pixel is that of the coarse pixel its centre is in.
    """
    fine = [
        ((np.arange(n) + 0.5) * old / n).astype(int)[part]
        for n, old, part in zip(shape, image.shape[-2:], (rows, cols))
    ]
    return image[..., fine[0][:, None], fine[1]]


def _gaussian_matrix(coarse: int, fine: int, mtf: float) -> sparse.csr_matrix:
    factor = fine / coarse
    sigma = np.sqrt(-2 * np.log(mtf)) / np.pi * factor  # MTF(f) = exp(-2 pi^2 sigma^2 f^2) at f = 0.5 / factor
    centres = (np.arange(coarse) + 0.5) * factor - 0.5
    reach = int(np.ceil(3.5 * sigma))
    columns = np.floor(centres).astype(int)[:, None] + np.arange(-reach, reach + 2)
    weights = np.exp(-0.5 * ((columns - centres[:, None]) / sigma) ** 2)
    weights[(columns < 0) | (columns >= fine)] = 0
    weights /= weights.sum(axis=1, keepdims=True)
    return _matrix(weights, columns, fine)


def _cubic_matrix(fine: int, coarse: int) -> sparse.csr_matrix:
    centres = (np.arange(fine) + 0.5) * coarse / fine - 0.5
    columns = np.floor(centres).astype(int)[:, None] + np.arange(-1, 3)
    t = np.abs(columns - centres[:, None])
    near, far = 1.5 * t**3 - 2.5 * t**2 + 1, -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    return _matrix(np.where(t <= 1, near, far), columns, coarse)


def _matrix(weights: np.ndarray, columns: np.ndarray, width: int) -> sparse.csr_matrix:
    rows = np.repeat(np.arange(len(weights)), weights.shape[1])
    where = rows, np.clip(columns, 0, width - 1).ravel()
    return sparse.csr_matrix((weights.ravel().astype(np.float32), where), (len(weights), width))
