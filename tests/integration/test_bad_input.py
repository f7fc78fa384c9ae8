"""Bad input ends in one clear line, a non-zero status, and nothing half-written."""

import subprocess
import sys

import numpy as np
import pytest
import rasterio
from project import copy_project, write_config
from rasterio.transform import from_origin

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return copy_project(tmp_path_factory.mktemp("bad"))


def raster(path, west=500000.0, gsd=10.0, crs="EPSG:32650"):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(0).integers(100, 4000, (1, 200, 200)).astype("uint16")
    place = dict(crs=crs, transform=from_origin(west, 4000000.0, gsd, gsd)) if crs else {}
    with rasterio.open(path, "w", driver="GTiff", width=200, height=200, count=1, dtype="uint16", **place) as dst:
        dst.write(values)


def folder_source(path):
    sensor = {"bands": ["red"], "scale": 1e-4, "datetime": "2020-05-01T00:00:00Z"}
    return {"kind": "folder", "path": str(path), "sensor": sensor}


def experiment(project, lr, hr, **search):
    search = {"lr": folder_source(lr), "hr": folder_source(hr)} | search
    return write_config(
        project, "bad.yaml", run="bad", simulate=None, search=search, grid={"gsd_m": 5, "bands": ["red"]}, acquire={}
    )


def refused(project, config, message, target=()):
    done = project.snakemake("--configfile", config, *target)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    lines = [line for line in said.splitlines() if message in line]
    assert lines, said[-3000:]
    assert "Traceback" not in said
    results = project.folder / "results" / "bad"
    assert not list(results.rglob(".part-*"))
    assert not (results / "items").exists()


def test_an_unknown_key(project):
    config = write_config(project, "bad.yaml", run="bad", trian={"steps": 3})
    refused(project, config, "trian: unknown key; the nearest known one is 'train'")


def test_a_missing_folder(project, tmp_path):
    raster(tmp_path / "lr" / "a.tif")
    config = experiment(project, tmp_path / "lr", tmp_path / "nowhere")
    refused(project, config, "nowhere: no such folder")


def test_a_missing_configuration_file(project):
    done = subprocess.run(
        [sys.executable, "-m", "crossres", "train", "--settings", "none.yaml", "--dataset", "a", "--index", "b",
         "--summary", "c", "--output", "d"],
        cwd=project.folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.strip() == "crossres train: error: none.yaml: no such file"


def test_an_area_without_scenes(project, tmp_path):
    raster(tmp_path / "lr" / "a.tif")
    raster(tmp_path / "hr" / "b.tif", gsd=5.0)
    config = experiment(project, tmp_path / "lr", tmp_path / "hr", area=[10.0, 10.0, 11.0, 11.0])
    refused(project, config, "crossres search: error:")


def test_a_raster_without_crs(project, tmp_path):
    raster(tmp_path / "lr" / "a.tif")
    raster(tmp_path / "hr" / "b.tif", crs=None)
    config = experiment(project, tmp_path / "lr", tmp_path / "hr")
    refused(project, config, "has no coordinate reference system")


def test_lr_and_hr_that_do_not_overlap(project, tmp_path):
    raster(tmp_path / "lr" / "a.tif")
    raster(tmp_path / "hr" / "b.tif", west=600000.0, gsd=5.0)
    config = experiment(project, tmp_path / "lr", tmp_path / "hr")
    refused(project, config, "overlap")
