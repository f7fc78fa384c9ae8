"""The `patches` stage: patches of one aligned pair, each with its quality, kept or declined."""

import logging
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import geopandas as gpd
import numpy as np
import shapely
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine

from crossres.files import read_json, whole
from crossres.globe import split_each
from crossres.imagery.engine import each
from crossres.imagery.lazy import lazy_raster
from crossres.imagery.numbers import NODATA, OFFSET, SCALE, Mask
from crossres.imagery.raster import grid_of, read_mask
from crossres.operators import area
from crossres.pairs.patch_file import PORTION, PatchWriter, portion
from crossres.pairs.quality import Quality, measure, moments
from crossres.settings.grid import GridSettings
from crossres.settings.patches import PatchSettings

log = logging.getLogger(__name__)

SHARES = ("nodata", "cloud", "shadow", "changed", "snow")
KINDS = (
    {"pair": "string", "row": "int64", "col": "int64", "date_gap_days": "float64", "valid_share": "float64"}
    | {f"{name}_share": "float64" for name in SHARES}
    | dict.fromkeys(("cloudy_share", "correlation", "shift_px", "texture", "brightness", "ndvi"), "float64")
    | {"kept": "bool", "reason": "string"}
)

MAX_CLOUDY_SHARE = 0.5
ROWS = 8
"""Rows of patches in a block. Neighbours see the same pixels: few rows and they are decoded again and again."""
ONE = Fraction(1)
_AROUND = [(0, 0), (1, 0), (1, 1), (0, 1)]


def extract(
    settings: PatchSettings,
    grid: GridSettings,
    pair: dict[str, Any],
    aligned: Path,
    output_patches: Path,
    output_index: Path,
    dates: Path | None = None,
) -> None:
    """Cut the aligned pair in folder `aligned` into patches.

    `output_patches` holds those that are kept (see `crossres.pairs.patch_file`): `lr` (C, h, w) and `hr` (C, H, W)
    uint16 DN, `mask` (h, w) uint8, 0 is clear. With `dates`, the raster of further LR dates that the `dates` stage
    wrote, its bands follow those of the first in `lr`; what is clear goes by the first alone. `output_index` is
    GeoParquet with one row a candidate: its first row and column in `lr.tif`, its quality, and why it is declined. A
    pair declined in registration or in radiometry has no candidates. Side and step are those of the settings, or the
    next that fall on whole fine pixels. Memory holds some dozens of patches a thread, not the scene.
    """
    state = read_json(aligned / "registration.json")
    factor = Fraction(state["factor"])
    side, stride = settings.whole_px(factor)
    if (side, stride) != (settings.lr_px, settings.stride_px):
        log.info(
            "%s: patches are %d LR pixels wide, every %d: whole fine pixels at x%s", pair["id"], side, stride, factor
        )
    fine_side, gap = int(side * factor), float(pair["date_gap_days"])
    lr_grid = grid_of(aligned / "lr.tif")
    radiometry = read_json(aligned / "radiometry.json")
    rest = np.array([list(band["rest"].values()) for band in radiometry["bands"].values()], np.float64)
    use = state["accepted"] and radiometry["accepted"]
    blocks = _blocks(lr_grid, side, stride) if use else []
    mask = read_mask(aligned / "mask.tif")
    weights = area(factor.denominator, factor).dense()
    low, high = (lazy_raster(aligned / f"{name}.tif") for name in ("lr", "hr"))
    lr_bands = len(low)
    if dates is not None:
        low = da.concatenate([low, lazy_raster(dates)])

    def cut(block: _Block) -> dict[int, list[tuple[Any, ...]]]:
        """Return the candidates of a block by their turn; write those of them that are kept."""
        lr_part, hr_part = dask.compute(
            low[:, *block.window(side)], high[:, *block.window(side, factor)], scheduler="synchronous"
        )
        found = {}
        for turn, row in zip(block.turns, block.rows, strict=True):
            top = row - block.rows[0]
            fine = int(top * factor)
            strip = lr_part[:, top : top + side], hr_part[:, fine : fine + fine_side]
            found[turn], kept = cut_row(row, block.cols, *strip)
            writer.add(turn, portion(kept))
        return found

    def cut_row(
        row: int, cols: list[int], lr_strip: np.ndarray, hr_strip: np.ndarray
    ) -> tuple[list[tuple[Any, ...]], list[dict[str, np.ndarray]]]:
        """Return the candidates of a part of a row of patches, and those of them that are kept."""
        left = cols[0]

        def of_patches(strip: np.ndarray) -> np.ndarray:
            """Return the patches of a strip, (patch, band, row, column)."""
            return np.stack([strip[..., col - left : col - left + side] for col in cols])

        on_lr, within = moments(hr_strip, weights)
        lr, codes = of_patches(lr_strip), of_patches(mask[row : row + side, left : cols[-1] + side])
        clear = (codes == Mask.CLEAR) & (lr[:, :lr_bands] != NODATA).all(axis=1)
        codes = np.where((codes == Mask.CLEAR) & ~clear, Mask.NODATA, codes).astype(np.uint8)
        one, other = (of_patches(image * SCALE + OFFSET) for image in (lr_strip, on_lr))
        common = one[:, : len(grid.bands)]  # LR may have others, and other dates
        qualities = measure(common, other, of_patches(within * SCALE**2), codes, clear, grid.bands, rest)
        reasons = [why_declined(settings, quality, gap) for quality in qualities]
        about = [
            (
                pair["id"], row, col, gap, quality.valid_share, *(quality.shares[name] for name in SHARES),
                quality.cloudy_share, quality.correlation, quality.shift_px, quality.texture, quality.brightness,
                quality.ndvi, not reason, reason,
            )
            for col, quality, reason in zip(cols, qualities, reasons, strict=True)
        ]  # fmt: skip
        fine = [int((col - left) * factor) for col in cols]
        kept = [
            {"lr": lr[k], "hr": hr_strip[:, :, fine[k] : fine[k] + fine_side], "mask": codes[k]}
            for k, reason in enumerate(reasons)
            if not reason
        ]
        return about, kept

    with whole(output_patches) as part, PatchWriter(part) as writer:
        by_turn = {turn: about for found in each(cut, blocks) for turn, about in found.items()}
    rows = [row for turn in sorted(by_turn) for row in by_turn[turn]]
    with whole(output_index) as part:
        _table(rows, lr_grid, side).to_parquet(part, index=False)
    log.info("%s: %d of %d patches kept", pair["id"], sum(row[-2] for row in rows), len(rows))


