"""Scenes whose ground is shared out among splits, through the workflow: from the assembly to what may be judged."""

import json
import shutil
from pathlib import Path

import geopandas as gpd
import pytest
from project import Project, write_small_config
from shapely.geometry import box

from crossres.imagery.numbers import Mask
from crossres.imagery.raster import read_mask

pytestmark = pytest.mark.integration

GAP_M = 60.0
PAIRS = Path("results") / "small" / "pairs"


@pytest.fixture(scope="module")
def project(small_run, tmp_path_factory) -> Project:
    folder = tmp_path_factory.mktemp("ground") / "project"
    shutil.copytree(small_run.folder, folder, symlinks=True)
    return Project(folder)


def thirds(project: Project) -> str:
    """Write each pair's ground in three strips, one of each split."""
    ground = gpd.read_parquet(project.folder / PAIRS / "index.parquet").dissolve("pair").geometry
    strips = []
    for west, south, east, north in ground.bounds.to_numpy():
        width = (east - west) / 3
        for k, split in enumerate(("train", "val", "test")):
            strips.append((split, box(west + k * width, south, west + (k + 1) * width, north)))
    table = gpd.GeoDataFrame({"split": [s for s, _ in strips]}, geometry=[g for _, g in strips], crs="EPSG:4326")
    table.to_file(project.folder / "regions.gpkg")
    return "regions.gpkg"


@pytest.mark.parametrize("split", ["block", "region"])
def test_no_split_comes_near_another_and_only_test_ground_is_judged(project, split):
    where = {"block_m": 350} if split == "block" else {"regions": thirds(project)}
    config = write_small_config(
        project, patches={"lr_px": 16}, dataset={"split": split, "gap_m": GAP_M, "test_share": 0.3, **where}
    )
    project.run("--until", "dataset", "--configfile", config)
    index = gpd.read_parquet(project.folder / PAIRS / "index.parquet")
    assert set(index["split"]) == {"train", "val", "test"}
    assert index.groupby("pair")["split"].nunique().max() > 1, "the ground of one scene is shared out"
    for _, patches in index.groupby("pair"):
        ground = patches.to_crs(patches.estimate_utm_crs()).dissolve("split").geometry
        for one in ground.index:
            for other in ground.index.drop(one):
                assert ground[one].distance(ground[other]) >= GAP_M - 0.5, (one, other)

    held_out = json.loads((project.folder / PAIRS / "summary.json").read_text())["splits"]["test"][0]
    mask = PAIRS / "held_out" / f"{held_out}.tif"
    project.run(str(mask), "--configfile", config)
    judged = read_mask(project.folder / mask) == Mask.CLEAR
    test_patches = index[(index["pair"] == held_out) & (index["split"] == "test")]
    elsewhere = judged.copy()
    for row, col in test_patches[["row", "col"]].to_numpy():
        elsewhere[row : row + 16, col : col + 16] = False
    assert judged.any()
    assert not elsewhere.any(), "nothing outside of the test patches is judged"
