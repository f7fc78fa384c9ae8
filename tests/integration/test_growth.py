"""A run that grows: one more place runs one more chain, and the dataset's assembly, and nothing else."""

import re

import pytest
from project import copy_project, write_small_config

pytestmark = pytest.mark.integration

WITHOUT_ONE_PLACE = [113.0, 33.0, 117.0, 37.0]
"""West, south, east and north around two of the three places."""
PER_PAIR = ("Register", "Normalise the radiometry of", "Cut patch pairs from")
"""How the messages of the rules begin that run once a pair."""


def search(area: list[float] | None) -> dict:
    source = {"lr": {"kind": "catalog", "href": "{run}/world/catalog.json"},
              "hr": {"kind": "gaofen2", "path": "{run}/world/places"}}  # fmt: skip
    return source | {"area": area}


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """What two runs said: the search of the first leaves out a place."""
    project = copy_project(tmp_path_factory.mktemp("grown"))
    said = []
    for area in (WITHOUT_ONE_PLACE, None):
        config = write_small_config(project, search=search(area))
        said.append(project.run("--configfile", config, "--until", "dataset"))
    return said


def jobs(said: str, message: str) -> int:
    return len(re.findall(rf"^Job \d+: {message}", said, re.M))


def test_one_more_place_runs_one_more_chain(grown):
    for message in PER_PAIR:
        assert [jobs(text, message) for text in grown] == [2, 1], message
    assert [jobs(text, "Assemble the patch dataset") for text in grown] == [1, 1]
