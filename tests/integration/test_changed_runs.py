"""Settings of any size reach a job, and who plans a run again reads by name what has changed."""

import re

import pytest
from project import copy_project, write_config

from crossres.settings.config import load

pytestmark = pytest.mark.integration

PLACES = 6000
"""So many lines have more characters than Linux lets one argument of a command have (128 KiB)."""


def large(project, **sections):
    assign = {f"a place of number {number:05}*": "train" for number in range(PLACES)}
    return write_config(project, "large.yaml", run="large", dataset={"assign": assign}, **sections)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A run of many thousand lines whose settings are written down."""
    project = copy_project(tmp_path_factory.mktemp("large") / "clone")
    project.run("results/large/config.yaml", "--configfile", large(project))
    return project


def test_a_configuration_that_is_longer_than_an_argument_may_be_reaches_a_job(project):
    written = project.folder / "results" / "large" / "config.yaml"
    assert written.stat().st_size > 2**17
    assert load(written).dataset == load(project.folder / "config" / "large.yaml").dataset


def test_a_plan_says_once_and_in_short_lines_what_changed_and_why_a_rule_runs_again(project):
    config = large(project, train={"steps": 500})
    said = project.run("results/large/config.yaml", "--dry-run", "--configfile", config)
    assert said.count("Changed since results/large was made:\n  train.steps: 1200 -> 500\n") == 1
    assert "resolved_config" in said
    assert max(map(len, said.splitlines())) < 300
    assert re.search(r"before: '\.snakemake/crossres/resolved_config-\w+\.json' now: '", said)
    again = project.run("results/large/config.yaml", "--configfile", config)
    assert again.count("train.steps: 1200 -> 500") == 1
    assert "Changed since" not in project.run("results/large/config.yaml", "--dry-run", "--configfile", config)
