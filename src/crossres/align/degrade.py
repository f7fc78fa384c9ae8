"""The HR scene as the LR sensor would see it: blurred by the LR sensor's MTF, then sampled on the LR grid."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine
from rasterio.windows import Window

from crossres.align.sampling import (
    Displacement,
    covered,
    filled,
    gaussian_taps,
    hr_indices,
    interpolate,
    low_pass,
    lr_pixel_in_hr,
    spline_coefficients,
)
from crossres.rasters import Mask, grid_of, read_mask, read_scene

MEANS_PER_LR_PIXEL = 4
"""The blur starts as a mean over blocks of up to a quarter of an LR pixel; a Gaussian does the rest."""

STRIP_PX = 1024
"""HR rows read at a time."""


def mtf_sigma(mtf: float) -> float:
    """Return the standard deviation, in pixels, of the Gaussian whose MTF at the Nyquist frequency is `mtf`.

    exp(-2 pi^2 sigma^2 f^2) at f = 1/2 cycles per pixel. A measured MTF holds the whole camera, detector included, so
    nothing is averaged over the LR pixel after it.
    """
    return float(np.sqrt(-2 * np.log(mtf)) / np.pi)


@dataclass(frozen=True)
class Blurred:
    """An HR scene blurred to the LR sensor's MTF, ready to be sampled at any LR position."""

    coefficients: np.ndarray
    """(band, row, column) float32 cubic spline coefficients of reflectance."""
    valid: np.ndarray
    """(row, column) whether there is clear HR data."""
    grid: GeoBox
    lr_px: float
    """Side of an LR pixel in pixels of `grid`."""


def blur(hr: Path, bands: Sequence[str], lr: GeoBox, lr_mtf: float) -> Blurred:
    """Blur the scene in folder `hr` (`reflectance.tif`, `mask.tif`) for the LR grid; pixels not clear are left out.

    Reads strips of the file: memory holds the scene at a quarter of the LR pixel size, not at its own.
    """
    path = hr / "reflectance.tif"
    native = grid_of(path)
    lr_px = lr_pixel_in_hr(lr, native)
    block = max(1, int(lr_px / MEANS_PER_LR_PIXEL))
    rows, cols = native.shape[0] // block, native.shape[1] // block
    reduced = np.empty((len(bands), rows, cols), np.float32)
    step = max(1, STRIP_PX // block)
    for top in range(0, rows, step):
        bottom = min(rows, top + step)
        window = Window(0, top * block, cols * block, (bottom - top) * block)
        reduced[:, top:bottom] = block_mean(clear_values(hr, bands, window), block)
    image, valid = filled(reduced)
    sigma = np.sqrt(max(0.0, (mtf_sigma(lr_mtf) * lr_px) ** 2 - (block**2 - 1) / 12)) / block
    grid = GeoBox((rows, cols), native.affine * Affine.scale(block), native.crs)
    return Blurred(spline_coefficients(low_pass(image, gaussian_taps(sigma))), valid, grid, lr_px / block)


def on_lr_grid(
    blurred: Blurred, lr: GeoBox, rows: np.ndarray, cols: np.ndarray, displacement: Displacement | None = None
) -> np.ndarray:
    """Return (band, n, m) reflectance at the crossings of LR rows and columns; NaN where an LR pixel is not covered."""
    r, c = hr_indices(lr, blurred.grid, rows, cols, displacement)
    values = interpolate(blurred.coefficients, r, c)
    values[:, ~covered(blurred.valid, r, c, blurred.lr_px / 2)] = np.nan
    return values


def clear_values(scene: Path, bands: Sequence[str], window: Window | None = None) -> np.ndarray:
    """Return (band, row, column) reflectance of a scene folder, NaN where its mask is not clear."""
    values = read_scene(scene / "reflectance.tif", window).select(bands).values
    values[:, read_mask(scene / "mask.tif", window) != Mask.CLEAR] = np.nan
    return values


def block_mean(values: np.ndarray, block: int) -> np.ndarray:
    """Return the mean over blocks of a (band, row, column) image; NaN where a block has a NaN."""
    count, height, width = values.shape
    return values.reshape(count, height // block, block, width // block, block).mean(axis=(2, 4))
