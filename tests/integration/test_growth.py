"""A run that grows: one more place runs one more chain, and the dataset's assembly, and nothing else.

In the end it has the bytes of a run that had all places from the start, wherever the two stand and however many cores
they had: a run from scratch and a run in steps are the same.
"""

import re

import pytest
from project import copy_project, digests, write_small_config

pytestmark = pytest.mark.integration

WITHOUT_ONE_PLACE = [113.0, 33.0, 117.0, 37.0]
"""West, south, east and north around two of the three places."""
PER_PAIR = ("Register", "Normalise the radiometry of", "Cut patch pairs from")
"""How the messages of the rules begin that run once a pair."""


def search(area: list[float]) -> dict:
    return {"lr": {"kind": "catalog", "href": "{run}/world/catalog.json"},
            "hr": {"kind": "gaofen2", "path": "{run}/world/places"}, "area": area}  # fmt: skip


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """A project, and what two runs in it said: the search of the first leaves out a place, the second has them all."""
    project = copy_project(tmp_path_factory.mktemp("grown") / "elsewhere" / "deeper")
    first = write_small_config(project, search=search(WITHOUT_ONE_PLACE))
    said = [project.run("--configfile", first, "--until", "dataset", cores=1)]
    said.append(project.run("--configfile", write_small_config(project), cores=1))
    return project, said


def jobs(said: str, message: str) -> int:
    return len(re.findall(rf"^\d\d:\d\d:\d\d \d+/\d+ {message}", said, re.M))


def test_one_more_place_runs_one_more_chain(grown):
    _, said = grown
    for message in PER_PAIR:
        assert [jobs(text, message) for text in said] == [2, 1], message
    assert [jobs(text, "Assemble the patch dataset") for text in said] == [1, 1]


def test_it_has_the_bytes_of_a_run_from_scratch(grown, small_digests):
    project, _ = grown
    again = digests(project)
    kinds = {path.rpartition(".")[2] for path in small_digests}
    assert {"tif", "parquet", "json", "zip", "safetensors", "html", "png"} <= kinds
    assert again.keys() == small_digests.keys()
    assert [path for path in again if again[path] != small_digests[path]] == []
