"""A run whose LR images are made of its HR images: from a folder of GeoTIFFs to the patches of a pretraining."""

import json
from fractions import Fraction

import numpy as np
import pytest
import yaml
from odc.geo.geobox import GeoBox
from project import ROOT, copy_project
from rasterio.transform import from_origin
from scipy.ndimage import gaussian_filter

from crossres.imagery.numbers import REFLECTANCE_DN, to_dn
from crossres.imagery.raster import write_cog
from crossres.imagery.scene import open_scene
from crossres.operators import to_lr
from crossres.sensors.mtf import lr_mtf

pytestmark = pytest.mark.integration

BANDS = ("red", "nir")
NAMES = ("east", "middle", "west")
TARGET = "results/own/pairs/summary.json"


def write_image(folder, number):
    """Write 640 x 640 pixels of 2.5 m of a texture with detail of every size; a corner has no data."""
    rng = np.random.default_rng(number)
    image = sum(gaussian_filter(rng.standard_normal((2, 640, 640)), (0, s, s)) * s for s in (1, 3, 9, 27)) * 0.03 + 0.2
    image[:, :60, :90] = np.nan
    grid = GeoBox((640, 640), from_origin(500_000 + 5_000 * number, 5_500_000, 2.5, 2.5), "EPSG:32632")
    write_cog(folder / f"{NAMES[number]}.tif", to_dn(image), grid, BANDS, REFLECTANCE_DN)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    project = copy_project(tmp_path_factory.mktemp("degraded"))
    for number in range(3):
        write_image(project.folder / "mine", number)
    content = yaml.safe_load((ROOT / "config" / "pretrain.yaml").read_text())
    sensor = {"name": "aerial", "datetime": "2021-06-01T10:00:00Z"}
    content |= {"run": "own", "simulate": None, "grid": {"gsd_m": 2.5, "bands": list(BANDS)}, "acquire": {}}
    content["search"]["hr"] = {"kind": "folder", "path": "mine", "sensor": sensor}
    (project.folder / "config" / "own.yaml").write_text(yaml.safe_dump(content))
    project.run(TARGET, "--configfile", "config/own.yaml")
    return project


def test_every_hr_scene_gives_patches_with_an_lr_image_of_its_own(made):
    summary = json.loads((made.folder / TARGET).read_text())
    assert sorted(pair for split in summary["splits"].values() for pair in split) == [
        f"{name}--{name}-degraded" for name in NAMES
    ]
    assert summary["factor"] == "4/1"
    assert min(summary["patches"].values()) > 0


def test_lr_patches_are_hr_patches_through_the_sensor_but_for_its_noise(made):
    for name in NAMES:
        folder = made.folder / "results" / "own" / "aligned" / f"{name}--{name}-degraded"
        low, high = (open_scene(folder / f"{role}.tif").reflectance.values for role in ("lr", "hr"))
        difference = low - to_lr(high, Fraction(4), lr_mtf(None, "Sentinel-2", BANDS))
        inner = difference[:, 2:-2, 2:-2]
        assert np.nanstd(inner, axis=(1, 2)) == pytest.approx(0.001, rel=0.05)
        assert np.isfinite(inner).mean() > 0.97


def test_of_two_sensors_mtfs_one_is_refused(made):
    content = yaml.safe_load((made.folder / "config" / "own.yaml").read_text())
    content["grid"]["lr_mtf"] = 0.3
    (made.folder / "config" / "two.yaml").write_text(yaml.safe_dump(content))
    done = made.snakemake("--dry-run", "--configfile", "config/two.yaml")
    assert done.returncode != 0
    assert "search.lr.mtf and grid.lr_mtf: are of one sensor" in done.stdout + done.stderr
