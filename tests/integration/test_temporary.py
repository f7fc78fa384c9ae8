"""What can be made again goes once nothing needs it, where the configuration asks for that."""

import shutil

import pytest
from project import Project

pytestmark = pytest.mark.integration


def test_scenes_and_registered_rasters_go_when_a_pair_is_aligned_and_nothing_is_made_again(small_run, tmp_path):
    project = Project(shutil.copytree(small_run.folder, tmp_path / "project", symlinks=True))
    results = project.folder / "results" / "small"
    pair = sorted((results / "aligned").iterdir())[0]
    before = (pair / "hr.tif").read_bytes()
    shutil.rmtree(pair)
    shutil.rmtree(results / "scenes")
    wanted = [
        "--configfile", "config/small.yaml", "--config", "temporary=true", "--nolock",
        f"results/small/aligned/{pair.name}/mask.tif",
    ]  # fmt: skip
    project.run(*wanted)
    assert not list(results.glob("scenes/*"))
    assert not (pair / "registered.tif").exists() and (pair / "hr.tif").read_bytes() == before
    assert project.planned(*wanted) == {}
