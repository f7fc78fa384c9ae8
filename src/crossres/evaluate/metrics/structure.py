"""How alike local structure is: SSIM, MS-SSIM and UQI of each band, over windows that are clear throughout.

torchmetrics has them but knows no mask; here SSIM and MS-SSIM equal torchmetrics' own, and UQI the definition, where
all is clear.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import dask.array as da
import numpy as np
from dask.delayed import Delayed

from crossres.evaluate.metrics.local_indices import (
    SSIM_RADIUS_PX,
    UQI_PX,
    halved,
    luminance,
    ssim_terms,
    uqi_map,
    windows_clear,
)  # fmt: skip
from crossres.evaluate.metrics.metric import Metric
from crossres.imagery.neighbourhood import Near, per_neighbourhood

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of MS-SSIM from fine to coarse. Source: Wang et al. 2003."""
REACH_PX = SSIM_RADIUS_PX * 2 ** (len(SCALE_WEIGHTS) - 1)
"""How far a pixel of the coarsest scale looks, in pixels of the finest. Blocks begin at multiples of 16 pixels."""
STRIP_ROWS = 128
"""Rows that are gone through at a time, so that what is made of them stays in the processor's cache."""


@dataclass(frozen=True)
class Structure:
    """Indices of each band, (band,), 1 where the images are the same; NaN without a clear window."""

    ssim: np.ndarray
    """Gaussian window of 11 x 11 pixels. Source: Wang et al. 2004, eq. 13."""
    ms_ssim: np.ndarray
    """SSIM's contrast and structure at five scales, its luminance at the coarsest; NaN without a clear window there."""
    uqi: np.ndarray
    """Window of 8 x 8 pixels. Source: Wang and Bovik 2002."""
    cssim: np.ndarray
    """SSIM without a bias and of other windows, where both were given; else NaN."""


def structure_parts(
    sr: da.Array, hr: da.Array, clear: np.ndarray, means: np.ndarray, peak: float,
    unbiased: tuple[np.ndarray, np.ndarray] | None = None,
) -> list[Delayed]:  # fmt: skip
    """Return sums over each block of two images, (band, row, column) reflectance, for `structure`.

    `peak` is the reflectance SSIM takes as the full range, `means` HR's about means, (band,). `unbiased` asks for SSIM
    of SR with something added, (band,), over some of the clear pixels, (row, column): a constant changes nothing but
    SSIM's luminance, so that it costs little beside SSIM itself.
    """
    bias, fewer = unbiased or (np.full(len(sr), np.nan), np.zeros((1, 1), bool))
    fewer = np.broadcast_to(fewer, clear.shape)
    sums = partial(_block_sums, means=means, bias=bias, peak=peak)
    return per_neighbourhood(sums, REACH_PX, sr, hr, clear, fewer, with_place=True)


def structure(parts: Sequence[np.ndarray]) -> Structure:
    """Return the indices that the sums over blocks give."""
    return Structure(*np.array([_indices([_Sums(*scale) for scale in band]) for band in np.sum(parts, axis=0)]).T)


def ssim_parts(
    sr: da.Array, hr: da.Array, clear: np.ndarray, means: np.ndarray, bias: np.ndarray, peak: float,
    shift_px: tuple[int, int] = (0, 0),
) -> list[Delayed]:  # fmt: skip
    """Return sums over each block for `ssim`, of SR with `bias` added; HR at (row, col) meets SR at (row + shift)."""
    reach = SSIM_RADIUS_PX + max(abs(d) for d in shift_px)
    sums = partial(_shifted_sums, means=means, bias=bias, peak=peak, shift_px=shift_px)
    return per_neighbourhood(sums, reach, sr, hr, clear, with_place=True)


