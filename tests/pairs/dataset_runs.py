"""From aligned pairs to a dataset, for tests."""

import json
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
OUTPUTS = ("dataset.zarr", "index.parquet", "summary.json", "contact_sheet.png")


def run_dataset(
    output: Path, made: list[tuple[dict[str, Any], Path]], **settings: Any
) -> tuple[dict[str, Any], gpd.GeoDataFrame, xr.Dataset]:
    """Cut patches from aligned pairs (JSON, folder) and assemble them; return summary, index and the zarr."""
    for pair, folder in made:
        extract(PatchSettings(), GRID, pair, folder, folder / "p.npz", folder / "p.parquet")
    folders = [folder for _, folder in made]
    assemble(
        DatasetSettings(**settings),
        GRID,
        [pair for pair, _ in made],
        *([folder / name for folder in folders] for name in ("p.npz", "p.parquet", "registration.json")),
        *(output / name for name in OUTPUTS),
    )
    zarr = xr.open_zarr(output / "dataset.zarr", consolidated=False)
    return json.loads((output / "summary.json").read_text()), gpd.read_parquet(output / "index.parquet"), zarr
