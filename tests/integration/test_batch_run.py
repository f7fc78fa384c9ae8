"""Many pairs in few jobs: what a batch holds is what the single rules write, and a damaged pair ends nothing."""

import json

import pandas as pd
import pytest
from project import copy_project, digests, write_small_config

pytestmark = pytest.mark.integration

OTHERWISE = {"config.yaml", "report.html", "item.json"}
"""Which name the key, or where the files stand that an item links to."""


def test_a_run_in_batches_gives_what_one_pair_at_a_time_gives(small_digests, tmp_path):
    project = copy_project(tmp_path / "project")
    config = write_small_config(project)
    path = project.folder / config
    path.write_text(path.read_text().replace("search:\n", "search:\n  pairs_per_job: 2\n"))
    project.run("--configfile", config)
    run = project.folder / "results" / "small"
    assert sorted(folder.name for folder in (run / "batches").iterdir()) == ["batch-0000", "batch-0001"]
    assert not (run / "aligned").exists() and not (run / "scenes").exists()
    pairs = sorted(path.stem for path in (run / "items" / "pairs").glob("*.json"))
    found = {}
    for name, digest in digests(project).items():
        parts = name.split("/")
        if parts[0] == "batches":
            parts = ["pairs", *parts[2:]] if parts[2] == "patches" else parts[2:]
        found["/".join(parts)] = digest
    other = {name for name, digest in small_digests.items() if found.get(name) != digest}
    assert {name.rpartition("/")[2] for name in other} <= OTHERWISE and found.keys() == small_digests.keys()
    assert len(pairs) == 3
    page = (run / "report.html").read_text()
    assert all(pair in page for pair in pairs)
    again = project.snakemake("--dry-run", "--configfile", config)
    assert "Nothing to be done" in again.stdout + again.stderr
    jobs = list((run / "benchmarks").rglob("*.tsv"))
    assert {path.relative_to(run / "benchmarks").parts[0] for path in jobs} >= {"prepare", "sample", "evaluate"}
    assert not (run / "benchmarks" / "coregister").exists()
    assert len(pd.read_parquet(run / "pairs" / "index.parquet")) > 0
    assert json.loads((run / "pairs" / "summary.json").read_text())["declined"] == []
