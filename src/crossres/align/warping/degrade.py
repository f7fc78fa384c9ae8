"""The HR scene as the LR sensor would see it: blurred by the LR sensor's MTF, then sampled on the LR grid."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine

from crossres.align.warping.sampling import (
    Displacement,
    covered,
    filled,
    gaps_before,
    hr_indices,
    interpolate,
    low_pass,
    lr_pixel_in_hr,
    spline_coefficients,
)
from crossres.imagery.engine import each, store
from crossres.imagery.in_memory import Held, strips
from crossres.imagery.numbers import Mask
from crossres.operators import gaussian_taps, mtf_sigma

MEANS_PER_LR_PIXEL = 4
"""The blur starts as a mean over blocks of up to a quarter of an LR pixel; a Gaussian does the rest."""
CHUNK_PX = 1024
"""Side of a chunk, about: of the HR scene, and of its means."""
FILE_BLOCK_PX = 256
SPLINE_PX = 12
"""Pixels this far off have a share of 1e-7 in a cubic spline's coefficient."""
STRIP_ROWS = 64
"""LR rows that a thread samples at a time."""


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


def chunk_px(native: GeoBox, lr: GeoBox) -> int:
    """Return the side of chunks of an HR scene that `blur` takes as they are: whole means and, if it can be, blocks."""
    block = _block(lr_pixel_in_hr(lr, native))
    unit = math.lcm(block, FILE_BLOCK_PX)
    unit = unit if unit <= 2 * CHUNK_PX else block
    return max(1, CHUNK_PX // unit) * unit


def blur(image: da.Array, native: GeoBox, lr: GeoBox, mtf: Sequence[float]) -> Blurred:
    """Blur an HR image on the grid `native` for the LR grid, whose sensor has this MTF at Nyquist, one a band.

    `image` is (band, row, column) reflectance, NaN where it does not count. Memory holds it at a quarter of the LR
    pixel size, not at its own.
    """
    lr_px = lr_pixel_in_hr(lr, native)
    block = _block(lr_px)
    side = chunk_px(native, lr)
    means = block_means(image.rechunk((-1, side, side)), block).rechunk((-1, CHUNK_PX, CHUNK_PX))
    taps = [
        gaussian_taps(np.sqrt(max(0.0, (mtf_sigma(own) * lr_px) ** 2 - (block**2 - 1) / 12)) / block) for own in mtf
    ]
    reach = max(own.size // 2 for own in taps)
    # What fills a gap is the nearest pixel: twice the reach sees all that a valid pixel is made of.
    smooth = da.map_overlap(
        partial(_smoothed, taps=taps), means, depth={1: 2 * reach + SPLINE_PX, 2: 2 * reach + SPLINE_PX},
        boundary="none", dtype=np.float32, meta=_NOTHING,
    )  # fmt: skip
    seen = da.map_blocks(_valid, means, chunks=((1,), *means.chunks[1:]), dtype=bool, meta=_NOTHING.astype(bool))
    coefficients, valid = np.empty(means.shape, np.float32), np.empty((1, *means.shape[1:]), bool)
    store([smooth, seen], [Held(coefficients), Held(valid)], "blur")
    grid = GeoBox(means.shape[1:], native.affine * Affine.scale(block), native.crs)
    return Blurred(coefficients, valid[0], grid, lr_px / block)


def on_lr_grid(
    blurred: Blurred, lr: GeoBox, rows: np.ndarray, cols: np.ndarray, displacement: Displacement | None = None
) -> np.ndarray:
    """Return (band, n, m) reflectance at the crossings of LR rows and columns; NaN where an LR pixel is not covered."""
    values = np.empty((len(blurred.coefficients), len(rows), len(cols)), np.float32)
    gaps = blurred.gaps

    def sample(part: slice) -> None:
        own = displacement and Displacement(displacement.rows[part], displacement.cols[part])
        r, c = hr_indices(lr, blurred.grid, rows[part], cols, own)
        values[:, part] = np.where(
            covered(gaps, r, c, blurred.lr_px), interpolate(blurred.coefficients, r, c), np.float32(np.nan)
        )

    each(sample, strips(len(rows), STRIP_ROWS))
    return values


def clear(scene: xr.Dataset) -> da.Array:
    """Return lazy (band, row, column) reflectance of a scene, NaN where its mask is not clear."""
    return da.map_blocks(
        _clear, scene.reflectance.data, scene.mask.data[None], chunks=scene.reflectance.data.chunks, dtype=np.float32,
        meta=_NOTHING,
    )  # fmt: skip


def block_means(image: da.Array, block: int) -> da.Array:
    """Return float32 means over blocks of a (band, row, column) image, whose chunks but the last are whole blocks.

    NaN where a block has a NaN. Blocks that the image cuts off continue with its last row or column.
    """
    if block == 1:
        return image
    chunks = (image.chunks[0], *(tuple(-(-n // block) for n in sizes) for sizes in image.chunks[1:]))
    return da.map_blocks(_means, image, block, chunks=chunks, dtype=np.float32, meta=_NOTHING)


_NOTHING: Any = np.empty((0, 0, 0), np.float32)


def _block(lr_px: float) -> int:
    return max(1, int(lr_px / MEANS_PER_LR_PIXEL))


def _means(values: np.ndarray, block: int) -> np.ndarray:
    whole = np.pad(values, [(0, 0), (0, -values.shape[1] % block), (0, -values.shape[2] % block)], mode="edge")
    rows = np.add.reduce([whole[:, k::block] for k in range(block)])
    return np.add.reduce([rows[:, :, k::block] for k in range(block)]) / np.float32(block**2)


def _clear(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return np.where(mask == Mask.CLEAR, values, np.float32(np.nan))


def _valid(values: np.ndarray) -> np.ndarray:
    return np.isfinite(values).all(axis=0, keepdims=True)


def _smoothed(values: np.ndarray, taps: Sequence[np.ndarray]) -> np.ndarray:
    image, valid = filled(values)
    if not valid.any():
        return image
    return spline_coefficients(np.stack([low_pass(band, own) for band, own in zip(image, taps, strict=True)]))
