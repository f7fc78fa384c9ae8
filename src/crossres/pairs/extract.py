"""The `extract` stage: patches of one aligned pair, each with its quality, kept or declined."""

import logging
from fractions import Fraction
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.windows import Window
from shapely.geometry import box

from crossres.errors import UserError
from crossres.files import read_json, whole
from crossres.pairs.quality import area_weights, correlation, to_lr
from crossres.rasters import NODATA, OFFSET, SCALE, Mask, grid_of, open_raster, read_mask
from crossres.settings.grid import GridSettings
from crossres.settings.patches import PatchSettings

log = logging.getLogger(__name__)

COLUMNS = ("pair", "row", "col", "date_gap_days", "valid_share", "correlation", "kept", "reason")


def extract(
    settings: PatchSettings,
    grid: GridSettings,
    pair: dict[str, Any],
    aligned: Path,
    output_npz: Path,
    output_index: Path,
) -> None:
    """Cut the aligned pair in folder `aligned` into patches.

    `output_npz` holds those that are kept: `lr` (n, C, h, w) and `hr` (n, C, H, W) uint16 DN, `mask` (n, h, w) uint8,
    0 is clear. `output_index` is GeoParquet with one row a candidate: its first row and column in `lr.tif`, its
    quality, and why it is declined. A pair declined in registration has no candidates. Raises `UserError` when patches
    do not fall on whole fine pixels.
    """
    state = read_json(aligned / "registration.json")
    factor = Fraction(state["factor"])
    for key in ("lr_px", "stride_px"):
        if getattr(settings, key) % factor.denominator:
            raise UserError(
                f"patches.{key}: {getattr(settings, key)} is not a multiple of {factor.denominator}, so that at factor "
                f"{factor} patches would cut fine pixels; choose a multiple"
            )
    side, bands = settings.lr_px, len(grid.bands)
    lr_grid = grid_of(aligned / "lr.tif")
    corners = _corners(lr_grid, side, settings.stride_px) if state["accepted"] else []
    mask = read_mask(aligned / "mask.tif")
    weights = area_weights(side, factor)
    rows: list[tuple[Any, ...]] = []
    kept: dict[str, list[np.ndarray]] = {"lr": [], "hr": [], "mask": []}
    with open_raster(aligned / "lr.tif") as low, open_raster(aligned / "hr.tif") as high:
        for row, col in corners:
            codes = mask[row : row + side, col : col + side]
            lr = low.read(window=Window(col, row, side, side))
            hr = high.read(window=Window(int(col * factor), int(row * factor), int(side * factor), int(side * factor)))
            clear = (codes == Mask.CLEAR) & (lr != NODATA).all(axis=0)
            agreement = correlation(lr * SCALE + OFFSET, to_lr(hr * SCALE + OFFSET, weights), clear)
            reason = _reason(settings, float(clear.mean()), agreement)
            rows.append(
                (pair["id"], row, col, float(pair["date_gap_days"]), float(clear.mean()), agreement, not reason, reason)
            )
            if not reason:
                kept["lr"].append(lr)
                kept["hr"].append(hr)
                kept["mask"].append(np.where(clear, Mask.CLEAR, np.where(codes == Mask.CLEAR, Mask.NODATA, codes)))
    shapes = {"lr": (bands, side, side), "hr": (bands, *[int(side * factor)] * 2), "mask": (side, side)}
    lr, hr = (np.array(kept[n], np.uint16).reshape(-1, *shapes[n]) for n in ("lr", "hr"))
    with whole(output_npz) as part:
        np.savez_compressed(part, lr=lr, hr=hr, mask=np.array(kept["mask"], np.uint8).reshape(-1, *shapes["mask"]))
    with whole(output_index) as part:
        _table(rows, lr_grid, side).to_parquet(part, index=False)
    log.info("%s: %d of %d patches kept", pair["id"], len(lr), len(rows))


def _corners(grid: GeoBox, side: int, stride: int) -> list[tuple[int, int]]:
    height, width = grid.shape
    return [(r, c) for r in range(0, height - side + 1, stride) for c in range(0, width - side + 1, stride)]


def _reason(settings: PatchSettings, valid_share: float, agreement: float) -> str:
    if valid_share < settings.min_valid_share:
        return "too few clear pixels"
    if agreement < settings.min_correlation:
        return "low correlation of LR and HR"
    return ""


def _table(rows: list[tuple[Any, ...]], grid: GeoBox, side: int) -> gpd.GeoDataFrame:
    """Return the candidates with their footprints in degrees."""
    columns = {name: [row[k] for row in rows] for k, name in enumerate(COLUMNS)}
    footprints = [box(*_bounds(grid, row, col, side)) for row, col in zip(columns["row"], columns["col"], strict=True)]
    table = gpd.GeoDataFrame(columns, geometry=footprints, crs=str(grid.crs))
    kinds = {"pair": "object", "row": "int64", "col": "int64", "date_gap_days": "float64", "valid_share": "float64"}
    kinds |= {"correlation": "float64", "kept": "bool", "reason": "object"}
    return table.astype(kinds).to_crs("EPSG:4326")


def _bounds(grid: GeoBox, row: int, col: int, side: int) -> tuple[float, float, float, float]:
    (x0, y0), (x1, y1) = grid.affine @ (col, row), grid.affine @ (col + side, row + side)
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)
