"""The package as pip installs it: the workflow comes with it, and runs where no checkout is in reach.

The wheel is built from a copy of the project that is gone before anything runs, and installed into an environment of
its own. What it depends on is that of these tests, linked in; nothing of the project is.
"""

import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from project import ROOT, copy_project, write_small_config

pytestmark = pytest.mark.integration


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel, and an experiment's folder that the command line laid out."""

    environment: Path
    folder: Path

    @property
    def package(self) -> Path:
        return next(self.environment.glob("lib/python*/site-packages/crossres"))

    def crossres(self, *arguments: str, fails: bool = False) -> str:
        """Run the installed command in the experiment's folder; return what it said."""
        command = [self.environment / "bin" / "crossres", *arguments]
        variables = {"PATH": "/usr/bin:/bin", "COLUMNS": "200", "OMP_WAIT_POLICY": "PASSIVE"}
        done = subprocess.run(
            command, cwd=self.folder, env=variables, capture_output=True, text=True, timeout=2700, check=False
        )
        said = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, said[-6000:]
        return said


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Installed:
    base = tmp_path_factory.mktemp("installed")
    source = copy_project(base / "source").folder
    for name in ("README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", base / "dist", source], check=True)
    shutil.rmtree(source)
    [wheel] = (base / "dist").glob("*.whl")

    environment, folder = base / "environment", base / "folder"
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"
    subprocess.run([*pip, "--python", python, "install", "--no-deps", wheel], check=True)
    # As a path alone: the editable installation of the checkout that stands there is not followed.
    [packages] = environment.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    for path in packages.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    folder.mkdir()
    made = Installed(environment, folder)
    made.crossres("workflow", "new", ".")
    return made


def small(installed: Installed) -> None:
    """Make the laid-out experiment the smallest one."""

    class Folder:
        folder = installed.folder

    written = write_small_config(Folder, run="demo")
    shutil.move(installed.folder / written, installed.folder / "config" / "config.yaml")


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_the_wheel_has_all_files_of_the_workflow_and_of_the_package(installed):
    there = contents(installed.package)
    for part in ("Snakefile", "workflow", "config", "envs", "profiles"):
        files = contents(ROOT / part) if (ROOT / part).is_dir() else {"": (ROOT / part).read_bytes()}
        for name, content in files.items():
            assert there[f"_workflow/{part}/{name}".rstrip("/")] == content
    for name, content in contents(ROOT / "src" / "crossres").items():
        assert there[name] == content


def test_no_checkout_is_in_reach(installed):
    python = installed.environment / "bin" / "python"
    code = "import sys, crossres, snakemake_logger_plugin_lines as lines\n"
    code += "print(crossres.__file__, lines.__file__, *sys.path)"
    said = subprocess.run(
        [python, "-c", code], cwd=installed.folder, env={}, capture_output=True, text=True, check=True
    )
    found, lines, *path = said.stdout.split()
    assert Path(found).is_relative_to(installed.package)
    assert Path(lines).is_relative_to(installed.package.parent)
    assert str(ROOT) not in {str(Path(entry).resolve()) for entry in path}
    assert not [
        entry
        for entry in path
        if (Path(entry) / "crossres/__init__.py").exists() and entry != str(installed.package.parent)
    ]


def test_the_smallest_experiment_runs_to_its_report_and_leaves_the_installation_alone(installed):
    small(installed)
    before = contents(installed.package)
    said = installed.crossres("workflow", "run", "--cores", "2", "-n")
    assert "This was a dry-run" in said
    installed.crossres("workflow", "run", "--cores", "2")
    run = installed.folder / "results" / "demo"
    assert (run / "report.html").stat().st_size > 100_000
    assert yaml.safe_load((run / "config.yaml").read_text())["run"] == "demo"
    assert "Nothing to be done" in installed.crossres("workflow", "run", "--cores", "2", "-n")
    installed.crossres("workflow", "run", "--report", "report.zip")
    assert (installed.folder / "report.zip").stat().st_size > 100_000
    assert contents(installed.package) == before


