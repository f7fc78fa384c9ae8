"""Whoever plans a run again reads which keys have changed, each by its name and in one short line."""

import json
from pathlib import Path

import pytest
import yaml

from crossres.settings.changes import changed_since
from crossres.settings.config import load, parse

CONFIG = load(Path(__file__).parents[1] / "config" / "config.yaml").model_dump(mode="json")


@pytest.fixture
def changed(tmp_path):
    """Return what is said of a configuration when that of the run was CONFIG."""
    written = tmp_path / "config.yaml"
    written.write_text(yaml.safe_dump(CONFIG, sort_keys=False))

    def since(**sections) -> list[str]:
        return changed_since(written, parse(CONFIG | sections))

    return since


def test_nothing_is_said_where_nothing_changed(changed):
    assert changed() == []


def test_how_a_run_is_computed_is_no_change(changed):
    assert changed(threads={"sample": 2}, temporary=True) == []


def test_each_key_is_named_with_its_value_before_and_after(changed):
    said = changed(train=CONFIG["train"] | {"steps": 500, "path": "straight"}, grid=CONFIG["grid"] | {"lr_mtf": 0.2})
    assert said[:3] == ["grid.lr_mtf: null -> 0.2", 'train.path: "residual" -> "straight"', "train.steps: 1200 -> 500"]


def test_what_came_and_what_went_is_said_as_such(changed):
    arms = {name: arm for name, arm in CONFIG["sample"]["arms"].items() if name != "bicubic"}
    said = changed(sample=CONFIG["sample"] | {"arms": arms | {"eight": {"steps": 8}}})
    assert len(said) == 2
    assert said[0].startswith('sample.arms.bicubic: {"model": "main"')
    assert said[0].endswith("-> absent")
    assert said[1].startswith('sample.arms.eight: absent -> {"model"')


def test_within_a_list_the_item_is_named(changed):
    search = json.loads(json.dumps(CONFIG["search"]))
    search["lr"][0]["href"] = "other.json"
    assert changed(search=search) == ['search.lr[0].href: "{run}/world/catalog.json" -> "other.json"']


def test_lines_are_short_and_few(changed):
    assign = {f"place{number}": "train" for number in range(5000)}
    said = changed(dataset=CONFIG["dataset"] | {"assign": assign}, report=CONFIG["report"] | {"title": "x" * 500})
    assert len(said) == 11
    assert max(map(len, said)) < 150
    assert said[-1] == "and 4991 more"


def test_values_that_differ_far_behind_are_said_to_differ(tmp_path):
    report = {"title": "x" * 100, "question": "?"}
    (tmp_path / "config.yaml").write_text(json.dumps(CONFIG | {"report": report}))
    after = parse(CONFIG | {"report": report | {"title": "x" * 99 + "y"}})
    assert changed_since(tmp_path / "config.yaml", after) == ["report.title: changed"]


@pytest.mark.parametrize("content", ["", "run: [", "\0"])
def test_a_file_that_cannot_be_read_is_passed_over(tmp_path, content):
    (tmp_path / "config.yaml").write_text(content)
    assert changed_since(tmp_path / "config.yaml", parse(CONFIG)) == []
