"""Snakemake's conda path: environments are solved, installed and activated, and the stages run in them and give
the same bytes.

With the real conda where it is on PATH. Elsewhere with a channel of this machine and a stand-in for conda: see
local_conda.py for what that shows and what it does not.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from local_conda import CHANNEL, install_stand_in, make_channel
from project import ROOT as PROJECT
from project import Project

from crossres.code_version import ROOT, command_sources
from crossres.settings.stages import COMMANDS

pytestmark = pytest.mark.integration

CONFIG = ("--configfile", "config/small.yaml")


@pytest.fixture(scope="module")
def project(small_run, tmp_path_factory) -> Project:
    folder = tmp_path_factory.mktemp("conda") / "project"
    shutil.copytree(small_run.folder, folder, symlinks=True)
    return Project(folder)


@pytest.fixture(scope="module")
def variables(project) -> dict[str, str]:
    """The environment of a user who has conda, and no Python of this project on PATH."""
    if shutil.which("conda"):
        return {}
    channel = project.folder.parent / "channel"
    files = [yaml.safe_load(path.read_text())["dependencies"] for path in (project.folder / "envs").glob("*.yaml")]
    make_channel(channel, {entry.partition("=")[0] for entries in files for entry in entries})
    binaries = install_stand_in(Path(f"{channel}-conda"))
    return {CHANNEL: str(channel), "PATH": f"{binaries}:/usr/bin:/bin"}


@pytest.fixture(scope="module")
def targets(project) -> list[Path]:
    """One result of each environment, small ones, taken away."""
    run = Path("results/small")
    [pair] = json.loads((project.folder / run / "pairs" / "summary.json").read_text())["splits"]["test"]
    lr = json.loads((project.folder / run / "items" / "pairs" / f"{pair}.json").read_text())["lr"]
    return [
        run / "config.yaml", run / "scenes" / lr, run / "sr" / pair / "bicubic", run / "evaluation" / "summary.json",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def ran(project, variables, targets) -> dict[Path, bytes]:
    """What stood in these results before they were made again with conda."""
    before = {}
    for path in targets:
        whole = project.folder / path
        found = whole.rglob("*") if whole.is_dir() else [whole]
        files = [file for file in found if file.is_file() and file.name != ".snakemake_timestamp"]
        before |= {file: file.read_bytes() for file in files}
        shutil.rmtree(whole) if whole.is_dir() else whole.unlink()
    # One after the other, and by missing outputs alone: a scene that is made again would bring all behind it.
    scene = [path for path in targets if "scenes" in path.parts]
    for wanted in (scene, [path for path in targets if path not in scene]):
        done = project.snakemake(
            *map(str, wanted), "--use-conda", "--rerun-triggers", "input", *CONFIG, environment=variables
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return before


def environments(project: Project) -> dict[str, Path]:
    """Return the folder of each environment that Snakemake made, by the environment's name."""
    made = (project.folder / ".snakemake" / "conda").glob("*.yaml")
    return {yaml.safe_load(path.read_text())["name"]: path.with_suffix("") for path in made}


def test_stages_that_run_in_conda_environments_give_the_same_bytes(project, ran):
    assert {"crossres-acquire", "crossres-geo", "crossres-torch", "crossres-evaluate"} == set(environments(project))
    assert any(file.suffix == ".tif" for file in ran)
    assert [file for file, content in ran.items() if file.read_bytes() != content] == []


def test_the_stages_ran_in_the_environments_and_not_beside_them(project, variables):
    """Without the environments on PATH there is no Python that has the packages."""
    if not variables:
        pytest.skip("the real conda is used: its base environment may have the packages")
    found = subprocess.run(
        ["bash", "-c", "python3 -c 'import rasterio'"],
        env={"PATH": variables["PATH"]},
        capture_output=True,
        check=False,
    )
    assert found.returncode != 0


def test_an_environment_that_cannot_be_made_says_why(project, variables, tmp_path):
    if not variables:
        pytest.skip("the real conda is used: what it says is its own")
    done = project.snakemake(
        "--use-conda", "--conda-create-envs-only", "--conda-prefix", str(tmp_path / "made"), "--forceall", *CONFIG,
        environment=variables | {CHANNEL: str(tmp_path / "channel")},
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode != 0
    output = said.partition("\nOutput:\n")[2]
    assert f"{tmp_path / 'channel'}" in output, said[-3000:]
    assert "the stand-in for conda ended with status 1" in output


@pytest.mark.parametrize("environment", ["acquire", "geo", "torch", "evaluate"])
def test_an_environment_has_all_that_its_stages_import_and_nothing_from_elsewhere(project, ran, environment):
    text = "".join(path.read_text() for path in (project.folder / "workflow" / "rules").glob("*.smk"))
    assert f"{environment}.yaml" in text
    prefix = environments(project)[f"crossres-{environment}"]
    rules = {"acquire": ["catalog", "search", "download", "external", "prepare"],
             "torch": ["train", "distill_model", "sample"],
             "evaluate": ["align", "evaluate", "summarise", "claim", "figures", "report"]}  # fmt: skip
    rules["geo"] = [rule for rule in COMMANDS if not any(rule in others for others in rules.values())]
    modules = {
        path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
        for rule in rules[environment]
        for path in command_sources(COMMANDS[rule])
    }
    program = f"import {', '.join(sorted(modules))}, crossres.cli, sys; print(sys.prefix)"
    done = subprocess.run(
        [prefix / "bin" / "python", "-c", program], env={"PYTHONPATH": str(ROOT), "PATH": os.defpath},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).resolve() == prefix.resolve()


def test_a_lock_has_every_package_that_an_environment_comes_to(project, variables, tmp_path):
    if not variables:
        pytest.skip("the real conda is used: there is no channel of this machine")
    command = [sys.executable, PROJECT / "envs" / "lock.py", "--channel", f"file://{variables[CHANNEL]}"]
    subprocess.run([*command, "--output", tmp_path], check=True, capture_output=True)
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{name}.linux-64.pin.txt" for name in ("acquire", "geo", "torch", "evaluate")
    }
    for path in tmp_path.iterdir():
        lines = path.read_text().splitlines()
        urls = lines[lines.index("@EXPLICIT") + 1 :]
        assert all(re.fullmatch(r"file:///.*/noarch/[\w.+%-]+\.conda#[0-9a-f]{32}", url) for url in urls)
        named = yaml.safe_load((PROJECT / "envs" / f"{path.name.partition('.')[0]}.yaml").read_text())["dependencies"]
        locked = {url.rpartition("/")[2].rsplit("-", 2)[0]: url.rpartition("/")[2].rsplit("-", 2)[1] for url in urls}
        installed = {name for entry in named if (name := entry.partition("=")[0]) in locked}
        assert {"python", "rasterio", "numpy"} <= installed
        assert len(locked) > len(installed)
        assert locked["rasterio"] == dict(entry.split("=") for entry in named if "=" in entry)["rasterio"]
