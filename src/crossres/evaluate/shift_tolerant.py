"""cPSNR and cSSIM: PSNR and SSIM after the best whole-pixel shift and without each band's bias.

Source: Märtens et al. 2019 (PROBA-V). Registration of two sensors leaves up to a pixel; a metric that punishes it
rewards blur.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import fft

from crossres.evaluate.fidelity import psnr
from crossres.evaluate.strips import each, strips
from crossres.evaluate.structure import ssim

BLOCK_PX = 500
"""Side of a block of HR; with the default reach its transform has 512 pixels."""


@dataclass(frozen=True)
class ShiftedMatch:
    """SR against HR at the shift that fits best."""

    cpsnr_db: np.ndarray
    """(band,)"""
    cpsnr_together_db: float
    shift_px: tuple[int, int]
    """Rows, columns: HR at (row, col) is like SR at (row + shift)."""
    bias: np.ndarray
    """(band,) mean of HR - SR, in reflectance."""
    counted: np.ndarray
    """HR pixels that counted, (row, column): clear in both images, and not in the frame that shifts may push out."""


def best_match(
    sr: np.ndarray, hr: np.ndarray, clear: np.ndarray, peak: float, max_shift_px: int, threads: int = 1
) -> ShiftedMatch:
    """Return cPSNR over whole-pixel shifts of up to `max_shift_px` on each axis, one shift for all bands.

    A pixel counts when it is clear in HR and clear in the shifted SR. Images are (band, row, column) reflectance. HR is
    cropped by `max_shift_px` on each side, so that every shift is judged on the same frame.
    """
    m = max_shift_px
    inner = np.zeros_like(clear)
    inner[m : clear.shape[0] - m, m : clear.shape[1] - m] = True
    inner &= clear
    total = _shifted_mse(sr, hr, clear, inner, m, threads)
    if np.isnan(total).all():
        nothing = np.full(len(sr), np.nan)
        return ShiftedMatch(nothing, np.nan, (0, 0), nothing, np.zeros_like(clear))
    row, col = np.unravel_index(np.nanargmin(total), total.shape)
    shift = int(row) - m, int(col) - m
    fixed, moved = _overlaps(clear.shape, shift)
    counted = np.zeros_like(clear)
    counted[fixed] = inner[fixed] & clear[moved]
    bias, variance = _difference(sr[:, *moved], hr[:, *fixed], counted[fixed], threads)
    cpsnr = psnr(np.sqrt(variance), peak)
    return ShiftedMatch(cpsnr, float(psnr(np.sqrt(variance.mean()), peak)), shift, bias, counted)


def cssim(sr: np.ndarray, hr: np.ndarray, match: ShiftedMatch, peak: float, threads: int = 1) -> np.ndarray:
    """Return cSSIM of each band, (band,): SSIM at the shift that cPSNR found, without each band's bias."""
    fixed, moved = _overlaps(match.counted.shape, match.shift_px)
    unbiased = sr[:, *moved] + match.bias.astype(np.float32)[:, None, None]
    return ssim(unbiased, hr[:, *fixed], match.counted[fixed], peak, threads)


def _overlaps(shape: tuple[int, ...], shift: tuple[int, int]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the window of HR that has a partner in SR, and that partner."""
    rows, cols = ((slice(max(0, -d), n - max(0, d)), slice(max(0, d), n - max(0, -d))) for n, d in zip(shape, shift))
    return (rows[0], cols[0]), (rows[1], cols[1])


def _shifted_mse(
    sr: np.ndarray, hr: np.ndarray, clear: np.ndarray, inner: np.ndarray, m: int, threads: int
) -> np.ndarray:
    """Return the bias-free mean square error at every shift, mean over bands, (2 m + 1, 2 m + 1).

    With weight w = inner(x) clear(x + d): sum w (h - s)^2 = sum w h^2 + sum w s^2 - 2 sum w h s, each a correlation.
    They are summed over bands and blocks in the frequency domain, so that only one inverse transform is needed a term;
    the bias needs each band's own sum of w (h - s).
    """
    bands = len(hr)
    offsets = [h[inner].mean() if inner.any() else np.float32(0) for h in hr]
    side = fft.next_fast_len(BLOCK_PX + 2 * m, real=True)

    def sums(block: tuple[tuple[slice, slice], tuple[slice, slice]]) -> np.ndarray:
        fixed, moving = block
        counts, valid = inner[fixed], _padded(clear, moving)
        found = np.zeros((2 + bands, side, side // 2 + 1), np.complex64)
        if not counts.any():
            return found
        weight, seen = _transform(counts, side).conj(), _transform(valid, side)
        found[0] = weight * seen
        h_squares, s_squares = np.zeros(counts.shape, np.float32), np.zeros(valid.shape, np.float32)
        for b in range(bands):
            h = np.where(counts, hr[b][fixed] - offsets[b], 0)
            s = np.where(valid, _padded(sr[b], moving) - offsets[b], 0)
            h_squares += h * h
            s_squares += s * s
            h1, s1 = _transform(h, side).conj(), _transform(s, side)
            found[1] -= 2 * h1 * s1
            found[2 + b] = h1 * seen - weight * s1
        found[1] += _transform(h_squares, side).conj() * seen + weight * _transform(s_squares, side)
        return found

    blocks = list(_blocks(clear.shape, m))
    terms = np.zeros((2 + bands, side, side // 2 + 1), np.complex128)
    for start in range(0, len(blocks), 4):  # a few at a time: their transforms are large
        for part in each(sums, blocks[start : start + 4], threads):
            terms += part
    lags = [fft.irfft2(term, (side, side))[: 2 * m + 1, : 2 * m + 1] for term in terms]
    count, squares, *differences = lags
    with np.errstate(invalid="ignore", divide="ignore"):
        bias = sum((d / count) ** 2 for d in differences)
        return np.where(count > 0.5, (squares / count - bias) / bands, np.nan)


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


def _difference(sr: np.ndarray, hr: np.ndarray, weight: np.ndarray, threads: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the variance of HR - SR of each band over pixels that count, both (band,)."""

    def sums(rows: slice) -> np.ndarray:
        inside = weight[rows]
        found = [(h[rows][inside] - s[rows][inside]).astype(np.float64) for h, s in zip(hr, sr)]
        return np.array([(d.sum(), np.square(d).sum()) for d in found])

    total, squares = np.sum(each(sums, strips(len(weight)), threads), axis=0).T
    mean = total / weight.sum()
    return mean, np.maximum(squares / weight.sum() - mean**2, 0)
