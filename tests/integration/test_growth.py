"""A run that grows: one more place runs one more chain, and a dataset too large for memory trains the same weights."""

import re

import pytest
from project import copy_project, write_small_config

pytestmark = pytest.mark.integration

WITHOUT_ONE_PLACE = [113.0, 33.0, 117.0, 37.0]
"""West, south, east and north around two of the three places."""
PER_PAIR = ("coregister", "normalise", "patches")


def search(area: list[float] | None) -> dict:
    source = {"lr": {"kind": "catalog", "href": "{run}/world/catalog.json"},
              "hr": {"kind": "gaofen2", "path": "{run}/world/places"}}  # fmt: skip
    return source | {"area": area}


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """A project whose search first leaves out a place and then does not; and what either run said."""
    project = copy_project(tmp_path_factory.mktemp("grown"))
    said = []
    for area in (WITHOUT_ONE_PLACE, None):
        config = write_small_config(project, search=search(area))
        said.append(project.run("--configfile", config, "--until", "dataset"))
    return project, config, said


def jobs(said: str, rule: str) -> int:
    return len(re.findall(rf"^(?:rule|checkpoint|localrule|localcheckpoint) {rule}:", said, re.M))


def test_one_more_place_runs_one_more_chain(grown):
    _, _, said = grown
    for rule in PER_PAIR:
        assert [jobs(text, rule) for text in said] == [2, 1], rule
    assert [jobs(text, "dataset") for text in said] == [1, 1]


def test_a_dataset_too_large_for_memory_trains_the_same_weights_through_the_cache(grown):
    project, config, _ = grown
    weights = project.folder / "results" / "small" / "model" / "model.safetensors"
    found = []
    for limit in ("2**31", "1"):
        path = project.folder / "src" / "crossres" / "settings" / "train.py"
        path.write_text(path.read_text().replace("IN_MEMORY_BYTES = 2**31", f"IN_MEMORY_BYTES = {limit}"))
        said = project.run("--configfile", config, "--until", "train")
        assert jobs(said, "train") == 1 and jobs(said, "cache") == (limit == "1")
        found.append(weights.read_bytes())
    assert found[0] == found[1]
