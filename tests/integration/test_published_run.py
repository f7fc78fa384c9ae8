"""A published set of pairs through the whole workflow, in its own splits, to its row in the table of opensr-test."""

import json
import sys
from pathlib import Path

import pandas as pd
import pytest
from project import copy_project, write_small_config

sys.path.append(str(Path(__file__).parents[1] / "acquire"))
import made_published as made

pytestmark = pytest.mark.integration

OLI2MSI = {"kind": "dataset", "name": "oli2msi", "path": "oli2msi"}
SECTIONS = dict(
    run="published",
    simulate=None,
    search={"lr": OLI2MSI, "min_overlap_km2": 0.1},
    grid={"gsd_m": 10.0, "bands": ["red", "green", "blue"]},
    acquire={},
    coregister={"model": "none"},
    normalise={"method": "none"},
    patches={"lr_px": 16, "stride_px": 16},
    dataset={"split": "published"},
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    project = copy_project(tmp_path_factory.mktemp("published"))
    made.oli2msi(project.folder / "oli2msi")
    config = write_small_config(project, **SECTIONS)
    project.run("--configfile", config)
    return project, config


def test_its_splits_are_kept_and_its_row_stands_beside_published_ones(finished):
    project, _ = finished
    run = project.folder / "results" / "published"
    splits = json.loads((run / "pairs" / "summary.json").read_text())["splits"]
    assert [len(splits[name]) for name in ("train", "val", "test")] == [1, 1, 1]
    assert splits["test"][0].startswith("oli2msi_L8_126038_20190923_S2B_20190923_T49SCR_N0002_hr")
    table = pd.read_csv(run / "evaluation" / "opensr_test.csv").set_index(["model", "image"])
    assert table.loc[("lr_start", "mean"), "scenes"] == 1
    assert 0 < table.loc[("bicubic", "mean"), "omission"] < 1
    page = (run / "report.html").read_text()
    assert "In the table of opensr-test" in page and "SEN2SR" in page


def test_it_is_done_once_and_another_part_makes_other_catalogues(finished):
    project, config = finished
    assert project.planned("--configfile", config) == {}
    path = project.folder / config
    path.write_text(path.read_text().replace("name: oli2msi", "name: oli2msi\n    subset: train"))
    assert project.planned("--configfile", config)["catalog"] == 2
