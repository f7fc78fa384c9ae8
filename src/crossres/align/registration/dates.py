"""The `dates` stage: further LR scenes of a pair, each registered to the first, as one raster on its grid."""

import logging
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from rasterio.windows import Window

from crossres.align.registration.dates_figure import FIGURE_PX, dates_figure
from crossres.align.registration.lr_date import further_date
from crossres.drawing import save
from crossres.errors import UserError
from crossres.files import read_json, write_json
from crossres.imagery.lr_dates import OFFSETS, date_of, write_dates
from crossres.imagery.numbers import NODATA
from crossres.imagery.raster import open_raster
from crossres.imagery.scene import crop, open_scene
from crossres.settings.coregister import CoregisterSettings
from crossres.settings.grid import GridSettings

log = logging.getLogger(__name__)

SECONDS_A_DAY = 86400.0


def register_dates(
    settings: CoregisterSettings,
    grid: GridSettings,
    lr_dates: int,
    pair: dict[str, Any],
    lr: Path,
    further: Sequence[Path],
    registration: Path,
    output: Path,
) -> None:
    """Register the further LR scenes of a pair to its first, over the part of it that `lr.tif` shows.

    `lr` and `further` are scene folders, the latter those of the first `lr_dates` - 1 of `further_dates` in the pair's
    JSON content `pair`; `registration` is what `coregister` wrote. Writes `dates.tif` (see `imagery.lr_dates`: always
    of `lr_dates` - 1 further dates), `dates.json` and `dates.png` into the folder `output`. A date that is missing or
    cannot be registered has no values. Raises `UserError` where folders and dates are not as many.
    """
    names = pair.get("further_dates", [])[: lr_dates - 1]
    if len(names) != len(further):
        raise UserError(
            f"pair {pair['id']}: has {len(names)} further dates, but {len(further)} scenes are given; name the scene "
            "of each of its further_dates"
        )
    bands = grid.bands_of("lr")
    first, window = open_scene(lr, bands), Window(*read_json(registration)["lr_window"])
    numbers: list[da.Array | None] = [None] * (lr_dates - 1)
    reports = []
    for number, (name, folder) in enumerate(zip(names, further, strict=True)):
        other = open_scene(folder, bands)
        found = further_date(settings, grid.bands, first, other, window)
        numbers[number] = found.numbers
        reports.append({"scene": name, **_times(first, other), **found.report})
    shown = crop(first, window)
    write_dates(output / "dates.tif", shown.odc.geobox, bands, numbers)
    pictures = _seen(output / "dates.tif", len(bands), reports)
    write_json(output / "dates.json", {"pair": pair["id"], "lr_dates": lr_dates, "dates": reports})
    step = max(1, -(-max(int(window.height), int(window.width)) // FIGURE_PX))
    start = shown.isel(y=slice(None, None, step), x=slice(None, None, step)).reflectance.values
    save(dates_figure(start, bands, str(first.attrs.get("datetime", "")), pictures, reports), output / "dates.png")
    for report in reports:
        log.info("%s: %s: %s", pair["id"], report["scene"], in_words(report))
    if missing := lr_dates - 1 - len(names):
        log.info("%s: has %d dates fewer than search.lr_dates", pair["id"], missing)


def in_words(report: dict[str, Any]) -> str:
    """Say what `dates.json` holds of a date in a line."""
    if not report["accepted"]:
        return f"declined: {report['reason']}"
    days = report["days_after_first"]
    when = "" if days is None else f"{abs(days):.0f} days {'before' if days < 0 else 'after'} the first, "
    seen = f"{report['clear_share']:.0%} clear"
    if "shift_m" not in report:
        return f"{when}{report['statement']}, {seen}"
    east, north = report["shift_m"]
    return (
        f"{when}{report['model']}, shift {east:+.1f} m east {north:+.1f} m north, held-out check windows "
        f"{report['rmse_held_out_px']:.3f} LR pixels RMSE, {seen}"
    )


def _times(first: xr.Dataset, other: xr.Dataset) -> dict[str, Any]:
    said = other.attrs.get("datetime")
    try:
        one, another = (datetime.fromisoformat(str(scene.attrs["datetime"])) for scene in (first, other))
        days = (another - one).total_seconds() / SECONDS_A_DAY
    except (KeyError, ValueError, TypeError):
        return {"datetime": said, "days_after_first": None}
    return {"datetime": said, "days_after_first": round(days, 3)}


def _seen(path: Path, bands: int, reports: list[dict[str, Any]]) -> list[np.ndarray]:
    """Return each date as it was written, thinned for the figure; note in its report how much of it is clear."""
    pictures = []
    with open_raster(path) as src:
        shape = [-(-side // max(1, -(-max(src.shape) // FIGURE_PX))) for side in src.shape]
        for number, report in enumerate(reports):
            start = number * (bands + len(OFFSETS))
            report["clear_share"] = float((src.read(start + 1) != NODATA).mean())
            own = [start + k for k in range(1, bands + len(OFFSETS) + 1)]
            pictures.append(date_of(src.read(own, out_shape=(len(own), *shape))).values)
    return pictures
