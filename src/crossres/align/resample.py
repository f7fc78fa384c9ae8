"""The one resampling of the HR scene: from its own pixels to the fine grid, through the displacement field."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from crossres.align.degrade import clear_values
from crossres.align.field import Field
from crossres.align.sampling import (
    antialias_taps,
    covered,
    filled,
    gaps_before,
    hr_indices,
    interpolate,
    low_pass,
    lr_pixel_in_hr,
    spline_coefficients,
)
from crossres.imagery.numbers import NODATA, to_dn
from crossres.imagery.raster import grid_of

BLOCK_LR_PX = 128


def to_fine_grid(hr: Path, bands: Sequence[str], lr: GeoBox, window: Window, fine: GeoBox, field: Field) -> np.ndarray:
    """Return (band, row, column) uint16 DN of the scene folder `hr` on the fine grid over `window` of the LR scene.

    Low-passed for the fine pixel size, then cubic; DN 0 wherever the HR scene is not clear. Works block by block.
    """
    native = grid_of(hr / "reflectance.tif")
    scale = window.height / fine.shape[0]
    fine_px = lr_pixel_in_hr(lr, native) * scale
    taps = antialias_taps(fine_px)
    result = np.full((len(bands), *fine.shape), NODATA, np.uint16)
    step = max(1, round(BLOCK_LR_PX / scale))
    for top in range(0, fine.shape[0], step):
        for left in range(0, fine.shape[1], step):
            i, j = np.arange(top, min(top + step, fine.shape[0])), np.arange(left, min(left + step, fine.shape[1]))
            rows, cols = (i + 0.5) * scale - 0.5 + window.row_off, (j + 0.5) * scale - 0.5 + window.col_off
            r, c = hr_indices(lr, native, rows, cols, field.on_grid(rows, cols))
            source = _source_window(r, c, native, margin=len(taps) + 12)
            if source is None:
                continue
            image, valid = filled(clear_values(hr, bands, source))
            r, c = r - source.row_off, c - source.col_off
            values = interpolate(spline_coefficients(low_pass(image, taps)), r, c)
            dn = to_dn(values)
            dn[:, ~covered(gaps_before(valid), r, c, fine_px)] = NODATA
            result[:, i[0] : i[-1] + 1, j[0] : j[-1] + 1] = dn
    return result


def _source_window(rows: np.ndarray, cols: np.ndarray, native: GeoBox, margin: int) -> Window | None:
    height, width = native.shape
    top, bottom = max(0, int(rows.min()) - margin), min(height, int(np.ceil(rows.max())) + margin)
    left, right = max(0, int(cols.min()) - margin), min(width, int(np.ceil(cols.max())) + margin)
    return Window(left, top, right - left, bottom - top) if bottom > top and right > left else None
