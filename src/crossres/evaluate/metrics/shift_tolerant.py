"""cPSNR and cSSIM: PSNR and SSIM after the best whole-pixel shift and without each band's bias.

Source: Märtens et al. 2019 (PROBA-V). Registration of two sensors leaves up to a pixel; a metric that punishes it
rewards blur.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import dask.array as da
import numpy as np
from dask.delayed import Delayed
from scipy import fft

from crossres.evaluate.metrics.fidelity import psnr
from crossres.evaluate.metrics.metric import Metric
from crossres.evaluate.metrics.structure import ssim_parts
from crossres.imagery.neighbourhood import Near, per_neighbourhood

PART_PX = 512
"""Side of the parts of a block whose transforms are taken; with the default reach these have 525 pixels."""


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


@dataclass(frozen=True)
class ShiftTolerant:
    """What is known of an image once registration is forgiven."""

    match: ShiftedMatch
    cssim: np.ndarray
    """(band,)"""


@dataclass(frozen=True)
class Shift:
    """The whole-pixel shift that fits best, one for all bands."""

    px: tuple[int, int]
    """Rows, columns: HR at (row, col) is like SR at (row + shift)."""
    counted: np.ndarray
    """HR pixels that count at that shift, (row, column) bool; none where no shift has a clear pixel."""
    about: np.ndarray
    """(band,) mean of HR - SR there, to the digits of a transform in single precision."""


def shift_parts(sr: da.Array, hr: da.Array, clear: np.ndarray, means: np.ndarray, max_shift_px: int) -> list[Delayed]:
    """Return sums over each block at all shifts of up to `max_shift_px` on each axis, for `best_shift`.

    Images are (band, row, column) reflectance; `means` are about HR's, (band,).
    """
    sums = partial(_lags, means=means, m=max_shift_px)
    frame = _in_frame(clear, max_shift_px)
    return per_neighbourhood(sums, max_shift_px, sr, hr, clear, frame, with_place=True)


def best_shift(parts: Sequence[np.ndarray], clear: np.ndarray, max_shift_px: int) -> Shift:
    """Return the shift of the least mean square error without bias, mean over bands.

    A pixel counts when it is clear in HR and clear in the shifted SR. HR is cropped by `max_shift_px` on each side, so
    that every shift is judged on the same frame.
    """
    count, squares, *differences = np.sum(parts, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        bias = np.stack(differences) / count
        total = np.where(count > 0.5, (squares / count - (bias**2).sum(axis=0)) / len(bias), np.nan)
    if np.isnan(total).all():
        return Shift((0, 0), np.zeros_like(clear), np.full(len(bias), np.nan))
    row, col = np.unravel_index(np.nanargmin(total), total.shape)
    shift = int(row) - max_shift_px, int(col) - max_shift_px
    fixed, moved = _overlaps(clear.shape, shift)
    counted = np.zeros_like(clear)
    counted[fixed] = _in_frame(clear, max_shift_px)[fixed] & clear[moved]
    return Shift(shift, counted, bias[:, row, col])


def match_parts(sr: da.Array, hr: da.Array, shift: Shift) -> list[Delayed]:
    """Return the sums of HR - SR at a shift, and of its square, over each block, for `matched`."""
    reach = max(abs(d) for d in shift.px)
    return per_neighbourhood(partial(_difference, shift_px=shift.px), reach, sr, hr, shift.counted, with_place=True)


def matched(parts: Sequence[np.ndarray], shift: Shift, peak: float) -> ShiftedMatch:
    """Return cPSNR at the shift that fits best."""
    total, squares = np.sum(parts, axis=0).T
    if not (count := int(shift.counted.sum())):
        nothing = np.full(len(total), np.nan)
        return ShiftedMatch(nothing, np.nan, (0, 0), nothing)
    mean = total / count
    variance = np.maximum(squares / count - mean**2, 0)
    return ShiftedMatch(psnr(np.sqrt(variance), peak), float(psnr(np.sqrt(variance.mean()), peak)), shift.px, mean)


def cssim_parts(sr: da.Array, hr: da.Array, shift: Shift, means: np.ndarray, peak: float) -> list[Delayed]:
    """Return what `structure.ssim` makes cSSIM of: SSIM at a shift, without each band's bias."""
    return ssim_parts(sr, hr, shift.counted, means, shift.about, peak, shift.px)


def _in_frame(clear: np.ndarray, m: int) -> np.ndarray:
    """Return the clear pixels that no shift of up to `m` pushes out."""
    inner = np.zeros_like(clear)
    inner[m : clear.shape[0] - m, m : clear.shape[1] - m] = True
    return inner & clear


