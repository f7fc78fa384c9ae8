"""Two runs from scratch give the same bytes, wherever they stand and however many cores they had."""

import pytest
from project import copy_project, digests, write_small_config

pytestmark = pytest.mark.integration


def test_two_runs_from_scratch_give_identical_bytes(small_digests, tmp_path):
    project = copy_project(tmp_path / "elsewhere" / "deeper")
    project.run("--configfile", write_small_config(project), cores=1)
    again = digests(project)
    kinds = {path.rpartition(".")[2] for path in small_digests}
    assert {"tif", "parquet", "json", "npz", "safetensors", "html", "png"} <= kinds
    assert again.keys() == small_digests.keys()
    assert [path for path in again if again[path] != small_digests[path]] == []
