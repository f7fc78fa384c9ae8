"""The `coregister` stage: the HR scene, moved onto the LR scene, on the fine grid."""

import logging
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.windows import Window
from shapely.geometry import box

from crossres.align.registration.figure import in_words, registration_figure
from crossres.align.registration.register import TAKEN_AS_ALIGNED, Registration, register, taken_as_aligned
from crossres.align.warping.degrade import blur, chunk_px, clear, on_lr_grid
from crossres.align.warping.resample import resampled
from crossres.align.warping.sampling import transform
from crossres.drawing import save
from crossres.errors import UserError
from crossres.files import whole, write_json
from crossres.grids import fine_grid, lr_multiple, scale_factor, whole_window
from crossres.imagery.engine import store
from crossres.imagery.numbers import REFLECTANCE_DN
from crossres.imagery.raster import new_cog
from crossres.imagery.scene import crop, open_scene
from crossres.sensors.mtf import lr_mtf
from crossres.settings.coregister import CoregisterSettings
from crossres.settings.grid import GridSettings

log = logging.getLogger(__name__)

FINE_MULTIPLE = 4
"""Sides of the fine grid are multiples of this many pixels."""


def coregister(
    settings: CoregisterSettings, grid: GridSettings, pair: dict[str, Any], lr: Path, hr: Path, output: Path
) -> None:
    """Register the HR scene of a pair to its LR scene and resample it once, to the fine grid over LR pixels it covers.

    `lr` and `hr` are scene folders (`reflectance.tif`, `mask.tif`), `pair` the pair's JSON content. Writes
    `registered.tif` (HR in its own radiometry, nodata where HR is not clear), `registration.json`,
    `tie_points.parquet` and `registration.png` into the folder `output`. `shift_m` is how far east and north HR content
    lay from the LR image's. A pair that cannot be registered is written unmoved, with `accepted` false and the reason;
    one that the settings take as aligned is written unmoved and accepted, its `model` none.
    Raises `UserError` when the scenes have no pixels in common or lack a band.
    """
    low, high = open_scene(lr, grid.bands), open_scene(hr, grid.bands)
    lr_grid, hr_grid = low.odc.geobox, high.odc.geobox
    step_m = abs(lr_grid.affine.a), abs(lr_grid.affine.e)
    factor = scale_factor(step_m[1], grid.gsd_m)
    aligned = settings.model == "none"
    search_px = 0 if aligned else int(np.ceil(settings.search_m / min(step_m)))
    frame = frame_of(lr_grid, hr_grid, search_px)
    if frame is None:
        raise UserError(f"pair {pair['id']}: its LR and HR scenes have no area in common; remove one of them")
    mtf = lr_mtf(grid.lr_mtf, low.attrs.get("sensor"), grid.bands)
    whole_means = open_scene(hr, grid.bands, chunk_px=chunk_px(hr_grid, lr_grid))
    blurred = blur(clear(whole_means), hr_grid, lr_grid, mtf)
    values = clear(crop(low, frame)).compute()
    origin = int(frame.row_off), int(frame.col_off)
    if aligned:
        found = taken_as_aligned((values.shape[1], values.shape[2]), origin)
    else:
        found = register(settings, values, lr_grid, origin, blurred, search_px)
    rows, cols = (o + np.arange(n) for o, n in zip((frame.row_off, frame.col_off), values.shape[1:], strict=True))
    moved = on_lr_grid(blurred, lr_grid, rows, cols, found.field.on_grid(rows, cols))
    multiple = lr_multiple(factor, FINE_MULTIPLE)
    window = _lr_window(np.isfinite(moved).all(axis=0), frame, multiple)
    if window is None:
        raise UserError(f"pair {pair['id']}: HR has clear data on fewer than {multiple} LR pixels a side; remove it")

    fine = fine_grid(crop(low, window).odc.geobox, factor)
    dn = resampled(hr, grid.bands, lr_grid, window, fine, found.field)
    with new_cog(output / "registered.tif", fine, grid.bands, REFLECTANCE_DN, dict(high.attrs)) as registered:
        store([dn], [registered], "register")
    report = found.report((lr_grid.affine.a, lr_grid.affine.e)) | {
        "pair": pair["id"],
        "factor": f"{factor.numerator}/{factor.denominator}",
        "lr_window": [int(window.col_off), int(window.row_off), int(window.width), int(window.height)],
        "lr_gsd_m": step_m[1],
        "hr_gsd_m": grid.gsd_m,
    }
    write_json(output / "registration.json", report)
    with whole(output / "tie_points.parquet") as part:
        _table(found, lr_grid).to_parquet(part, index=False)
    save(registration_figure(values, grid.bands, frame, found, report), output / "registration.png")
    log.info("%s: %s", pair["id"], _in_words(report))


def frame_of(lr: GeoBox, hr: GeoBox, search_px: int) -> Window | None:
    """Return the LR window in which HR may lie, given its footprint and the largest shift."""
    west, south, east, north = hr.extent.to_crs(str(lr.crs)).boundingbox.bbox
    margin = search_px * max(abs(lr.affine.a), abs(lr.affine.e))
    return whole_window(lr, box(west - margin, south - margin, east + margin, north + margin))


def _lr_window(covered: np.ndarray, frame: Window, multiple: int) -> Window | None:
    """Return the LR window around covered pixels of the frame, cut to multiples evenly on both sides."""
    sides = []
    for axis, start in ((1, frame.row_off), (0, frame.col_off)):
        where = np.flatnonzero(covered.any(axis=axis))
        if not where.size:
            return None
        length = (where[-1] + 1 - where[0]) // multiple * multiple
        if not length:
            return None
        spare = where[-1] + 1 - where[0] - length
        sides.append((int(start + where[0] + spare // 2), int(length)))
    (row, height), (col, width) = sides
    return Window(col, row, width, height)


def _table(found: Registration, lr: GeoBox) -> gpd.GeoDataFrame:
    """Return one row per window: its place, its match, whether it is a tie point and, if not, why."""
    t = found.tie_points
    x, y = transform(lr.affine, t.points[:, 1] + 0.5, t.points[:, 0] + 0.5)
    return gpd.GeoDataFrame(
        {
            "row": t.points[:, 0],
            "col": t.points[:, 1],
            "d_row_px": t.displacement[:, 0],
            "d_col_px": t.displacement[:, 1],
            "reliability": t.reliability,
            "clear_share": t.clear_share,
            "kept": t.kept,
            "reason": t.reason.astype(object),
            "held_out_row_px": found.residual[:, 0],
            "held_out_col_px": found.residual[:, 1],
        },
        geometry=gpd.points_from_xy(x, y),
        crs=str(lr.crs),
    ).to_crs("EPSG:4326")


def _in_words(report: dict[str, Any]) -> str:
    if not report["accepted"]:
        return f"declined: {report['reason']}"
    if report["model"] == "none":
        return TAKEN_AS_ALIGNED
    return (
        f"{report['model']}, HR lay {in_words(report['shift_m'])} of LR, {report['held_out_windows']} held-out check "
        f"windows {report['rmse_held_out_px']:.3f} LR pixels RMSE, CE90 {report['ce90_m']:.2g} m, "
        f"{report['rejected_check_share']:.0%} rejected, "
        f"{report['tie_points']} of {report['usable_windows']} windows kept"
    )
