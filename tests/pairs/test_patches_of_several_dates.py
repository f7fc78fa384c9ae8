"""Further LR dates stand behind the first in patches and dataset, and decide nothing of what is kept."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from aligned_pairs import BANDS, write_aligned
from dataset_runs import GRID

from crossres.imagery.lr_dates import LrDate, write_dates
from crossres.imagery.numbers import NODATA
from crossres.imagery.raster import grid_of, open_raster
from crossres.imagery.run import open_run
from crossres.pairs.dataset import assemble
from crossres.pairs.extract import extract
from crossres.pairs.patch_file import read_patches
from crossres.settings.dataset import DatasetSettings
from crossres.settings.patches import PatchSettings


def made(root: Path, name: str, east_m: float) -> tuple[dict[str, Any], Path]:
    """Write an aligned pair with a second date, and a third that was declined."""
    pair, folder = write_aligned(root, name, east_m)
    rng = np.random.default_rng(0)
    values = rng.uniform(0.1, 0.3, (2, 64, 96)).astype(np.float32)
    values[:, :, 48:] = np.nan
    offsets = rng.uniform(-0.5, 0.5, (2, 64, 96)).astype(np.float32)
    write_dates(folder / "dates.tif", grid_of(folder / "lr.tif"), BANDS, [LrDate(values, offsets), None])
    return pair, folder


def test_patches_hold_the_bands_of_all_dates_and_are_kept_by_the_first(tmp_path: Path) -> None:
    pair, folder = made(tmp_path, "p", 0)
    outputs = [[tmp_path / f"{kind}.{end}" for end in ("zip", "parquet")] for kind in ("one", "all")]
    extract(PatchSettings(lr_px=32), GRID, pair, folder, *outputs[0])
    extract(PatchSettings(lr_px=32), GRID, pair, folder, *outputs[1], dates=folder / "dates.tif")
    assert outputs[0][1].read_bytes() == outputs[1][1].read_bytes()
    one, several = (list(read_patches(files[0])) for files in outputs)
    with open_raster(folder / "dates.tif") as src:
        dates = src.read()
    assert [patch["lr"].shape for patch in several] == [(10, 32, 32)] * len(one)
    for first, patch in zip(one, several, strict=True):
        np.testing.assert_array_equal(patch["lr"][:2], first["lr"])
        np.testing.assert_array_equal(patch["mask"], first["mask"])
        assert (patch["lr"][6:] == NODATA).all()
    np.testing.assert_array_equal(several[0]["lr"][2:], dates[:, :32, :32])
    assert (several[-1]["lr"][2:] == NODATA).all()


def test_the_dataset_says_how_many_dates_it_has_and_its_statistics_are_of_the_first(tmp_path: Path) -> None:
    pairs = [made(tmp_path, f"p{k}", k * 20_000) for k in range(4)]
    said = {}
    for kind, dates in (("one", False), ("several", True)):
        run = tmp_path / kind
        for pair, folder in pairs:
            (run / "items").mkdir(parents=True, exist_ok=True)
            (run / "items" / f"{pair['id']}.json").write_text(json.dumps(pair))
            files = [run / f"patches/{pair['id']}.{end}" for end in ("zip", "parquet")]
            extract(PatchSettings(lr_px=32), GRID, pair, folder, *files, dates=folder / "dates.tif" if dates else None)
        settings = DatasetSettings(val_share=0.25, test_share=0.25)
        assemble(settings, GRID, run / "items", run / "patches", tmp_path / "aligned", None, run / "pairs")
        said[kind] = json.loads((run / "pairs" / "summary.json").read_text())
    one, several = said["one"], said["several"]
    assert "lr_dates" not in one and several["lr_dates"] == 3
    assert several["lr_bands"] == list(BANDS)
    assert several["bytes"]["train"] > one["bytes"]["train"]
    assert several["statistics"] == one["statistics"]
    zarr = xr.open_zarr(tmp_path / "several/pairs/dataset.zarr", consolidated=False)
    assert zarr.attrs["lr_dates"] == 3 and zarr.sizes["lr_band"] == 10
    first = xr.open_zarr(tmp_path / "one/pairs/dataset.zarr", consolidated=False)
    assert "lr_dates" not in first.attrs
    names = open_run(tmp_path / "several")["pairs"].lr_band.values.tolist()
    assert names == ["red", "nir", "red@2", "nir@2", "row@2", "col@2", "red@3", "nir@3", "row@3", "col@3"]
