"""Blocks of a grid: work goes through them one by one, so that memory does not grow with the scene."""

import logging
import sys
from collections.abc import Iterator

from odc.geo.geobox import GeoBox
from rasterio.windows import Window
from tqdm import tqdm

log = logging.getLogger(__name__)

BLOCK_PX = 1024
"""Side of a block in pixels of the grid at hand."""


def blocks(grid: GeoBox, name: str) -> Iterator[Window]:
    """Yield the blocks of a grid row by row, with a progress bar on a terminal and one line in a log."""
    rows, cols = grid.shape
    windows = [
        Window(col, row, min(BLOCK_PX, cols - col), min(BLOCK_PX, rows - row))
        for row in range(0, rows, BLOCK_PX)
        for col in range(0, cols, BLOCK_PX)
    ]
    log.info("%s: %d blocks", name, len(windows))
    yield from tqdm(windows, desc=name, unit="block", disable=not sys.stderr.isatty())


def grown(window: Window, margin_px: int) -> Window:
    """Return a window with a margin on every side; it may leave the grid."""
    return Window(
        window.col_off - margin_px, window.row_off - margin_px,
        window.width + 2 * margin_px, window.height + 2 * margin_px,
    )  # fmt: skip


def inner(window: Window, margin_px: int) -> tuple[slice, slice, slice]:
    """Return what cuts the margin of `grown` off a (band, row, column) array."""
    return (
        slice(None),
        slice(margin_px, margin_px + int(window.height)),
        slice(margin_px, margin_px + int(window.width)),
    )
