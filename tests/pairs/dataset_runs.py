"""From aligned pairs to a dataset, for tests."""

import json
import shutil
from pathlib import Path
from typing import Any

import geopandas as gpd
import xarray as xr

from crossres.pairs.dataset import assemble
from crossres.pairs.extract import extract
from crossres.settings.dataset import DatasetSettings
from crossres.settings.grid import GridSettings
from crossres.settings.patches import PatchSettings

GRID = GridSettings(gsd_m=2.5, bands=("red", "nir"))


def run_dataset(
    output: Path,
    made: list[tuple[dict[str, Any], Path]],
    region_file: Path | None = None,
    lr_px: int = 32,
    **settings: Any,
) -> tuple[dict[str, Any], gpd.GeoDataFrame, xr.Dataset]:
    """Cut patches from aligned pairs (JSON, folder) and assemble them; return summary, index and the zarr.

    `output` is new; what was cut stands in `items` and `patches` beside it.
    """
    items, patches = output.parent / f"{output.name}-items", output.parent / f"{output.name}-patches"
    for folder in (items, patches):
        shutil.rmtree(folder, ignore_errors=True)
    items.mkdir(parents=True)
    for pair, folder in made:
        name = pair["id"]
        extract(PatchSettings(lr_px=lr_px), GRID, pair, folder, patches / f"{name}.zip", patches / f"{name}.parquet")
        (items / f"{name}.json").write_text(json.dumps(pair))
    assemble(DatasetSettings(**settings), GRID, items, patches, made[0][1].parent, region_file, output)
    zarr = xr.open_zarr(output / "dataset.zarr", consolidated=False)
    return json.loads((output / "summary.json").read_text()), gpd.read_parquet(output / "index.parquet"), zarr
