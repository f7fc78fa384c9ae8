"""How sharp an image is: its radial power spectrum against that of HR.

Power is a density over spatial frequency (reflectance^2 m^2), so images of different pixel size compare.
"""

from dataclasses import dataclass

import numpy as np
from scipy import fft

from crossres.evaluate.strips import each

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


def radial_spectrum(
    image: np.ndarray, side: int, corners: list[tuple[int, int]], gsd_m: float, threads: int = 1
) -> RadialSpectrum:
    """Return the radial power spectrum of an image (band, row, column), averaged over blocks.

    Each block has its mean removed and is tapered with a Hann window. No block gives NaN.
    """
    taper = np.hanning(side + 2)[1:-1].astype(np.float32)
    window = taper[:, None] * taper
    radius = np.hypot(fft.fftfreq(side)[:, None], fft.rfftfreq(side))
    ring = np.rint(radius * side).astype(int).ravel()
    twice = np.ones(side // 2 + 1)
    twice[1:-1] = 2  # rfft keeps one of each conjugate pair
    weight = np.broadcast_to(twice, (side, side // 2 + 1)).ravel()

    def power_of(row: int) -> np.ndarray:
        """Return the summed power of the blocks that begin at a row, (band, frequency)."""
        columns = [c for r, c in corners if r == row]
        blocks = np.stack([image[:, row : row + side, c : c + side] for c in columns])
        blocks = (blocks - blocks.mean(axis=(2, 3), keepdims=True)) * window
        found = fft.rfft2(blocks)
        return (found.real**2 + found.imag**2).sum(axis=0, dtype=np.float64).reshape(len(image), -1)

    parts = each(power_of, sorted({row for row, _ in corners}), threads)
    power = np.sum(parts, axis=0) if parts else np.zeros((len(image), side * (side // 2 + 1)))
    power *= gsd_m**2 / (np.square(window).sum() * len(corners)) if corners else np.nan
    rings = np.arange(1, side // 2 + 1)
    size = np.bincount(ring, weight)[rings]
    mean = np.stack([np.bincount(ring, weight * p)[rings] / size for p in power])
    return RadialSpectrum(rings / (side * gsd_m), mean)


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
