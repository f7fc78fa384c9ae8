"""A registered pair at LR scale, block by block: what either image shows there, whatever the size of the scene."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from crossres.align.degrade import blur, on_lr_grid
from crossres.grids import crop
from crossres.imagery.raster import grid_of
from crossres.imagery.scene import read_mask
from crossres.rasters import read_scene

FINE_PX = 1536
"""Side of a block, in fine pixels, about."""
MARGIN_LR_PX = 16
"""What is read around a block: more than blur and spline reach."""


@dataclass(frozen=True)
class Block:
    """A part of the pair."""

    window: Window
    """LR pixels of the pair."""
    fine_window: Window
    """The same ground in fine pixels."""
    low: np.ndarray
    """(band, row, column) LR reflectance."""
    high: np.ndarray
    """(band, row, column) HR reflectance brought to the LR grid through the LR sensor's MTF; NaN where not covered."""
    mask: np.ndarray
    """(row, column) codes of the LR scene's own mask."""

    @property
    def rows(self) -> np.ndarray:
        """Rows of the pair, in LR pixels."""
        return np.arange(self.low.shape[1]) + int(self.window.row_off)

    @property
    def cols(self) -> np.ndarray:
        """Columns of the pair, in LR pixels."""
        return np.arange(self.low.shape[2]) + int(self.window.col_off)

    def fine_rows(self, factor: Fraction) -> np.ndarray:
        """Return the rows of its fine pixels, in LR pixels of the pair."""
        return _centres(self.fine_window.row_off, self.fine_window.height, factor)

    def fine_cols(self, factor: Fraction) -> np.ndarray:
        """Return the columns of its fine pixels, in LR pixels of the pair."""
        return _centres(self.fine_window.col_off, self.fine_window.width, factor)


def lr_blocks(
    lr: Path, window: Window, registered: Path, bands: Sequence[str], factor: Fraction, mtf: Sequence[float]
) -> Iterator[Block]:
    """Yield a pair by blocks: LR is `window` of the scene folder `lr`, HR the raster `registered` on its fine grid."""
    fine = grid_of(registered)
    low_grid = crop(grid_of(lr / "reflectance.tif"), window)
    step = max(1, round(FINE_PX / float(factor) / factor.denominator)) * factor.denominator
    margin = -(-MARGIN_LR_PX // factor.denominator) * factor.denominator
    for top in range(0, low_grid.shape[0], step):
        for left in range(0, low_grid.shape[1], step):
            height, width = min(step, low_grid.shape[0] - top), min(step, low_grid.shape[1] - left)
            inner = Window(left, top, width, height)
            own = Window(left + window.col_off, top + window.row_off, width, height)
            outer = _widened(inner, margin, *low_grid.shape)
            yield Block(
                inner,
                _in_fine(inner, factor),
                read_scene(lr / "reflectance.tif", own).select(bands).values,
                _high_on_lr(registered, fine, low_grid, inner, _in_fine(outer, factor), mtf),
                read_mask(lr / "mask.tif", own),
            )


def _high_on_lr(
    registered: Path, fine: GeoBox, low_grid: GeoBox, inner: Window, fine_window: Window, mtf: Sequence[float]
) -> np.ndarray:
    def read(part: Window) -> np.ndarray:
        place = Window(part.col_off + fine_window.col_off, part.row_off + fine_window.row_off, part.width, part.height)
        return read_scene(registered, place).values

    blurred = blur(read, crop(fine, fine_window), low_grid, mtf)
    rows, cols = (np.arange(n) + int(o) for n, o in ((inner.height, inner.row_off), (inner.width, inner.col_off)))
    return on_lr_grid(blurred, low_grid, rows, cols)


def _widened(window: Window, margin: int, height: int, width: int) -> Window:
    top, left = max(0, window.row_off - margin), max(0, window.col_off - margin)
    bottom = min(height, window.row_off + window.height + margin)
    right = min(width, window.col_off + window.width + margin)
    return Window(left, top, right - left, bottom - top)


def _in_fine(window: Window, factor: Fraction) -> Window:
    return Window(*(int(n * factor) for n in (window.col_off, window.row_off, window.width, window.height)))


def _centres(start: float, count: float, factor: Fraction) -> np.ndarray:
    return (int(start) + np.arange(int(count)) + 0.5) / float(factor) - 0.5