def write_none(output_patches: Path, output_index: Path) -> None:
    """Write what `extract` writes of a pair without candidates."""
    with whole(output_patches) as part, PatchWriter(part):
        pass
    with whole(output_index) as part:
        _table([], GeoBox((1, 1), Affine.identity(), "EPSG:4326"), 1).to_parquet(part, index=False)


@dataclass(frozen=True)
class _Block:
    """Patches that are cut together, in some rows of some columns."""

    rows: list[int]
    """The first LR row of each row of patches."""
    cols: list[int]
    """The first LR column of each column of patches."""
    turns: list[int]
    """When each row of patches has its turn, over all of the scene."""

    def window(self, side: int, factor: Fraction = ONE) -> tuple[slice, slice]:
        """Return the pixels that patches of `side` LR pixels cover, on a grid of `factor` pixels along an LR pixel."""
        rows, cols = (
            slice(int(starts[0] * factor), int((starts[-1] + side) * factor)) for starts in (self.rows, self.cols)
        )
        return rows, cols


def _blocks(grid: GeoBox, side: int, stride: int) -> list[_Block]:
    """Return all patches of a scene; those of a block's row are made together."""
    rows, cols = (list(range(0, count - side + 1, stride)) for count in grid.shape)
    parts = [cols[first : first + PORTION] for first in range(0, len(cols), PORTION)]
    return [
        _Block(rows[top : top + ROWS], part, [k * len(parts) + at for k in range(top, min(top + ROWS, len(rows)))])
        for top in range(0, len(rows), ROWS)
        for at, part in enumerate(parts)
    ]


def why_declined(settings: PatchSettings, quality: Quality, date_gap_days: float) -> str:
    """Return why a candidate is left out, or an empty string."""
    if settings.max_date_gap_days is not None and date_gap_days > settings.max_date_gap_days:
        return "too long between the two dates"
    if quality.cloudy_share > MAX_CLOUDY_SHARE:
        return "one image looks cloudy where the other is clear"
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
