"""The HR scene as the LR sensor would see it: blurred by the LR sensor's MTF, then sampled on the LR grid."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine
from rasterio.windows import Window

from crossres.align.sampling import (
    Displacement,
    covered,
    filled,
    gaps_before,
    gaussian_taps,
    hr_indices,
    interpolate,
    low_pass,
    lr_pixel_in_hr,
    spline_coefficients,
)
from crossres.imagery.numbers import Mask
from crossres.imagery.scene import read_mask
from crossres.rasters import read_scene

MEANS_PER_LR_PIXEL = 4
"""The blur starts as a mean over blocks of up to a quarter of an LR pixel; a Gaussian does the rest."""

STRIP_PX = 1024
"""HR rows read at a time, about."""


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

    @cached_property
    def gaps(self) -> np.ndarray:
        """`gaps_before` of what is valid."""
        return gaps_before(self.valid)


def blur(read: Callable[[Window], np.ndarray], native: GeoBox, lr: GeoBox, mtf: Sequence[float]) -> Blurred:
    """Blur an HR raster on the grid `native` for the LR grid, whose sensor has this MTF at Nyquist, one a band.

    `read(window)` returns (band, row, column) reflectance, NaN where it does not count. It is called strip by strip:
    memory holds the raster at a quarter of the LR pixel size, not at its own.
    """
    lr_px = lr_pixel_in_hr(lr, native)
    block = max(1, int(lr_px / MEANS_PER_LR_PIXEL))
    height, width = native.shape
    step = max(1, STRIP_PX // block) * block
    strips = [
        block_mean(read(Window(0, top, width, min(step, height - top))), block) for top in range(0, height, step)
    ]  # fmt: skip
    image, valid = filled(np.concatenate(strips, axis=1))
    for band, own in zip(image, mtf, strict=True):
        sigma = np.sqrt(max(0.0, (mtf_sigma(own) * lr_px) ** 2 - (block**2 - 1) / 12)) / block
        band[...] = low_pass(band, gaussian_taps(sigma))
    grid = GeoBox(image.shape[1:], native.affine * Affine.scale(block), native.crs)
    return Blurred(spline_coefficients(image), valid, grid, lr_px / block)


def on_lr_grid(
    blurred: Blurred, lr: GeoBox, rows: np.ndarray, cols: np.ndarray, displacement: Displacement | None = None
) -> np.ndarray:
    """Return (band, n, m) reflectance at the crossings of LR rows and columns; NaN where an LR pixel is not covered."""
    r, c = hr_indices(lr, blurred.grid, rows, cols, displacement)
    values = interpolate(blurred.coefficients, r, c)
    values[:, ~covered(blurred.gaps, r, c, blurred.lr_px)] = np.nan
    return values


def clear_values(scene: Path, bands: Sequence[str], window: Window | None = None) -> np.ndarray:
    """Return (band, row, column) reflectance of a scene folder, NaN where its mask is not clear."""
    values = read_scene(scene / "reflectance.tif", window).select(bands).values
    values[:, read_mask(scene / "mask.tif", window) != Mask.CLEAR] = np.nan
    return values


def block_mean(values: np.ndarray, block: int) -> np.ndarray:
    """Return float32 means over blocks of a (band, row, column) image; NaN where a block has a NaN.

    Blocks that the image cuts off continue with its last row or column.
    """
    count, height, width = values.shape
    whole = np.pad(values, [(0, 0), (0, -height % block), (0, -width % block)], mode="edge")
    blocks = whole.reshape(count, whole.shape[1] // block, block, whole.shape[2] // block, block)
    return blocks.mean(axis=(2, 4), dtype=np.float32)
