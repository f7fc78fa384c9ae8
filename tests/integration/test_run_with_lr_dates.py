"""A run whose model sees several LR dates, from the products to the report."""

import json

import numpy as np
import pytest
from project import copy_project, digests, write_small_config

from crossres import open_run, open_scene
from crossres.imagery.lr_dates import read_dates

pytestmark = pytest.mark.integration

DATES = 3
SIMULATED = {
    "places": 3, "size_m": 1000, "truth_gsd_m": 1.6, "lr_dates": 7, "lr_location_error_m": 3.0, "seasons": True,
}  # fmt: skip
ARMS = {
    "regression": {"start": "regression", "samples": 1},
    "one_date": {"start": "regression", "samples": 1, "lr_dates": 1},
    "bicubic": {"start": "bicubic", "samples": 1},
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return copy_project(tmp_path_factory.mktemp("dates"))


@pytest.fixture(scope="module")
def config(project):
    content = (project.folder / "config/config.yaml").read_text()
    assert "catalog.json" in content
    search = {
        "lr": {"kind": "catalog", "href": "{run}/world/catalog.json"},
        "hr": {"kind": "gaofen2", "path": "{run}/world/places"}, "lr_dates": DATES,
    }  # fmt: skip
    return write_small_config(
        project, simulate=SIMULATED, search=search, train={"steps": 6, "batch": 4, "validate_every": 6},
        sample={"arms": ARMS, "primary": "regression"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def results(project, config):
    project.run("--configfile", config)
    return project.folder / "results" / "small"


def test_each_pair_has_its_dates_on_the_first_one_s_grid(results):
    pairs = [json.loads(path.read_text()) for path in results.glob("items/pairs/*.json")]
    assert [len(pair["further_dates"]) for pair in pairs] == [DATES - 1] * 3
    for pair in pairs:
        aligned = results / "aligned" / pair["id"]
        said = json.loads((aligned / "dates.json").read_text())["dates"]
        assert [date["scene"] for date in said] == pair["further_dates"]
        first = open_scene(aligned / "lr.tif").reflectance
        for date, found in zip(said, read_dates(aligned / "dates.tif", first.sizes["band"]), strict=True):
            seen = np.isfinite(found.values[0])
            assert seen.mean() == pytest.approx(date["clear_share"], abs=1e-6)
            if date["accepted"]:
                both = seen & np.isfinite(first.values[0])
                assert np.corrcoef(found.values[2][both], first.values[2][both])[0, 1] > 0.4
    assert any((results / f"aligned/{pair['id']}/dates.json").read_text().count('"accepted": true') for pair in pairs)


def test_shifts_are_those_of_the_world(results):
    truth = {}
    for path in results.glob("world/places/*/truth/truth.json"):
        truth |= {one["id"]: np.array(one["shift_m"]) for one in json.loads(path.read_text())["sentinel2"]}
    errors = []
    for path in results.glob("items/pairs/*.json"):
        pair = json.loads(path.read_text())
        for date in json.loads((results / f"aligned/{pair['id']}/dates.json").read_text())["dates"]:
            if date["accepted"]:
                errors.append(date["shift_m"] - (truth[date["scene"]] - truth[pair["lr"]]))
    assert np.sqrt((np.array(errors) ** 2).sum(axis=1).mean()) < 1.0  # a tenth of an LR pixel


def test_patches_model_and_products_have_them(results):
    about = json.loads((results / "pairs" / "summary.json").read_text())
    assert about["lr_dates"] == DATES and about["lr_bands"] == about["bands"]
    patches = open_run(results)["pairs"].to_dataset()
    assert patches.lr.sizes["lr_band"] == 4 + (DATES - 1) * 6
    assert json.loads((results / "model/main/card.json").read_text())["lr_dates"] == DATES
    for arm, count in (("regression", DATES), ("one_date", 1)):
        for item in results.glob(f"sr/*/{arm}/item.json"):
            assert json.loads(item.read_text())["properties"]["crossres:lr_dates"] == count
    assert "LR dates" in (results / "report.html").read_text()


def test_nothing_is_left_to_do_and_one_date_needs_no_job_of_the_rule(project, config, results):
    assert project.planned("--configfile", config) == {}
    one = write_small_config(project, run="one", simulate=SIMULATED)
    assert "dates" not in project.planned("--configfile", one)


def test_dates_do_not_depend_on_threads(project, config, results):
    before = digests(project)
    names = [name for name in before if "/dates." in name]
    assert len(names) == 9
    project.run(
        "--configfile", config, "--forcerun", "dates", "--until", "dates", "--config", "threads={coregister: 2}"
    )
    after = digests(project)
    assert {name: after[name] for name in names} == {name: before[name] for name in names}
