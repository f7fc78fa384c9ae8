"""A run whose LR images have one of Sentinel-2's 20 m bands beside HR's, from the products to the report."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from project import copy_project, write_small_config

from crossres import open_run, open_scene
from crossres.pairs.patch_file import read_patches

pytestmark = pytest.mark.integration

BANDS = ["blue", "green", "red", "nir"]
ARMS = {"lr_start": {"samples": 2}, "regression": {"start": "regression", "samples": 1},
        "bicubic": {"start": "bicubic", "samples": 1}}  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    made = copy_project(tmp_path_factory.mktemp("bands"))
    config = write_small_config(
        made,
        simulate={"places": 3, "size_m": 900, "truth_gsd_m": 1.6, "lr_20m_bands": True, "seasons": True},
        grid={"gsd_m": 2.5, "bands": BANDS, "lr_bands": ["swir16", *BANDS]},
        train={"steps": 6, "batch": 4, "validate_every": 6},
        sample={"arms": ARMS},
    )
    made.run("--configfile", config)
    return made


@pytest.fixture(scope="module")
def results(project):
    return project.folder / "results" / "small"


def test_the_band_goes_with_the_lr_image_alone(results):
    for pair in results.glob("aligned/*"):
        low, high = (open_scene(pair / f"{name}.tif") for name in ("lr", "hr"))
        assert list(low.band.values) == [*BANDS, "swir16"]
        assert list(high.band.values) == BANDS
        scene = open_scene(results / "scenes" / pair.name.split("--")[1])
        swir, there = low.reflectance.sel(band="swir16"), scene.reflectance.sel(band="swir16")
        xr.testing.assert_equal(swir, there.sel(y=swir.y, x=swir.x))
        assert float(swir.std()) > 0.005


def test_patches_and_their_statistics_have_it_last(results):
    about = json.loads((results / "pairs" / "summary.json").read_text())
    assert (about["bands"], about["lr_bands"]) == (BANDS, [*BANDS, "swir16"])
    patches = open_run(results)["pairs"].to_dataset()
    assert patches.lr.sizes["lr_band"] == 5 and patches.hr.sizes["band"] == 4
    assert list(patches.lr_band.values) == about["lr_bands"]
    train = [
        patch for pair in about["splits"]["train"] for patch in read_patches(results / f"pairs/patches/{pair}.zip")
    ]
    swir = np.concatenate([patch["lr"][4][patch["mask"] == 0] for patch in train]) * 1e-4 - 0.1
    assert about["statistics"]["lr_mean"][4] == pytest.approx(swir.mean(), abs=2e-3)
    card = json.loads((results / "model" / "main" / "card.json").read_text())
    assert card["lr_bands"] == about["lr_bands"]
    assert card["mean"] == [*about["statistics"]["hr_mean"], about["statistics"]["lr_mean"][4]]


def test_products_and_the_report_have_hr_s_bands(results):
    for product in results.glob("sr/*/*"):
        assert list(open_scene(product / "mean.tif").band.values) == BANDS
    assert set(json.loads((results / "evaluation" / "summary.json").read_text())["arms"]) == set(ARMS)
    assert (results / "report.html").is_file()


def super_resolved(project, scene, output):
    command = ["super-resolve", str(scene), "--checkpoint", "results/small/model/main", "--output", output]
    return subprocess.run(
        [sys.executable, "-m", "crossres", *command, "--samples", "1"], cwd=project.folder, capture_output=True,
        text=True, check=False, env=os.environ | {"PYTHONPATH": str(project.folder / "src")},
    )  # fmt: skip


def test_a_product_is_super_resolved_with_it_and_without_it_refused_in_one_line(project, results):
    item = next(results.glob("world/places/*/**/S2*.json"))
    done = super_resolved(project, item, "sr")
    assert done.returncode == 0, done.stderr
    assert list(open_scene(project.folder / "sr" / "mean.tif").band.values) == BANDS
    content = json.loads(item.read_text())
    del content["assets"]["swir16"]
    other = item.with_name("without.json")
    other.write_text(json.dumps(content))
    done = super_resolved(project, other, "none")
    assert done.returncode == 1
    assert "has no band 'swir16' (B11)" in done.stderr and "Traceback" not in done.stderr
    assert not (project.folder / "none").exists()
