"""Configuration files over each other: whose folder a path counts from, and several runs in one configuration."""

from pathlib import Path

import pytest
import yaml

from crossres.errors import UserError
from crossres.settings.config import parse
from crossres.settings.layers import PATHS, from_working_directory, read_settings, runs

FOLDER = {"kind": "folder", "path": "data", "sensor": {"bands": ["red"]}}


@pytest.fixture(autouse=True)
def work(tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


def written(file, content):
    path = Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def path_of(file):
    return read_settings(file)["search"]["lr"]["path"]


def test_a_path_counts_from_the_folder_of_its_file():
    Path("own/data").mkdir(parents=True)
    assert path_of(written("own/a.yaml", {"search": {"lr": FOLDER}})) == "own/data"


def test_where_nothing_is_there_it_counts_from_the_working_directory_as_it_always_did():
    Path("data").mkdir()
    assert path_of(written("config/a.yaml", {"search": {"lr": FOLDER}})) == "data"
    Path("data").rmdir()
    assert path_of("config/a.yaml") == "data"


def test_a_file_elsewhere_gives_an_absolute_path(tmp_path):
    (tmp_path / "there $1" / "data").mkdir(parents=True)
    file = written("../there $1/a.yaml", {"search": {"lr": FOLDER}})
    assert path_of(file.resolve()) == f"{tmp_path}/there $$1/data"


@pytest.mark.parametrize(
    "text", ["/data", "{run}/data", "${DATA}", "https://example.org/data", "s3://a/data", "./data"]
)
def test_what_is_no_relative_path_stays_as_it_is_written(text, monkeypatch):
    monkeypatch.setenv("DATA", "/data")
    Path("data").mkdir()
    assert path_of(written("a.yaml", {"search": {"lr": FOLDER | {"path": text}}})) == text


def test_what_a_variable_holds_stays_unsaid(monkeypatch):
    monkeypatch.setenv("SITE", "data")
    Path("own/data").mkdir(parents=True)
    assert path_of(written("own/a.yaml", {"search": {"lr": FOLDER | {"path": "${SITE}"}}})) == "own/${SITE}"


def test_each_path_counts_from_the_file_that_said_it_last():
    for name in ("base", "own"):
        Path(name, "data").mkdir(parents=True)
    base = {"search": {"lr": [FOLDER], "area": "data"}, "models": {"b": {"train": {"start_from": "./data"}}}}
    own = {"search": {"lr": [FOLDER, FOLDER]}, "evaluate": {"external": {"x": "data"}}}
    merged = {**base, "search": {**base["search"], **own["search"]}, "evaluate": own["evaluate"], "run": "data"}
    found = from_working_directory(merged, [(Path("base"), base), (Path("own"), own)])
    assert [source["path"] for source in found["search"]["lr"]] == ["own/data", "own/data"]
    assert found["search"]["area"] == found["models"]["b"]["train"]["start_from"] == "base/data"
    assert found["evaluate"]["external"]["x"] == "own/data"
    assert found["run"] == "data"
    assert merged["search"]["area"] == "data"


def test_what_the_command_line_says_counts_from_the_working_directory():
    Path("own/data").mkdir(parents=True)
    found = from_working_directory({"acquire": {"dem": "data"}}, [(Path("own"), {"acquire": {"dem": "other"}})])
    assert found["acquire"]["dem"] == "data"


def test_a_model_beside_its_file_stays_a_path():
    Path("first").mkdir()
    file = written("own/a.yaml", {"train": {"start_from": "../first"}})
    assert read_settings(file)["train"]["start_from"] == "./first"


SMALL = {
    "search": {"lr": {"kind": "catalog", "href": "a"}, "hr": {"kind": "gaofen2", "path": "b"}},
    "train": {"steps": 5, "batch": 2},
}
SCENARIOS = {"few": {"train": {"steps": 3}}, "usual": None, "other": {"search": {"lr": FOLDER}}}


def several(name="all", scenarios=SCENARIOS):
    written("scenarios.yaml", scenarios)
    return runs(SMALL | {"run": {"name": name, "scenarios": "scenarios.yaml"}}, "own.yaml")


def test_one_run_is_itself():
    assert runs(SMALL | {"run": "a"}, "own.yaml") == {"a": SMALL | {"run": "a"}}


def test_each_scenario_is_the_configuration_with_its_own_keys_over_it():
    found = several()
    assert [*found] == ["few", "usual", "other"]
    assert found["few"] == SMALL | {"run": "few", "train": {"steps": 3, "batch": 2}}
    assert found["usual"] == SMALL | {"run": "usual"}
    assert found["other"]["search"]["lr"] == FOLDER  # of another kind: no key of the catalogue is left
    for name, settings in found.items():
        assert parse(settings).run == name


@pytest.mark.parametrize(("name", "expected"), [("few", ["few"]), (["usual", "few"], ["usual", "few"])])
def test_those_runs_are_taken_that_are_named(name, expected):
    assert [*several(name)] == expected


@pytest.mark.parametrize(
    ("name", "scenarios", "message"),
    [
        ("fewer", SCENARIOS, "own.yaml: run.name: 'fewer' is not one of the scenarios of scenarios.yaml: few, usual"),
        ("all", {}, "scenarios.yaml: has no scenario"),
        ("all", {"a": [1]}, "scenarios.yaml: a: must hold sections"),
        ("all", {"a": {"run": "b"}}, "scenarios.yaml: a.run: "),
        ("all", {"a": {"dask": {}}}, "scenarios.yaml: a.dask: is one for all runs"),
    ],
)
def test_scenarios_that_are_wrong_are_one_line(name, scenarios, message):
    with pytest.raises(UserError) as said:
        several(name, scenarios)
    assert str(said.value).startswith(message)


def test_an_unknown_key_of_run_is_named():
    with pytest.raises(
        UserError, match=r"^own\.yaml: run: scenario: unknown key; the nearest known one is 'scenarios'"
    ):
        runs(SMALL | {"run": {"name": "a", "scenario": "b"}}, "own.yaml")


def test_every_key_of_a_path_is_one_of_the_configuration():
    from crossres.settings.schema import schema

    text = yaml.safe_dump(schema())
    assert not [key for key in PATHS if key.split(".")[-1] not in {"*", "scenarios"} and key.split(".")[-1] not in text]
