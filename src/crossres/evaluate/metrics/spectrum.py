"""How sharp an image is: its radial power spectrum against that of HR.

Power is a density over spatial frequency (reflectance^2 m^2), so images of different pixel size compare.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import dask.array as da
import numpy as np
from dask.delayed import Delayed
from scipy import fft

from crossres.evaluate.metrics.metric import Metric
from crossres.evaluate.metrics.windows import begin_in
from crossres.imagery.neighbourhood import Near, per_neighbourhood

BLOCK_SIDES_PX = (128, 64, 32, 16)
MIN_BLOCKS = 4


@dataclass(frozen=True)
class RadialSpectrum:
    """Mean power over rings of equal spatial frequency."""

    frequency: np.ndarray
    """(ring,) cycles per metre."""
    power: np.ndarray
    """(band, ring) reflectance^2 m^2."""


def clear_blocks(clear: np.ndarray) -> tuple[int, list[tuple[int, int]]]:
    """Return a block's side in pixels and the top left corners of the blocks that are clear throughout.

    Blocks overlap by half. The side is the largest that gives at least four blocks, else the smallest that gives any.
    """
    best: tuple[int, list[tuple[int, int]]] = (BLOCK_SIDES_PX[-1], [])
    for side in BLOCK_SIDES_PX:
        corners = [
            (row, col)
            for row in range(0, clear.shape[0] - side + 1, side // 2)
            for col in range(0, clear.shape[1] - side + 1, side // 2)
            if clear[row : row + side, col : col + side].all()
        ]
        if corners:
            best = side, corners
        if len(corners) >= MIN_BLOCKS:
            break
    return best


def spectrum_parts(image: da.Array, side: int, corners: list[tuple[int, int]]) -> list[Delayed]:
    """Return the power of the windows that begin in each block of an image (band, row, column), for `radial_spectrum`.

    Each window has its mean removed and is tapered with a Hann window.
    """
    at = np.array(corners, np.int64).reshape(-1, 2)
    return per_neighbourhood(partial(_power, side=side, corners=at), side - 1, image, with_place=True)


def radial_spectrum(parts: Sequence[np.ndarray], side: int, count: int, gsd_m: float) -> RadialSpectrum:
    """Return the radial power spectrum averaged over `count` windows of `side` pixels; NaN without any."""
    radius = np.hypot(fft.fftfreq(side)[:, None], fft.rfftfreq(side))
    ring = np.rint(radius * side).astype(int).ravel()
    twice = np.ones(side // 2 + 1)
    twice[1:-1] = 2  # rfft keeps one of each conjugate pair
    weight = np.broadcast_to(twice, (side, side // 2 + 1)).ravel()
    power = np.sum(parts, axis=0)
    power *= gsd_m**2 / (np.square(_hann(side)).sum() * count) if count else np.nan
    rings = np.arange(1, side // 2 + 1)
    size = np.bincount(ring, weight)[rings]
    mean = np.stack([np.bincount(ring, weight * p)[rings] / size for p in power])
    return RadialSpectrum(rings / (side * gsd_m), mean)


def _power(near: Near, image: np.ndarray, side: int, corners: np.ndarray) -> np.ndarray:
    """Return the summed power of the windows that begin in a block, (band, frequency)."""
    power = np.zeros((len(image), side * (side // 2 + 1)))
    here = begin_in(near, corners)
    for row in np.unique(here[:, 0]):
        columns = here[here[:, 0] == row, 1]
        windows = np.stack([image[:, row : row + side, c : c + side] for c in columns])
        windows = (windows - windows.mean(axis=(2, 3), keepdims=True)) * _hann(side)
        found = fft.rfft2(windows)
        power += (found.real**2 + found.imag**2).sum(axis=0, dtype=np.float64).reshape(len(image), -1)
    return power


def _hann(side: int) -> np.ndarray:
    taper = np.hanning(side + 2)[1:-1].astype(np.float32)
    return taper[:, None] * taper


@dataclass(frozen=True)
class SpectrumError:
    """Log-ratio of an image's power to HR's, in decades, (band,) each."""

    detail: np.ndarray
    """Mean absolute log10 ratio between LR's Nyquist frequency and HR's: the detail that SR must supply."""
    detail_bias: np.ndarray
    """The same with its sign: below 0 too smooth, above 0 too rough."""
    all: np.ndarray
    """Mean absolute log10 ratio over all frequencies."""


def spectrum_error(image: RadialSpectrum, hr: RadialSpectrum, lr_gsd_m: float) -> SpectrumError:
    """Return how far an image's spectrum is from HR's; both on the same rings."""
    floor = 1e-12 * hr.power.max(axis=1, keepdims=True)
    ratio = np.log10((image.power + floor) / (hr.power + floor))
    detail = ratio[:, hr.frequency > 0.5 / lr_gsd_m]
    if detail.size == 0:
        detail = np.full((len(ratio), 1), np.nan)
    return SpectrumError(np.abs(detail).mean(1), detail.mean(1), np.abs(ratio).mean(1))


METRICS = (
    Metric[SpectrumError](
        key="spectrum_error", label="Spectrum error", unit="decades", better="lower", digits=3, place=120,
        meaning="how far the power at scales that LR cannot show is from HR's, in powers of ten",
        value=lambda found: found.detail.mean(), by_band=lambda found: found.detail,
    ),
    Metric[SpectrumError](
        key="spectrum_bias", label="Spectrum bias", unit="decades", better=None, digits=3, place=130,
        meaning="power at scales that LR cannot show, against HR's: below 0 too smooth, above 0 too rough",
        value=lambda found: found.detail_bias.mean(), by_band=lambda found: found.detail_bias,
    ),
    Metric[SpectrumError](
        key="spectrum_error_all", label="Spectrum error, all", unit="decades", better="lower", digits=3, place=140,
        meaning="how far the power at all scales is from HR's, in powers of ten",
        value=lambda found: found.all.mean(), by_band=lambda found: found.all,
    ),
)  # fmt: skip
