"""cPSNR: PSNR after the best whole-pixel shift and without each band's bias.

Source: Märtens et al. 2019 (PROBA-V). Registration of two sensors leaves up to a pixel; a metric that punishes it
rewards blur.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import fft

from crossres.evaluate.fidelity import psnr

BLOCK_PX = 256


@dataclass(frozen=True)
class ShiftedMatch:
    """SR against HR at the shift that fits best."""

    cpsnr_db: np.ndarray
    """(band,)"""
    cpsnr_together_db: float
    shift_px: tuple[int, int]
    """Rows, columns: HR at (row, col) is like SR at (row + shift)."""


def best_match(sr: np.ndarray, hr: np.ndarray, clear: np.ndarray, peak: float, max_shift_px: int) -> ShiftedMatch:
    """Return cPSNR over whole-pixel shifts of up to `max_shift_px` on each axis, one shift for all bands.

    A pixel counts when it is clear in HR and clear in the shifted SR. Images are (band, row, column) reflectance. HR is
    cropped by `max_shift_px` on each side, so that every shift is judged on the same frame.
    """
    m = max_shift_px
    inner = np.zeros_like(clear)
    inner[m : clear.shape[0] - m, m : clear.shape[1] - m] = True
    errors = np.stack([_shifted_mse(s, h, clear, clear & inner, m) for s, h in zip(sr, hr)])
    total = errors.mean(axis=0)
    if np.isnan(total).all():
        return ShiftedMatch(np.full(len(sr), np.nan), np.nan, (0, 0))
    row, col = np.unravel_index(np.nanargmin(total), total.shape)
    shift = int(row) - m, int(col) - m
    exact = np.array([_mse_at(s, h, clear, clear & inner, shift) for s, h in zip(sr, hr)])
    return ShiftedMatch(psnr(np.sqrt(exact), peak), float(psnr(np.sqrt(exact.mean()), peak)), shift)


def _shifted_mse(sr: np.ndarray, hr: np.ndarray, clear: np.ndarray, inner: np.ndarray, m: int) -> np.ndarray:
    """Return the bias-free mean square error at every shift, (2 m + 1, 2 m + 1).

    With weight w = inner(x) clear(x + d): sum w (h - s)^2 = sum w h^2 + sum w s^2 - 2 sum w h s, each a correlation.
    They are summed over blocks in the frequency domain, so that only one inverse transform is needed per term.
    """
    offset = hr[inner].mean() if inner.any() else 0.0
    h = np.where(inner, hr - offset, 0).astype(np.float32)
    s = np.where(clear, sr - offset, 0).astype(np.float32)
    side = fft.next_fast_len(BLOCK_PX + 2 * m, real=True)
    sums = np.zeros((4, side, side // 2 + 1), np.complex128)
    for fixed, moving in _blocks(clear.shape, m):
        weight = _transform(inner[fixed], side)
        h1, h2 = _transform(h[fixed], side), _transform(h[fixed] ** 2, side)
        valid = _transform(_padded(clear, moving), side)
        s_block = _padded(s, moving)
        s1, s2 = _transform(s_block, side), _transform(s_block**2, side)
        sums[0] += weight.conj() * valid
        sums[1] += h1.conj() * valid - weight.conj() * s1
        sums[2] += h2.conj() * valid + weight.conj() * s2
        sums[3] += h1.conj() * s1
    lags = [fft.irfft2(term, (side, side))[: 2 * m + 1, : 2 * m + 1] for term in sums]
    count, difference, squares, product = lags
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count > 0.5, (squares - 2 * product) / count - (difference / count) ** 2, np.nan)


def _blocks(shape: tuple[int, ...], m: int) -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Yield blocks of HR and the same blocks of SR wider by `m` on each side (they may pass the border)."""
    for top in range(0, shape[0], BLOCK_PX):
        for left in range(0, shape[1], BLOCK_PX):
            yield (
                (slice(top, top + BLOCK_PX), slice(left, left + BLOCK_PX)),
                (slice(top - m, top + BLOCK_PX + m), slice(left - m, left + BLOCK_PX + m)),
            )


def _padded(image: np.ndarray, window: tuple[slice, slice]) -> np.ndarray:
    before = [max(0, -w.start) for w in window]
    after = [max(0, w.stop - n) for w, n in zip(window, image.shape)]
    inside = image[tuple(slice(max(0, w.start), w.stop) for w in window)]
    return np.pad(inside, list(zip(before, after)))


def _transform(image: np.ndarray, side: int) -> np.ndarray:
    return fft.rfft2(image.astype(np.float32), (side, side))


def _mse_at(sr: np.ndarray, hr: np.ndarray, clear: np.ndarray, inner: np.ndarray, shift: tuple[int, int]) -> float:
    back = -shift[0], -shift[1]
    weight = inner & np.roll(clear, back, (0, 1))
    return float(np.var((hr - np.roll(sr, back, (0, 1)))[weight], dtype=np.float64))