def ssim(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return SSIM alone, (band,)."""
    sums = [_Sums(*band) for band in np.sum(parts, axis=0)]
    return np.array([s.ssim / s.windows if s.windows else np.nan for s in sums])


def _block_sums(
    near: Near, sr: np.ndarray, hr: np.ndarray, clear: np.ndarray, fewer: np.ndarray, means: np.ndarray,
    bias: np.ndarray, peak: float,
) -> np.ndarray:  # fmt: skip
    """Return `_Sums` of each band at each scale, (band, scale, 7)."""
    masks, own = [clear], [near.inner]
    for _ in SCALE_WEIGHTS[1:]:
        shrinks = min(masks[-1].shape) > 1
        masks.append(halved(masks[-1], np.logical_and) if shrinks else masks[-1])
        own.append(_half(own[-1]) if shrinks else own[-1])
    windows = [windows_clear(mask, 2 * SSIM_RADIUS_PX + 1) for mask in masks]
    small, windows_fewer = windows_clear(clear, UQI_PX), windows_clear(fewer, 2 * SSIM_RADIUS_PX + 1)
    found = []
    for s, h, mean, added in zip(sr, hr, means, bias, strict=True):
        x, y = (_about(image, mean, clear) for image in (s, h))
        for scale, inside in enumerate(windows):
            if scale:
                x, y = (halved(image, np.add) * np.float32(0.25) if min(image.shape) > 1 else image for image in (x, y))
            fine = None if scale else _Fine(small, windows_fewer, float(added))
            found.append(_windows(x, y, inside, own[scale], fine, float(np.float32(mean)), peak))
    return np.array(found, np.float64).reshape(len(sr), len(SCALE_WEIGHTS), -1)


def _shifted_sums(
    near: Near, sr: np.ndarray, hr: np.ndarray, clear: np.ndarray, means: np.ndarray, bias: np.ndarray, peak: float,
    shift_px: tuple[int, int],
) -> np.ndarray:  # fmt: skip
    inside = windows_clear(clear, 2 * SSIM_RADIUS_PX + 1)
    found = []
    for s, h, mean, added in zip(sr, hr, means, bias, strict=True):
        moved = np.roll(s + np.float32(added), (-shift_px[0], -shift_px[1]), (0, 1))
        x, y = (_about(image, mean, clear) for image in (moved, h))
        found.append(_windows(x, y, inside, near.inner, None, float(np.float32(mean)), peak))
    return np.array(found, np.float64)


def _about(image: np.ndarray, mean: float, clear: np.ndarray) -> np.ndarray:
    """Return a band without HR's mean, 0 where masked: squares then keep more digits."""
    return np.where(clear, image - np.float32(mean), np.float32(0))


def _half(own: tuple[slice, slice]) -> tuple[slice, slice]:
    rows, cols = (slice(side.start // 2, side.stop // 2) for side in own)
    return rows, cols


class _Fine(NamedTuple):
    """What is asked for at the finest scale alone."""

    small: np.ndarray
    """Clear windows of UQI's size."""
    fewer: np.ndarray
    """Windows of SSIM without bias."""
    added: float
    """What then is added to SR."""


class _Sums(NamedTuple):
    ssim: float
    contrast: float
    windows: int
    uqi: float = 0.0
    uqi_windows: int = 0
    cssim: float = 0.0
    cssim_windows: int = 0


def _indices(scales: list[_Sums]) -> tuple[float, float, float, float]:
    """Return SSIM, MS-SSIM, UQI and SSIM without bias from the sums at each scale, fine to coarse."""
    fine = scales[0]
    ssim, uqi, cssim = (
        total / windows if windows else np.nan
        for total, windows in (
            (fine.ssim, fine.windows), (fine.uqi, fine.uqi_windows), (fine.cssim, fine.cssim_windows),
        )
    )  # fmt: skip
    if not all(s.windows for s in scales):
        return ssim, np.nan, uqi, cssim
    factors = [s.contrast / s.windows for s in scales[:-1]] + [scales[-1].ssim / scales[-1].windows]
    return ssim, float(np.prod(np.maximum(factors, 0) ** np.array(SCALE_WEIGHTS))), uqi, cssim


def _windows(
    x: np.ndarray, y: np.ndarray, inside: np.ndarray, own: tuple[slice, slice], fine: _Fine | None, offset: float,
    peak: float,
) -> _Sums:  # fmt: skip
    """Return sums over the clear windows `inside`, of SSIM's size, and at the finest scale what else is asked for.

    Windows count whose centre is in `own`. The images are given without `offset`, which variances do not feel.
    """
    left = max(own[1].start - SSIM_RADIUS_PX, 0)
    across = slice(left, own[1].stop + SSIM_RADIUS_PX)
    cols = slice(own[1].start - left, own[1].stop - left)

    def sums(rows: slice) -> _Sums:
        top = max(rows.start - SSIM_RADIUS_PX, 0)
        inner = slice(rows.start - top, rows.stop - top), cols
        a, b = (image[top : rows.stop + SSIM_RADIUS_PX, across] for image in (x, y))

        def total(image: np.ndarray, counted: np.ndarray) -> float:
            return float(image[inner][counted[rows, own[1]]].sum(dtype=np.float64))

        mean_x, mean_y, contrast = ssim_terms(a, b, peak)
        similar = luminance(mean_x, mean_y, offset, 0.0, peak) * contrast
        found = _Sums(total(similar, inside), total(contrast, inside), int(inside[rows, own[1]].sum()))
        if fine is None:
            return found
        flat = int(fine.small[rows, own[1]].sum())
        found = found._replace(uqi=total(uqi_map(a, b, offset), fine.small), uqi_windows=flat)
        if not (asked := int(fine.fewer[rows, own[1]].sum())):
            return found
        similar = luminance(mean_x, mean_y, offset, fine.added, peak) * contrast
        return found._replace(cssim=total(similar, fine.fewer), cssim_windows=asked)

    tops = range(own[0].start, own[0].stop, STRIP_ROWS)
    strips = [sums(slice(top, min(top + STRIP_ROWS, own[0].stop))) for top in tops]
    return _Sums(*(sum(values) for values in zip(*strips, strict=True))) if strips else _Sums(0, 0, 0)


METRICS = (
    Metric[Structure](
        key="ssim", label="SSIM", better="higher", digits=3, place=30,
        meaning="structural similarity: local brightness, contrast and structure against HR",
        value=lambda found: found.ssim.mean(), by_band=lambda found: found.ssim,
    ),
    Metric[Structure](
        key="ms_ssim", label="MS-SSIM", better="higher", digits=3, place=40, meaning="SSIM at five scales together",
        value=lambda found: found.ms_ssim.mean(), by_band=lambda found: found.ms_ssim,
    ),
    Metric[Structure](
        key="uqi", label="UQI", better="higher", digits=3, place=60,
        meaning="universal quality index: local correlation, brightness and contrast against HR",
        value=lambda found: found.uqi.mean(), by_band=lambda found: found.uqi,
    ),
)  # fmt: skip
