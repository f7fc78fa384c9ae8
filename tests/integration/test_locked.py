"""A run from a lock file: known before anything runs, and the same bytes without asking any catalogue."""

import json
import shutil

import pytest
from project import copy_project, write_config

from crossres.acquire.lock.lock_run import lock_run

pytestmark = pytest.mark.integration

SEARCH = {
    "lr": {"kind": "catalog", "href": "{run}/world/catalog.json"},
    "hr": {"kind": "gaofen2", "path": "{run}/world/places"},
    "lock": "demo.lock.json",
}


@pytest.fixture(scope="module")
def locked(default_run, tmp_path_factory):
    """A project that has the default's world but not its catalogue, and a lock file of the default's run."""
    project = copy_project(tmp_path_factory.mktemp("locked"))
    world = project.folder / "results" / "demo" / "world"
    shutil.copytree(default_run.folder / "results" / "demo" / "world", world)
    (world / "catalog.json").unlink()
    lock_run(default_run.folder / "results" / "demo", project.folder / "demo.lock.json")
    config = write_config(project, "locked.yaml", search=SEARCH)
    return project, ("--configfile", config)


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file() and p.suffix}


def test_every_job_of_a_pair_is_planned_before_anything_has_run(default_run, locked):
    project, config = locked
    pairs = list((default_run.folder / "results/demo/items/pairs").glob("*.json"))
    scenes = list((default_run.folder / "results/demo/items/scenes").glob("*.json"))
    planned = project.planned(*config)
    assert planned["search"] == 1
    assert "catalog" not in planned
    assert planned["coregister"] == planned["normalise"] == planned["patches"] == len(pairs)
    assert planned["download"] == len(scenes)


def test_items_and_scenes_are_those_of_the_run_that_was_locked(default_run, locked):
    project, config = locked
    pair = json.loads(min((default_run.folder / "results/demo/items/pairs").glob("*.json")).read_text())
    scenes = [f"results/demo/scenes/{pair[role]}" for role in ("lr", "hr")]
    project.run(*scenes, *config)
    for part in ("results/demo/items", *scenes):
        assert files(project.folder / part) == files(default_run.folder / part)
    assert not (project.folder / "results/demo/catalogs").exists()


def test_a_changed_source_stops_the_run_with_one_line(default_run, locked):
    project, config = locked
    pair = json.loads(max((default_run.folder / "results/demo/items/pairs").glob("*.json")).read_text())
    lock = json.loads((project.folder / "demo.lock.json").read_text())
    name = next(href for href in lock["scenes"][pair["lr"]]["assets"] if href.endswith(".tif"))
    asset = project.folder / name.replace("{run}", "results/demo")
    with asset.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x00")
    done = project.snakemake(f"results/demo/scenes/{pair['lr']}", *config)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    [line] = {line for line in said.splitlines() if "is not what demo.lock.json holds" in line}
    assert pair["lr"] in line
    assert not (project.folder / "results/demo/scenes" / pair["lr"]).exists()