def test_several_runs_are_planned_at_once_and_a_finished_one_is_left_alone(installed):
    """The run above was made alone: as one of several it is the same."""
    config = installed.folder / "config"
    (config / "both.yaml").write_text(yaml.safe_dump({"run": {"name": "all", "scenarios": "scenarios.yaml"}}))
    (config / "scenarios.yaml").write_text(yaml.safe_dump({"demo": None, "other": {"train": {"steps": 10}}}))
    options = ("-n", "--quiet", "rules", "--configfile", "config/config.yaml", "config/both.yaml")
    said = installed.crossres("workflow", "run", *options)
    planned = dict(re.findall(r"^(\S+) +(\d+)$", said, re.MULTILINE))
    assert {"other_simulate", "other_search", "other_train", "other_report"} <= planned.keys()
    assert planned["other_simulate"] == "3"
    assert not [rule for rule in planned if rule.startswith("demo_")]


def test_from_another_folder_paths_count_from_their_file(installed, tmp_path):
    """`-d` names where results go; the configuration, its paths and the default profile are found all the same."""
    (installed.folder / "config" / "own_data").mkdir(exist_ok=True)
    sensor = {"bands": ["red"], "datetime": "2020-05-01T00:00:00Z"}
    source = {"kind": "folder", "path": "own_data", "sensor": sensor}
    content = {"run": "own", "search": {"lr": source, "hr": source, "area": [10, 50, 11, 51]}}
    file = installed.folder / "config" / "own.yaml"
    file.write_text(yaml.safe_dump(content | {"grid": {"gsd_m": 5, "bands": ["red"]}}))
    options = ("-n", "-p", "-d", str(tmp_path / "there"), "--configfile", "config/own.yaml")
    said = installed.crossres("workflow", "run", *options)
    assert f"crossres catalog folder {file.parent}/own_data --run results/own" in said
    assert not (installed.folder / "results" / "own").exists()


def test_without_a_configuration_one_line_says_what_to_do(installed, tmp_path):
    said = installed.crossres("workflow", "run", "-n", "-d", str(tmp_path), fails=True)
    assert "config/config.yaml: no such file" in said
    assert "crossres workflow new DIR" in said.replace("\n", " ")


def test_a_rule_that_fails_is_named_with_its_log(installed):
    source = {"kind": "stac-api", "url": "http://127.0.0.1:9", "collections": ["none"]}
    content = {"run": "failing", "search": {"lr": source, "hr": source, "area": [10, 50, 11, 51]}}
    (installed.folder / "config" / "failing.yaml").write_text(yaml.safe_dump(content))
    options = ("--cores", "2", "--configfile", "config/failing.yaml")
    said = installed.crossres("workflow", "run", *options, fails=True)
    assert "search failed; it says why in results/failing/logs/search.log" in said


def test_the_environments_of_conda_are_found(installed):
    """No conda is here: Snakemake says so, behind all that this workflow has to say of environments."""
    said = installed.crossres("workflow", "run", "-n", "--use-conda", fails=True)
    assert "conda" in said
    assert "clone the repository" not in said
    assert (installed.folder / ".snakemake/crossres/code/crossres").resolve() == installed.package.resolve()


def test_what_is_declared_is_what_is_installed_here(installed):
    """Every dependency of the package is one that these tests run on, at a version that it allows."""
    [metadata] = installed.package.parent.glob("crossres-*.dist-info/METADATA")
    named = [
        line.partition(": ")[2] for line in metadata.read_text().splitlines() if line.startswith("Requires-Dist: ")
    ]
    needed = [Requirement(text) for text in named if "extra ==" not in text]
    assert needed
    assert not [str(one) for one in needed if not one.specifier.contains(distribution(one.name).version)]
