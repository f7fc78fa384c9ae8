"""The runs that several tests look at, each made once, whichever process of the tests asks first."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from project import Project, copy_project, digests, write_small_config


@pytest.fixture(scope="session")
def default_run(tmp_path_factory) -> Project:
    """The embedded default, run once from its search to its report, as `make demo` does."""
    return made_once(tmp_path_factory, "default", lambda made: made.run())


@pytest.fixture(scope="session")
def small_run(tmp_path_factory) -> Project:
    """The smallest experiment that runs every rule, run once and undisturbed; tests that change anything copy it."""
    return made_once(tmp_path_factory, "small", lambda made: made.run("--configfile", write_small_config(made)))


@pytest.fixture(scope="session")
def small_digests(small_run) -> dict[str, str]:
    """What that run gave on this machine."""
    return digests(small_run)


def made_once(tmp_path_factory, name: str, make: Callable[[Project], object]) -> Project:
    """Return a copy of the project in which something was made, by this process or by another of the same tests."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    finished = shared / f"{name}.json"
    with FileLock(shared / f"{name}.lock"):
        if finished.exists():
            return Project(Path(json.loads(finished.read_text())))
        project = copy_project(tmp_path_factory.mktemp(name))
        make(project)
        finished.write_text(json.dumps(str(project.folder)))
        return project
