"""Two runs from scratch give the same bytes, wherever they stand and however many cores they had."""

import hashlib

import pytest
from project import copy_project, write_small_config

pytestmark = pytest.mark.integration

# Logs and benchmark files tell of one run; Snakemake keeps a time stamp of its own in each folder that a rule writes.
OF_ONE_RUN = {"logs", "benchmarks"}


def digests(project):
    root = project.folder / "results" / "small"
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file() and path.relative_to(root).parts[0] not in OF_ONE_RUN and path.name != ".snakemake_timestamp"
    }


def test_two_runs_from_scratch_give_identical_bytes(tmp_path):
    found = []
    for name, cores in (("here", 2), ("elsewhere/deeper", 1)):
        project = copy_project(tmp_path / name)
        project.run("--configfile", write_small_config(project), cores=cores)
        found.append(digests(project))
    first, second = found
    kinds = {path.rpartition(".")[2] for path in first}
    assert {"tif", "parquet", "json", "npz", "safetensors", "html", "png"} <= kinds
    assert first.keys() == second.keys()
    assert [path for path in first if first[path] != second[path]] == []
