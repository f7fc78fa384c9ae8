"""The runs that several tests look at."""

import os
from pathlib import Path

import pytest
from project import Project, copy_project, digests, write_small_config


@pytest.fixture(scope="session")
def default_run(tmp_path_factory) -> Project:
    """The embedded default, run once from its search to its report."""
    project = copy_project(tmp_path_factory.mktemp("default"))
    project.run()
    return project


@pytest.fixture(scope="session")
def small_digests(tmp_path_factory) -> dict[str, str]:
    """What the smallest experiment that runs every rule gives, undisturbed and on this machine."""
    project = copy_project(tmp_path_factory.mktemp("small"))
    project.run("--configfile", write_small_config(project))
    return digests(project)


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = os.environ.get("CROSSRES_REAL_DATA")
    if not folder:
        pytest.skip("CROSSRES_REAL_DATA is not set: no real imagery to run on")
    return Path(folder).resolve()
