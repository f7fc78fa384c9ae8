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
from crossres.imagery.engine import AHEAD, each, threads
from crossres.imagery.lazy import lazy_raster
from crossres.imagery.numbers import NODATA, OFFSET, SCALE, Mask
from crossres.imagery.raster import grid_of, read_mask
from crossres.operators import area
from crossres.pairs.patch_file import PORTION, PatchWriter, portion
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
    `UserError` when patches do not fall on whole fine pixels. Memory holds some dozens of patches a thread, not the
    scene.
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
    places = _places(lr_grid, side, settings.stride_px) if state["accepted"] else []
    mask = read_mask(aligned / "mask.tif")
    weights = area(side, factor).dense()
    low, high = (lazy_raster(aligned / f"{name}.tif") for name in ("lr", "hr"))

    def cut(place: tuple[int, list[int]]) -> tuple[list[tuple[Any, ...]], bytes]:
        """Return the candidates of a part of a row of patches, and those of them that are kept as they are stored."""
        row, cols = place
        fine_row, fine_side, left = int(row * factor), int(side * factor), cols[0]
        right = cols[-1] + side
        # Blocks are decoded once for all of them, not once a patch.
        lr_row, hr_row = dask.compute(
            low[:, row : row + side, left:right],
            high[:, fine_row : fine_row + fine_side, int(left * factor) : int(right * factor)],
            scheduler="synchronous",
        )
        lr = np.stack([lr_row[:, :, col - left : col - left + side] for col in cols])
        fine = [int(col * factor) - int(left * factor) for col in cols]
        hr = np.stack([hr_row[:, :, col : col + fine_side] for col in fine])
        codes = np.stack([mask[row : row + side, col : col + side] for col in cols])
        clear = (codes == Mask.CLEAR) & (lr != NODATA).all(axis=1)
        codes = np.where((codes == Mask.CLEAR) & ~clear, Mask.NODATA, codes).astype(np.uint8)
        qualities = measure(lr * SCALE + OFFSET, hr * SCALE + OFFSET, codes, clear, grid.bands, weights)
        reasons = [why_declined(settings, quality, gap) for quality in qualities]
        about = [
            (
                pair["id"], row, col, gap, quality.valid_share, *(quality.shares[name] for name in SHARES),
                quality.correlation, quality.shift_px, quality.texture, quality.brightness, quality.ndvi,
                not reason, reason,
            )
            for col, quality, reason in zip(cols, qualities, reasons, strict=True)
        ]  # fmt: skip
        kept = [{"lr": lr[k], "hr": hr[k], "mask": codes[k]} for k, reason in enumerate(reasons) if not reason]
        return about, portion(kept)

    rows: list[tuple[Any, ...]] = []
    with whole(output_npz) as part, PatchWriter(part) as writer:
        at_once = AHEAD * threads()
        for first in range(0, len(places), at_once):
            for about, patches in each(cut, places[first : first + at_once]):
                rows += about
                writer.add(patches)
    with whole(output_index) as part:
        _table(rows, lr_grid, side).to_parquet(part, index=False)
    log.info("%s: %d of %d patches kept", pair["id"], sum(row[-2] for row in rows), len(rows))


def _places(grid: GeoBox, side: int, stride: int) -> list[tuple[int, list[int]]]:
    """Return rows with some columns each: where patches begin, as many as are made together."""
    height, width = grid.shape
    cols = list(range(0, width - side + 1, stride))
    parts = [cols[first : first + PORTION] for first in range(0, len(cols), PORTION)]
    return [(row, part) for row in range(0, height - side + 1, stride) for part in parts]


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
