"""How far one image's content lies from another's: correlation of the orientation of their gradients.

Orientation correlation (Fitch, Kadyrov, Christmas and Kittler, BMVC 2002): each pixel is the unit complex number of its
gradient's direction, so the strength of an edge, which differs between sensors and seasons, has no say. The peak of the
correlation is found on a DFT that is upsampled around it (Guizar-Sicairos, Thurman and Fienup, Optics Letters 2008).
"""

from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage


@dataclass(frozen=True)
class Shifts:
    """How far the second images' content lies from the first's."""

    rows: np.ndarray
    """(n,) along rows, in pixels."""
    cols: np.ndarray
    """(n,) along columns, in pixels."""
    reliability: np.ndarray
    """(n,) correlation coefficient of the orientations at the peak, 0 to 1; 0 where the peak is on the search's border.

    It tells images of one place from those of different places where the shape of the peak (as in AROSICS) does not,
    since smooth land has a broad peak.
    """


def orientation(image: np.ndarray, clear: np.ndarray, sigma_px: float, damping: float) -> np.ndarray:
    """Return the (band, row, column) complex64 direction of an image's gradient; 0 where not `clear` and beside it.

    The gradient is that of a Gaussian of `sigma_px`. Gradients that are small against the band's typical one are
    damped, not raised to unit length, for they are noise: one of `damping` times the typical one has length 0.7.
    """
    inner = inside(clear)
    return np.stack([direction(band, clear, inner, sigma_px, damping) for band in image])


def inside(clear: np.ndarray) -> np.ndarray:
    """Return the (row, column) pixels whose gradients see clear pixels alone."""
    return ndimage.binary_erosion(clear, iterations=2, border_value=0)


def direction(band: np.ndarray, clear: np.ndarray, inner: np.ndarray, sigma_px: float, damping: float) -> np.ndarray:
    """Return `orientation` of one (row, column) band; `inner` is what `inside` says of `clear`."""
    result = np.zeros(band.shape, np.complex64)
    if not inner.any():
        return result
    smooth = np.where(clear, band, band[clear].mean()).astype(np.float32)
    gx = ndimage.gaussian_filter(smooth, sigma_px, order=(0, 1))
    gy = ndimage.gaussian_filter(smooth, sigma_px, order=(1, 0))
    size = np.hypot(gx, gy)
    typical = np.median(size[inner])
    if typical > 0:
        scale = inner / np.hypot(size, damping * typical)
        result.real, result.imag = gx * scale, gy * scale
    return result


def correlate(first: np.ndarray, second: np.ndarray, search_px: int, upsampling: int) -> Shifts:
    """Find the shift, of up to `search_px` a side, between (n, band, row, column) pairs of orientation images.

    Content that enters on one side and leaves on the other draws the peak to zero unless images are tapered or padded.
    """
    spectrum = (np.conj(fft.fft2(first)) * fft.fft2(second)).sum(axis=1)
    surface = fft.ifft2(spectrum).real
    search = min(search_px, (min(first.shape[-2:]) - 1) // 2)
    span = np.arange(-search, search + 1)
    near = surface[:, span[:, None], span[None, :]]
    peak = near.reshape(len(near), -1).argmax(axis=1)
    row, col = span[peak // len(span)], span[peak % len(span)]
    energy = np.sqrt(_common_energy(first, second) * _common_energy(second, first))
    fine = _upsampled(spectrum, row, col, upsampling)
    di, dj = fine_peak(fine, upsampling)
    return Shifts(row + di, col + dj, reliability(near.max(axis=(1, 2)), energy, row, col, search))


def reliability(peak: np.ndarray, energy: np.ndarray, row: np.ndarray, col: np.ndarray, search: int) -> np.ndarray:
    """Return correlation coefficients, 0 to 1, of peaks at whole pixels; 0 for those on the border of the search."""
    inside = np.maximum(abs(row), abs(col)) < search
    return np.where(inside, np.clip(peak / np.maximum(energy, 1e-9), 0, 1), 0.0)


def fine_peak(fine: np.ndarray, upsampling: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the place, in pixels from the middle, of the peak of (n, m, m) surfaces with `upsampling` steps a pixel.

    Parabolas through the highest sample and its neighbours lead on between the steps.
    """
    n, side = fine.shape[:2]
    peak = fine.reshape(n, side * side).argmax(axis=1)
    i, j = np.clip(peak // side, 1, side - 2), np.clip(peak % side, 1, side - 2)
    k = np.arange(n)
    di = _vertex(fine[k, i - 1, j], fine[k, i, j], fine[k, i + 1, j])
    dj = _vertex(fine[k, i, j - 1], fine[k, i, j], fine[k, i, j + 1])
    return (i + di - side // 2) / upsampling, (j + dj - side // 2) / upsampling


def _common_energy(image: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the energy of (n, band, row, column) images where the other is seen, so that gaps cost no correlation."""
    power = (image.real**2 + image.imag**2).sum(axis=1)
    return (power * (other != 0).any(axis=1)).sum(axis=(1, 2), dtype=np.float64)


def _upsampled(spectrum: np.ndarray, row: np.ndarray, col: np.ndarray, upsampling: int) -> np.ndarray:
    """Return correlations up to one pixel around whole-pixel peaks, `upsampling` steps a pixel, from their spectra."""
    offsets = np.arange(-upsampling, upsampling + 1) / upsampling
    fr, fc = fft.fftfreq(spectrum.shape[1]), fft.fftfreq(spectrum.shape[2])
    er = np.exp(2j * np.pi * (row[:, None] + offsets)[:, :, None] * fr)
    ec = np.exp(2j * np.pi * (col[:, None] + offsets)[:, :, None] * fc)
    return (er @ spectrum @ ec.transpose(0, 2, 1)).real


def _vertex(before: np.ndarray, at: np.ndarray, after: np.ndarray) -> np.ndarray:
    bend = before - 2 * at + after
    return np.clip(0.5 * (before - after) / np.where(bend < 0, bend, -np.inf), -1, 1)
