"""What a scene is judged against: LR, HR, and the pixels that count."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from crossres.errors import UserError
from crossres.evaluate.resampling import nearest
from crossres.evaluate.strips import STRIP_ROWS, each
from crossres.files import remedy
from crossres.imagery.numbers import Mask
from crossres.imagery.raster import grid_of, open_raster
from crossres.imagery.scene import read_mask
from crossres.rasters import Scene, read_scene

ARM_FILES = ("mean", "std", "sample")


@dataclass(frozen=True)
class AlignedPair:
    """An aligned pair and its clear pixels."""

    lr: np.ndarray
    """(band, row, column) reflectance on the LR grid."""
    hr: np.ndarray
    """(band, row, column) reflectance on the HR grid, which has the same corners."""
    bands: tuple[str, ...]
    grid: GeoBox
    """The HR grid."""
    mask: np.ndarray
    """`Mask` codes on the LR grid."""
    clear_lr: np.ndarray
    clear: np.ndarray
    """HR pixels that count: clear by the mask, away from the border, and finite in LR, HR and every arm."""
    lr_gsd_m: float
    hr_gsd_m: float
    dates: dict[str, str | None]

    @property
    def factor(self) -> float:
        """LR pixel size over HR pixel size."""
        return self.hr.shape[2] / self.lr.shape[2]

    def changed(self) -> np.ndarray:
        """Return where land cover changed between the dates and both images have data, (row, column) on the HR grid."""
        shape = self.clear.shape
        return nearest(self.mask == Mask.CHANGED, (shape[0], shape[1])) & np.isfinite(self.hr).all(axis=0)

    def mask_shares(self) -> dict[str, float]:
        """Return the share of LR pixels with each mask code, by name."""
        return {code.name.lower(): float(np.mean(self.mask == code)) for code in Mask}


def read_pair(
    aligned: Path,
    bands: tuple[str, ...],
    arms: dict[str, Path],
    border_px: int,
    mask_path: Path | None = None,
    threads: int = 1,
) -> AlignedPair:
    """Read an aligned pair; every arm is judged on the same pixels. Its own mask counts unless another is named.

    Raises `UserError` when a file is missing, an arm is on another grid, or nothing is clear.
    """
    lr, hr = (read_image(aligned / f"{name}.tif", bands, threads) for name in ("lr", "hr"))
    mask_path = mask_path or aligned / "mask.tif"
    mask = read_mask(mask_path)
    if mask.shape != lr.values.shape[1:]:
        raise UserError(f"{mask_path}: is not on the grid of lr.tif; {remedy(mask_path, 'name that of this pair')}")
    clear_lr = (mask == Mask.CLEAR) & np.isfinite(lr.values).all(axis=0)
    shape = hr.values.shape[1:]
    clear = nearest(clear_lr, shape) & np.isfinite(hr.values).all(axis=0)
    inside = np.zeros(shape, bool)
    inside[border_px : shape[0] - border_px, border_px : shape[1] - border_px] = True
    clear &= inside
    for folder in arms.values():
        for name in ARM_FILES:
            clear &= _valid(folder / f"{name}.tif", shape, threads)
    if not clear.any():
        raise UserError(f"{aligned}: no pixel is clear in LR, HR and every arm; leave this pair out of the test split")
    dates = {"lr": lr.tags.get("datetime"), "hr": hr.tags.get("datetime")}
    lr_gsd, hr_gsd = (float(abs(g.resolution.x)) for g in (lr.grid, hr.grid))
    return AlignedPair(lr.values, hr.values, bands, hr.grid, mask, clear_lr, clear, lr_gsd, hr_gsd, dates)


def read_image(path: Path, bands: tuple[str, ...] | None = None, threads: int = 1) -> Scene:
    """Read some bands of a scene, or all, by rows of its blocks: a large scene then stands in memory once."""
    first, *others = _block_rows(path)
    start = read_scene(path, first)
    chosen = bands or start.bands
    grid = grid_of(path)
    values = np.empty((len(chosen), *grid.shape), np.float32)
    values[:, : first.height] = start.select(chosen).values

    def read(window: Window) -> None:
        values[:, window.row_off : window.row_off + window.height] = read_scene(path, window).select(chosen).values

    each(read, others, threads)
    return Scene(values, grid, chosen, start.tags)


def _valid(path: Path, shape: tuple[int, ...], threads: int) -> np.ndarray:
    def valid(window: Window) -> np.ndarray:
        with open_raster(path) as src:
            return src.read_masks(1, window=window) > 0

    with open_raster(path) as src:
        if src.shape != shape:
            raise UserError(f"{path}: {src.shape} pixels, but hr.tif has {shape}; {remedy(path, 'make it again')}")
    return np.concatenate(each(valid, _block_rows(path), threads))


def _block_rows(path: Path) -> list[Window]:
    """Return windows of whole rows of blocks, so that each block is decoded once."""
    with open_raster(path) as src:
        height, width = src.shape
        step = max(src.block_shapes[0][0], STRIP_ROWS)
    return [Window(0, top, width, min(step, height - top)) for top in range(0, height, step)]
