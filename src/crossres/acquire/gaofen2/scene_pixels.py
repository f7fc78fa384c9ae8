"""From the raw images of a Gaofen-2 package to the pixels of its scene, block by block."""

from collections.abc import Callable
from functools import partial

import dask.array as da
import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling

from crossres.acquire.gaofen2.atmosphere import Atmosphere
from crossres.acquire.gaofen2.pansharpen import (
    RATIO,
    WITH_LOWPASS,
    Sharpening,
    lowpass,
    lowpass_radius_px,
    sharpen,
)
from crossres.acquire.gaofen2.refine import Camera
from crossres.acquire.gaofen2.toa import ToaCoefficients
from crossres.acquire.orthorectification.orthorectify import orthorectified
from crossres.acquire.orthorectification.terrain import Terrain
from crossres.acquire.scene_files import SceneWriter, scene_pixels
from crossres.imagery.engine import store
from crossres.imagery.lr_fine import Chunks
from crossres.imagery.neighbourhood import chunks_of
from crossres.imagery.numbers import Mask, to_dn

BLOCK_PX = 1024
"""Side of a block in pixels of the grid at hand."""


def block_chunks(grid: GeoBox, reach: int) -> Chunks:
    rows, cols = (chunks_of(count, BLOCK_PX, reach) for count in grid.shape)
    return rows, cols


def pan_on(
    pan: Camera, grid: GeoBox, terrain: Terrain, chunks: Chunks, filtered: Callable[[np.ndarray], np.ndarray],
    reach: int, resampling: Resampling = Resampling.cubic,
) -> tuple[da.Array, da.Array]:  # fmt: skip
    """Return PAN (row, column) on a grid, and after a filter of this reach, which sees PAN beyond the grid, too."""
    wide = orthorectified(pan.src, pan.rpc, grid.pad(reach), terrain, _grown(chunks, reach), resampling)[0]
    inner = tuple(slice(reach, reach + count) for count in grid.shape)
    depth = tuple(reach if blocks > 1 else 0 for blocks in wide.numblocks)
    after = da.map_overlap(
        filtered, wide, depth=depth, boundary="none", allow_rechunk=False, dtype=wide.dtype, meta=wide._meta
    )
    return wide[inner], after[inner]


def _grown(chunks: Chunks, reach: int) -> Chunks:
    """Return chunks of which the outermost reach further out."""
    rows, cols = ([*sizes] for sizes in chunks)
    for sizes in (rows, cols):
        sizes[0] += reach
        sizes[-1] += reach
    return tuple(rows), tuple(cols)


def write_mss(
    scene: SceneWriter, mss: Camera, terrain: Terrain, radiometry: ToaCoefficients, atmosphere: Atmosphere,
    order: list[int], clouds: np.ndarray,
) -> None:  # fmt: skip
    numbers = orthorectified(mss.src, mss.rpc, scene.grid, terrain, block_chunks(scene.grid, 0))
    masked = da.from_array(clouds, chunks=numbers.chunks[1:], name=False)
    look = partial(_corrected, radiometry, atmosphere, order)
    store([_pixels(look, len(order), numbers, masked)], [scene], "MSS")


def write_sharpened(
    scene: SceneWriter, mss: Camera, pan: Camera, terrain: Terrain, radiometry: ToaCoefficients, atmosphere: Atmosphere,
    fitted: Sharpening, order: list[int], clouds: np.ndarray,
) -> None:  # fmt: skip
    """Write the pansharpened scene: each block is orthorectified once, and the low-pass sees its neighbours' pixels."""
    reach = lowpass_radius_px(fitted.mtf)
    chunks = block_chunks(scene.grid, reach)
    numbers = orthorectified(mss.src, mss.rpc, scene.grid, terrain, chunks)
    images = pan_on(pan, scene.grid, terrain, chunks, partial(lowpass, mtf=fitted.mtf), reach)
    coarse = [tuple(size // RATIO for size in sizes) for sizes in chunks]
    masked = da.from_array(clouds, chunks=coarse, name=False).map_blocks(_repeated, chunks=chunks, dtype=bool)
    look = partial(_sharpened, radiometry, atmosphere, fitted, order)
    seen = images if fitted.method in WITH_LOWPASS else images[:1]
    store([_pixels(look, len(order), numbers, masked, *seen)], [scene], "pansharpening")


def _pixels(function: Callable[..., np.ndarray], bands: int, numbers: da.Array, *others: da.Array) -> da.Array:
    chunks = ((bands + 1,), *numbers.chunks[1:])
    return da.map_blocks(
        function, numbers, *others, chunks=chunks, dtype=np.uint16, meta=np.empty((0, 0, 0), np.uint16)
    )


def _corrected(
    radiometry: ToaCoefficients, atmosphere: Atmosphere, order: list[int], numbers: np.ndarray, clouds: np.ndarray
) -> np.ndarray:
    below = atmosphere.below_haze(radiometry.applied(numbers))
    return _masked(atmosphere.surface(below)[order], clouds)


def _sharpened(
    radiometry: ToaCoefficients, atmosphere: Atmosphere, fitted: Sharpening, order: list[int],
    numbers: np.ndarray, clouds: np.ndarray, pan: np.ndarray, low: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    below = atmosphere.below_haze(radiometry.applied(numbers))
    return _masked(atmosphere.surface(sharpen(fitted, below, pan, low))[order], clouds)


def _repeated(clouds: np.ndarray) -> np.ndarray:
    return clouds.repeat(RATIO, 0).repeat(RATIO, 1)


def _masked(reflectance: np.ndarray, clouds: np.ndarray) -> np.ndarray:
    return scene_pixels(to_dn(reflectance), np.where(clouds, np.uint8(Mask.CLOUD), np.uint8(Mask.CLEAR)))
