"""`snakemake align` stops at the aligned pairs, and shows them."""

import numpy as np
import pytest
import rasterio
import yaml
from project import copy_project
from rasterio.transform import from_origin
from scipy import ndimage

pytestmark = pytest.mark.integration

SIDE, FACTOR, PIXEL_M = 64, 2, 20.0


def write(path, values, pixel_m, east_m):
    path.parent.mkdir(parents=True, exist_ok=True)
    place = dict(crs="EPSG:32650", transform=from_origin(500_000 + east_m, 4_000_000, pixel_m, pixel_m))
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=len(values), width=len(values), dtype="uint16", **place
    ) as dst:
        dst.write(np.rint(values).astype(np.uint16), 1)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = copy_project(tmp_path_factory.mktemp("align"))
    for place in range(2):
        rng = np.random.default_rng(place)
        noise = (ndimage.gaussian_filter(rng.normal(size=(SIDE * FACTOR,) * 2), s) * s for s in (1.5, 4, 10))
        land = 2000 + 900 * sum(noise)
        sigma = FACTOR * np.sqrt(-2 * np.log(0.25)) / np.pi
        coarse = ndimage.zoom(ndimage.gaussian_filter(land, sigma), 1 / FACTOR, order=1, grid_mode=True, mode="nearest")
        write(project.folder / f"images/lr/x{place}_20210501.tif", coarse, PIXEL_M, 9000 * place)
        # HR lies 10 m too far east.
        write(project.folder / f"images/hr/x{place}_20210501.tif", land, PIXEL_M / FACTOR, 9000 * place + 10)
    sensor = {"bands": ["nir"], "scale": 0.0001, "datetime_pattern": "%Y%m%d"}
    sources = {
        role: {"kind": "folder", "path": f"images/{role}", "sensor": {"name": role, **sensor}} for role in ("lr", "hr")
    }
    content = {"run": "own", "search": sources, "grid": {"gsd_m": 10.0, "bands": ["nir"]}, "temporary": True}
    (project.folder / "config" / "own.yaml").write_text(yaml.safe_dump(content))
    return project


def test_align_makes_the_page_and_nothing_behind_it(project):
    project.run("align", "--configfile", "config/own.yaml")
    run = project.folder / "results" / "own"
    names = sorted(path.name for path in (run / "aligned").iterdir())
    assert names == [f"x{place}_20210501-hr--x{place}_20210501-lr" for place in range(2)]
    page = (run / "align.html").read_text()
    assert "2 of 2 pairs registered" in page and "m west" in page
    assert not (run / "pairs").exists() and not (run / "model").exists()
    assert project.planned("--configfile", "config/own.yaml", "--", "align") == {}
