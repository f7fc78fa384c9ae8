"""A further LR date registered to the first, and as it lies on it."""

from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from rasterio.windows import Window

from crossres.align.registration.coregister import frame_of
from crossres.align.registration.register import Registration, register, taken_as_aligned
from crossres.align.warping.degrade import blur, clear
from crossres.align.warping.nearest import nearest_pixels
from crossres.align.warping.sampling import lr_pixel_in_hr
from crossres.grids import ground_pixel_m
from crossres.imagery.scene import bands_of, crop, select
from crossres.settings.coregister import CoregisterSettings

SAME_PIXEL = 0.02
"""Share by which the pixels of two dates may differ."""
NOT_BLURRED = 1.0
"""MTF at Nyquist that leaves an image as it is: both dates come from sensors of the same pixel size."""


@dataclass(frozen=True)
class FurtherDate:
    """What was found of a further date."""

    numbers: da.Array | None
    """Lazy (band + 2, row, column) uint16 numbers as `lr_dates.write_dates` takes them; None where it is declined."""
    report: dict[str, Any]
    """`accepted`, `reason` and the figures of its registration."""


def further_date(
    settings: CoregisterSettings, bands: tuple[str, ...], first: xr.Dataset, other: xr.Dataset, window: Window
) -> FurtherDate:
    """Register a further date to the first, and lay its nearest pixels over `window` of the first's grid.

    Both are whole scenes with a mask; they are compared in `bands` over all that they have in common, the result has
    the bands of `first`, which `other` has, too. With `settings.model` none nothing is moved. A date that cannot be
    registered is declined, with the reason.
    """
    grid = first.odc.geobox
    frame = frame_of(grid, other.odc.geobox, 0)
    if frame is None:
        return _declined("it has no area in common with the first date")
    pixel = lr_pixel_in_hr(grid, other.odc.geobox)
    if abs(pixel - 1) > SAME_PIXEL:
        return _declined(f"its pixels are {1 / pixel:.3g} times as large as those of the first date")
    found = _registered(settings, select(first, bands), select(other, bands), frame)
    col_m, row_m = ground_pixel_m(grid)
    report = found.report((col_m, -row_m))
    if not found.accepted:
        return FurtherDate(None, report)
    return FurtherDate(nearest_pixels(select(other, bands_of(first)), grid, window, found.field), report)


def _registered(settings: CoregisterSettings, first: xr.Dataset, other: xr.Dataset, frame: Window) -> Registration:
    """Register another date to the first over a window of the first's grid, which holds all that they share."""
    grid, own = first.odc.geobox, other.odc.geobox
    origin = int(frame.row_off), int(frame.col_off)
    if settings.model == "none":
        return taken_as_aligned((int(frame.height), int(frame.width)), origin)
    values = clear(crop(first, frame)).compute()
    sharp = blur(clear(other), own, grid, (NOT_BLURRED,) * len(values))
    search_px = int(np.ceil(settings.search_m / min(ground_pixel_m(grid))))
    return register(settings, values, grid, origin, sharp, search_px)


def _declined(reason: str) -> FurtherDate:
    return FurtherDate(None, {"accepted": False, "reason": reason})