def _overlaps(shape: tuple[int, ...], shift: tuple[int, int]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the window of HR that has a partner in SR, and that partner."""
    rows, cols = ((slice(max(0, -d), n - max(0, d)), slice(max(0, d), n - max(0, -d))) for n, d in zip(shape, shift))
    return (rows[0], cols[0]), (rows[1], cols[1])


def _lags(
    near: Near, sr: np.ndarray, hr: np.ndarray, clear: np.ndarray, frame: np.ndarray, means: np.ndarray, m: int
) -> np.ndarray:
    """Return the count, the squares and each band's sum of h - s at every shift, (2 + band, 2 m + 1, 2 m + 1).

    With weight w = frame(x) clear(x + d): sum w (h - s)^2 = sum w h^2 + sum w s^2 - 2 sum w h s, each a correlation.
    They are summed over bands and parts of a block in the frequency domain, so that only one inverse transform is
    needed a term; the bias needs each band's own sum of w (h - s).
    """
    bands = len(hr)
    means = means.astype(np.float32)
    side = fft.next_fast_len(PART_PX + 2 * m, real=True)
    terms = np.zeros((2 + bands, side, side // 2 + 1), np.complex128)
    for fixed, moving in _blocks(near.inner, m):
        counts, valid = frame[fixed], _padded(clear, moving)
        if not counts.any():
            continue
        weight, seen = _transform(counts, side).conj(), _transform(valid, side)
        terms[0] += weight * seen
        h_squares, s_squares = np.zeros(counts.shape, np.float32), np.zeros(valid.shape, np.float32)
        for b in range(bands):
            h = np.where(counts, hr[b][fixed] - means[b], 0)
            s = np.where(valid, _padded(sr[b], moving) - means[b], 0)
            h_squares += h * h
            s_squares += s * s
            h1, s1 = _transform(h, side).conj(), _transform(s, side)
            terms[1] -= 2 * h1 * s1
            terms[2 + b] += h1 * seen - weight * s1
        terms[1] += _transform(h_squares, side).conj() * seen + weight * _transform(s_squares, side)
    rows = fft.ifft(terms, axis=1)[:, : 2 * m + 1]
    return fft.irfft(rows, side, axis=2)[:, :, : 2 * m + 1]


def _blocks(own: tuple[slice, slice], m: int) -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Yield parts of HR's block and the same parts of SR wider by `m` on each side (they may pass the border)."""
    rows, cols = own
    for top in range(rows.start, rows.stop, PART_PX):
        for left in range(cols.start, cols.stop, PART_PX):
            bottom, right = min(top + PART_PX, rows.stop), min(left + PART_PX, cols.stop)
            yield (slice(top, bottom), slice(left, right)), (slice(top - m, bottom + m), slice(left - m, right + m))


def _padded(image: np.ndarray, window: tuple[slice, slice]) -> np.ndarray:
    before = [max(0, -w.start) for w in window]
    after = [max(0, w.stop - n) for w, n in zip(window, image.shape)]
    inside = image[tuple(slice(max(0, w.start), w.stop) for w in window)]
    return np.pad(inside, list(zip(before, after)))


def _transform(image: np.ndarray, side: int) -> np.ndarray:
    return fft.rfft2(image.astype(np.float32), (side, side))


def _difference(
    near: Near, sr: np.ndarray, hr: np.ndarray, counted: np.ndarray, shift_px: tuple[int, int]
) -> np.ndarray:
    """Return the sums of HR - SR and of its square over pixels that count, (band, 2)."""
    rows, cols = near.inner
    inside = counted[rows, cols]
    moved = np.roll(sr, (-shift_px[0], -shift_px[1]), (1, 2)) if any(shift_px) else sr
    found = [(h[rows, cols][inside] - s[rows, cols][inside]).astype(np.float64) for h, s in zip(hr, moved, strict=True)]
    return np.array([(d.sum(), np.square(d).sum()) for d in found])


METRICS = (
    Metric[ShiftTolerant](
        key="cpsnr_db", label="cPSNR", unit="dB", better="higher", digits=2, place=20,
        meaning="PSNR after the best shift by whole pixels, each band's constant difference removed",
        value=lambda found: found.match.cpsnr_together_db, by_band=lambda found: found.match.cpsnr_db,
    ),
    Metric[ShiftTolerant](
        key="cssim", label="cSSIM", better="higher", digits=3, place=50,
        meaning="SSIM after the shift that cPSNR found, each band's constant difference removed",
        value=lambda found: found.cssim.mean(), by_band=lambda found: found.cssim,
    ),
)  # fmt: skip
