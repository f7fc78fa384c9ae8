"""A part of a pair before and after registration: LR, HR as it was delivered, HR as it was moved, and both as tiles."""

from pathlib import Path

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox
from PIL import Image
from rasterio.enums import Resampling
from rasterio.transform import Affine
from rasterio.warp import reproject
from rasterio.windows import Window
from scipy import ndimage

from crossres.evaluate.pictures.stretch import MASKED_GREY
from crossres.grids import crop, crs_of
from crossres.imagery.numbers import NODATA, Mask, to_reflectance
from crossres.imagery.raster import grid_of, open_raster, read_mask
from crossres.imagery.shown import PERCENTILES, shown_bands

SIDE_PX = 320
"""Side of a part, in pixels of the fine grid, at most."""
TILES = 8
"""Along a side of a picture that is laid out like a chessboard."""
LOOKED_AT_PX = 512
"""Side of the decimated LR image by which a part is chosen."""
CLEAR_SHARE = 0.98
LABELS = {
    "lr": "LR",
    "before": "HR before",
    "after": "HR after",
    "tiles_before": "LR and HR before, tile by tile",
    "tiles_after": "LR and HR after, tile by tile",
}
"""What each picture is called."""


def before_after(aligned: Path, hr: Path) -> tuple[dict[str, np.ndarray], float] | None:
    """Return pictures, (row, column, 3) uint8, by the names of `LABELS`, and their width in metres.

    `aligned` is the folder of an aligned pair, `hr` the scene folder of its HR image: before is where its own
    georeference puts it, resampled to the same fine pixels. The part is chosen by LR alone, for its detail. Each image
    has a stretch of its own, since this is about place, not tone. None where nothing is clear.
    """
    lr_grid, fine_grid = grid_of(aligned / "lr.tif"), grid_of(aligned / "hr.tif")
    factor = fine_grid.shape[0] / lr_grid.shape[0]
    side = min(max(8, int(SIDE_PX / factor)), *lr_grid.shape)
    part = _detailed_part(aligned, side)
    if part is None:
        return None
    row, col = part
    low = _read(aligned / "lr.tif", Window(col, row, side, side))
    fine_side = round(side * factor)
    fine = Window(round(col * factor), round(row * factor), fine_side, fine_side)
    after = _read(aligned / "hr.tif", fine)
    fine_part = crop(fine_grid, fine)
    before = _delivered(hr / "reflectance.tif", fine_part)
    with open_raster(aligned / "lr.tif") as src:
        bands = shown_bands([str(name) for name in src.descriptions])
    size = (fine_side, fine_side)
    lr, one, other = (_colour(image[list(bands)]) for image in (low, before, after))
    smooth, sharp = (
        np.asarray(Image.fromarray(lr).resize(size, kind))
        for kind in (Image.Resampling.BICUBIC, Image.Resampling.NEAREST)
    )
    pictures = {
        "lr": sharp,
        "before": one,
        "after": other,
        "tiles_before": _tiled(smooth, one),
        "tiles_after": _tiled(smooth, other),
    }
    return pictures, fine_side * abs(fine_part.affine.a)


def _detailed_part(aligned: Path, side: int) -> tuple[int, int] | None:
    """Return first row and column of the square of LR pixels that has most detail in LR, of those that are clear."""
    with open_raster(aligned / "lr.tif") as src:
        step = max(1, -(-max(src.shape) // LOOKED_AT_PX))
        shape = tuple(max(1, n // step) for n in src.shape)
        values = to_reflectance(src.read(1, out_shape=shape))
    clear = read_mask(aligned / "mask.tif")[::step, ::step][: shape[0], : shape[1]] == Mask.CLEAR
    clear &= np.isfinite(values)
    if not clear.any():
        return None
    filled = np.where(clear, values, values[clear].mean())
    detail = np.where(clear, ndimage.gaussian_gradient_magnitude(filled, 1.0), 0.0)
    size = max(1, side // step)
    seen, rich = (_sums(plane, size) for plane in (clear.astype(np.float64), detail))
    rich[seen < min(CLEAR_SHARE * size**2, seen.max())] = -1.0
    row, col = np.unravel_index(int(rich.argmax()), rich.shape)
    rows, cols = grid_of(aligned / "lr.tif").shape
    return min(int(row) * step, rows - side), min(int(col) * step, cols - side)


def _sums(plane: np.ndarray, size: int) -> np.ndarray:
    """Return the sum over each square of `size` pixels, by its first row and column."""
    table = np.pad(plane, [(1, 0), (1, 0)]).cumsum(axis=0).cumsum(axis=1)
    return table[size:, size:] - table[:-size, size:] - table[size:, :-size] + table[:-size, :-size]


def _read(path: Path, window: Window) -> np.ndarray:
    with open_raster(path) as src:
        return np.asarray(to_reflectance(src.read(window=window)))


def _delivered(path: Path, grid: GeoBox) -> np.ndarray:
    """Return a scene's reflectance on a grid by its own georeference, NaN where it has none."""
    with open_raster(path) as src:
        finer = abs(src.transform.determinant) < 0.5 * abs(grid.affine.determinant)
        numbers = np.full((src.count, *grid.shape), NODATA, np.uint16)
        for band in range(src.count):
            reproject(
                rasterio.band(src, band + 1), numbers[band], dst_transform=Affine(*grid.affine[:6]),
                dst_crs=crs_of(grid).to_wkt(), src_nodata=NODATA, dst_nodata=NODATA,
                resampling=Resampling.average if finer else Resampling.bilinear,
            )  # fmt: skip
    return np.asarray(to_reflectance(numbers))


def _colour(image: np.ndarray) -> np.ndarray:
    """Return (3, row, column) reflectance as (row, column, 3) uint8 between percentiles of its own; grey is no data."""
    seen = np.isfinite(image).all(axis=0)
    if not seen.any():
        return np.full((*seen.shape, 3), MASKED_GREY, np.uint8)
    low, high = (np.percentile(image[:, seen], percent, axis=1)[:, None, None] for percent in PERCENTILES)
    scaled = np.clip((np.nan_to_num(image) - low) / np.maximum(high - low, 1e-6), 0, 1)
    return np.where(seen, np.rint(255 * scaled), MASKED_GREY).astype(np.uint8).transpose(1, 2, 0)


def _tiled(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return two pictures as a chessboard."""
    rows, cols = ((np.arange(n) * TILES // n)[:, None] for n in one.shape[:2])
    return np.where(((rows + cols.T) % 2 == 0)[..., None], one, other)
