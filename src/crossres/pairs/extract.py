"""The `patches` stage: patches of one aligned pair, each with its quality, kept or declined."""

import logging
from fractions import Fraction
from pathlib import Path
from typing import Any

import dask
import geopandas as gpd
import numpy as np
import shapely
from odc.geo.geobox import GeoBox

from crossres.errors import UserError
from crossres.files import read_json, whole
from crossres.globe import split_each
from crossres.imagery.engine import each, threads
from crossres.imagery.lazy import lazy_raster
from crossres.imagery.numbers import NODATA, OFFSET, SCALE, Mask
from crossres.imagery.raster import grid_of, read_mask
from crossres.operators import area
from crossres.pairs.patch_file import PatchWriter
from crossres.pairs.quality import Quality, measure
from crossres.settings.grid import GridSettings
from crossres.settings.patches import PatchSettings

log = logging.getLogger(__name__)

SHARES = ("nodata", "cloud", "shadow", "changed", "snow")
KINDS = (
    {"pair": "string", "row": "int64", "col": "int64", "date_gap_days": "float64", "valid_share": "float64"}
    | {f"{name}_share": "float64" for name in SHARES}
    | dict.fromkeys(("correlation", "shift_px", "texture", "brightness", "ndvi"), "float64")
    | {"kept": "bool", "reason": "string"}
)

_AROUND = [(0, 0), (1, 0), (1, 1), (0, 1)]


def extract(
    settings: PatchSettings,
    grid: GridSettings,
    pair: dict[str, Any],
    aligned: Path,
    output_npz: Path,
    output_index: Path,
) -> None:
    """Cut the aligned pair in folder `aligned` into patches.

    `output_npz` holds those that are kept (see `crossres.pairs.patch_file`): `lr` (C, h, w) and `hr` (C, H, W) uint16
    DN, `mask` (h, w) uint8, 0 is clear. `output_index` is GeoParquet with one row a candidate: its first row and column
    in `lr.tif`, its quality, and why it is declined. A pair declined in registration has no candidates. Raises
    `UserError` when patches do not fall on whole fine pixels. Memory holds a row of patches a
    thread, not the scene.
    """
    state = read_json(aligned / "registration.json")
    factor = Fraction(state["factor"])
    for key in ("lr_px", "stride_px"):
        if getattr(settings, key) % factor.denominator:
            raise UserError(
                f"patches.{key}: {getattr(settings, key)} is not a multiple of {factor.denominator}, so that at factor "
                f"{factor} patches would cut fine pixels; choose a multiple"
            )
    side, gap = settings.lr_px, float(pair["date_gap_days"])
    lr_grid = grid_of(aligned / "lr.tif")
    corners = _corners(lr_grid, side, settings.stride_px) if state["accepted"] else []
    mask = read_mask(aligned / "mask.tif")
    weights = area(side, factor).dense()
    low, high = (lazy_raster(aligned / f"{name}.tif") for name in ("lr", "hr"))

    def cut(top: int) -> list[tuple[tuple[Any, ...], dict[str, np.ndarray] | None]]:
        """Return the candidates of one row of patches, and those of them that are kept."""
        fine_top, fine_side = int(top * factor), int(side * factor)
        # Each LR and HR row of blocks is decoded once, not once a patch.
        lr_row, hr_row = dask.compute(
            low[:, top : top + side], high[:, fine_top : fine_top + fine_side], scheduler="synchronous"
        )
        found = []
        for row, col in (corner for corner in corners if corner[0] == top):
            fine_col = int(col * factor)
            lr, hr = lr_row[:, :, col : col + side], hr_row[:, :, fine_col : fine_col + fine_side]
            codes = mask[row : row + side, col : col + side]
            clear = (codes == Mask.CLEAR) & (lr != NODATA).all(axis=0)
            codes = np.where((codes == Mask.CLEAR) & ~clear, Mask.NODATA, codes).astype(np.uint8)
            quality = measure(lr * SCALE + OFFSET, hr * SCALE + OFFSET, codes, clear, grid.bands, weights)
            reason = why_declined(settings, quality, gap)
            about = (
                pair["id"], row, col, gap, quality.valid_share, *(quality.shares[name] for name in SHARES),
                quality.correlation, quality.shift_px, quality.texture, quality.brightness, quality.ndvi,
                not reason, reason,
            )  # fmt: skip
            found.append((about, None if reason else {"lr": lr, "hr": hr, "mask": codes}))
        return found

    rows: list[tuple[Any, ...]] = []
    with whole(output_npz) as part, PatchWriter(part) as writer:
        tops = sorted({row for row, _ in corners})
        for first in range(0, len(tops), threads()):
            for found in each(cut, tops[first : first + threads()]):
                rows += [about for about, _ in found]
                for patch in (patch for _, patch in found if patch is not None):
                    writer.add(patch)
    with whole(output_index) as part:
        _table(rows, lr_grid, side).to_parquet(part, index=False)
    log.info("%s: %d of %d patches kept", pair["id"], sum(row[-2] for row in rows), len(rows))


def _corners(grid: GeoBox, side: int, stride: int) -> list[tuple[int, int]]:
    height, width = grid.shape
    return [(r, c) for r in range(0, height - side + 1, stride) for c in range(0, width - side + 1, stride)]


def why_declined(settings: PatchSettings, quality: Quality, date_gap_days: float) -> str:
    """Return why a candidate is left out, or an empty string."""
    if settings.max_date_gap_days is not None and date_gap_days > settings.max_date_gap_days:
        return "too long between the two dates"
    if quality.valid_share < settings.min_valid_share:
        return f"too few clear pixels: {max(quality.shares, key=lambda name: quality.shares[name])}"
    if quality.correlation < settings.min_correlation:
        return "low correlation of LR and HR"
    if quality.shift_px > settings.max_shift_px:
        return "HR still lies off LR"
    if quality.texture < settings.min_texture:
        return "HR shows nothing that LR does not"
    return ""


def _table(rows: list[tuple[Any, ...]], grid: GeoBox, side: int) -> gpd.GeoDataFrame:
    """Return the candidates with their footprints in degrees, in two parts where they lie across 180."""
    columns = {name: [row[k] for row in rows] for k, name in enumerate(KINDS)}
    corners = np.array([columns["col"], columns["row"]], np.float64).T[:, None] + np.array(_AROUND) * side
    x, y = corners[..., 0], corners[..., 1]
    a = grid.affine
    footprints = shapely.polygons(np.stack([a.a * x + a.b * y + a.c, a.d * x + a.e * y + a.f], axis=-1))
    table = gpd.GeoDataFrame(columns, geometry=footprints, crs=str(grid.crs)).astype(KINDS).to_crs("EPSG:4326")
    return table.set_geometry(split_each(table.geometry.to_numpy()), crs=table.crs)
