"""Tie points: where an image over its RPC shows what a reference shows, found chip by chip.

Chips are correlated by the direction of their gradients (orientation correlation: Fitch, Kadyrov, Christmas and
Kittler, BMVC 2002), summed over bands, so that neither the strength of an edge nor a change of tone has a say.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.windows import Window
from scipy import fft, ndimage

from crossres.grids import crop

Chip = Callable[[GeoBox], np.ndarray]
"""Returns an image on a grid, (band, row, column) float32, NaN where there is none or it is not clear."""

GRADIENT_SIGMA_PX = 0.7
FINEST = 20
"""Shifts are sought in steps of 1/20 pixel, and by a parabola between them."""
MIN_CLEAR_SHARE = 0.5
"""Least share of a chip that both images show."""


@dataclass(frozen=True)
class TiePoints:
    """What was matched, on the reference's grid."""

    points: np.ndarray
    """(n, 2) row and column of the reference's grid, in pixels from its outer corner."""
    shifts: np.ndarray
    """(n, 2) how far from there the image shows the same, along rows and columns, in pixels of the grid."""
    reliability: np.ndarray
    """(n,) correlation at the peak: above 0.5 for the same place in most real pairs, up to 0.2 for different places."""


def find_tie_points(
    image: Chip, reference: Chip, grid: GeoBox, side_px: int, search_px: int, most_a_side: int
) -> TiePoints:
    """Match chips of `side_px` all over `grid`, at most `most_a_side` along each axis, for shifts up to `search_px`."""
    if max(grid.shape) <= most_a_side * side_px:  # chips overlap: each pixel is made once
        image, reference = (_cut_from(whole(grid), grid) for whole in (image, reference))
    tops, lefts = (_starts(length, side_px, most_a_side) for length in grid.shape)
    found = []
    for top in tops:
        for left in lefts:
            part = crop(grid, Window(left, top, min(side_px, grid.shape[1]), min(side_px, grid.shape[0])))
            seen = reference(part)
            if np.isfinite(seen).all(axis=0).mean() < MIN_CLEAR_SHARE:
                continue
            shift, reliability = match(seen, image(part), search_px)
            centre = (top + part.shape[0] / 2, left + part.shape[1] / 2)
            found.append((*centre, *shift, reliability))
    table = np.array(found, np.float64).reshape(-1, 5)
    table = table[table[:, 4] > 0]
    return TiePoints(table[:, :2], table[:, 2:4], table[:, 4])


def match(first: np.ndarray, second: np.ndarray, search_px: int) -> tuple[np.ndarray, float]:
    """Return how far the content of `second` lies from that of `first` (row, column; pixels), and the correlation.

    Both are (band, row, column) float, NaN where they show nothing; a search that ends on its border, or chips that
    share less than half of their pixels, have a correlation of 0.
    """
    clear = np.isfinite(first).all(axis=0) & np.isfinite(second).all(axis=0)
    nothing = np.zeros(2), 0.0
    if clear.mean() < MIN_CLEAR_SHARE:
        return nothing
    rows, cols = clear.shape
    # Content that enters on one side and leaves on the other must not draw the peak to zero.
    taper = np.sqrt(np.outer(np.hanning(rows + 2)[1:-1], np.hanning(cols + 2)[1:-1])).astype(np.float32)
    a, b = (orientation(image, clear) * taper for image in (first, second))
    energy = np.sqrt((np.abs(a) ** 2).sum(dtype=np.float64) * (np.abs(b) ** 2).sum(dtype=np.float64))
    if energy == 0:
        return nothing
    spectrum = (np.conj(fft.fft2(a)) * fft.fft2(b)).sum(axis=0)
    search = min(search_px, (min(rows, cols) - 1) // 2)
    span = np.arange(-search, search + 1)
    near = fft.ifft2(spectrum).real[span[:, None], span[None, :]]
    i, j = np.unravel_index(int(near.argmax()), near.shape)
    if not (0 < i < 2 * search and 0 < j < 2 * search):
        return nothing
    return _finest(spectrum, int(span[i]), int(span[j])), float(np.clip(near[i, j] / energy, 0, 1))


def orientation(image: np.ndarray, clear: np.ndarray) -> np.ndarray:
    """Return the direction of the gradient, (band, row, column) complex64; 0 where not clear and beside it.

    Gradients that are small against the band's typical one are damped, not raised to unit length: they are noise.
    """
    inner = ndimage.binary_erosion(clear, iterations=2, border_value=1)
    result = np.zeros(image.shape, np.complex64)
    for out, band in zip(result, image, strict=True):
        filled = np.where(clear, band, band[clear].mean()).astype(np.float32)
        along_x = ndimage.gaussian_filter(filled, GRADIENT_SIGMA_PX, order=(0, 1))
        along_y = ndimage.gaussian_filter(filled, GRADIENT_SIGMA_PX, order=(1, 0))
        size = np.hypot(along_x, along_y)
        typical = np.median(size[inner]) if inner.any() else 0.0
        if typical > 0:
            out[inner] = ((along_x + 1j * along_y) / np.hypot(size, typical))[inner]
    return result


def _cut_from(image: np.ndarray, grid: GeoBox) -> Chip:
    def chip(part: GeoBox) -> np.ndarray:
        col, row = (round(at) for at in ~grid.affine @ (part.affine.c, part.affine.f))
        return image[:, row : row + part.shape[0], col : col + part.shape[1]]

    return chip


def _finest(spectrum: np.ndarray, row: int, col: int) -> np.ndarray:
    """Return the peak of a correlation near a whole pixel, on a DFT upsampled around it (Guizar-Sicairos 2008)."""
    offsets = np.arange(-FINEST, FINEST + 1) / FINEST
    waves = [
        np.exp(2j * np.pi * (whole + offsets)[:, None] * fft.fftfreq(n)[None, :])
        for whole, n in zip((row, col), spectrum.shape, strict=True)
    ]
    fine = (waves[0] @ spectrum @ waves[1].T).real
    i, j = np.clip(np.unravel_index(int(fine.argmax()), fine.shape), 1, 2 * FINEST - 1)
    steps = [_vertex(fine[i - 1 : i + 2, j]), _vertex(fine[i, j - 1 : j + 2])]
    return np.array([row + offsets[i] + steps[0] / FINEST, col + offsets[j] + steps[1] / FINEST])


def _vertex(three: np.ndarray) -> float:
    """Return where the parabola through three neighbours has its top, in steps from the middle one."""
    bend = three[0] - 2 * three[1] + three[2]
    return float(np.clip(0.5 * (three[0] - three[2]) / bend, -1, 1)) if bend < 0 else 0.0


def _starts(length: int, side: int, most: int) -> list[int]:
    """Return where chips begin: half a chip apart, or further when there would be too many."""
    if length <= side:
        return [0]
    count = min(most, 1 + -(-2 * (length - side) // side))
    return [round(start) for start in np.linspace(0, length - side, count)]
