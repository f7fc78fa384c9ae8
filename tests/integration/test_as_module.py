"""The workflow as a module of another workflow, in another folder, as Snakemake's catalogue and snakedeploy use it."""

import shutil
import subprocess

import pytest
import yaml
from project import ROOT, Project, copy_project

pytestmark = pytest.mark.integration

OUTER = """
configfile: "outer.yaml"


module crossres:
    snakefile:
        config["folder"] + "/Snakefile"
    config:
        config["crossres"]


use rule * from crossres as crossres_*


rule count_settings:
    default_target: True
    input:
        rules.crossres_resolved_config.output,
    output:
        "settings.txt",
    shell:
        "wc -l < {input} > {output}"
"""


@pytest.fixture(scope="module")
def outer(small_run, tmp_path_factory):
    """Another workflow's folder, and the variables under which this workflow's own copy is the installed package."""
    copy = copy_project(tmp_path_factory.mktemp("module") / "crossres")
    folder = copy.folder.parent / "outer"
    folder.mkdir()
    settings = yaml.safe_load((small_run.folder / "config" / "small.yaml").read_text())
    (folder / "Snakefile").write_text(OUTER)
    (folder / "outer.yaml").write_text(yaml.safe_dump({"folder": str(copy.folder), "crossres": settings}))
    return Project(folder), {"PYTHONPATH": str(copy.folder / "src")}


def said_by(outer, *arguments):
    project, variables = outer
    done = project.snakemake(*arguments, environment=variables)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout + done.stderr


def test_a_rule_of_the_module_runs_for_another_workflow(outer):
    said_by(outer)
    folder = outer[0].folder
    written = (folder / "results" / "small" / "config.yaml").read_text()
    assert yaml.safe_load(written)["run"] == "small"
    assert int((folder / "settings.txt").read_text()) == len(written.splitlines())


def test_all_rules_are_planned_under_the_module_s_prefix(outer):
    said = said_by(outer, "--dry-run", "crossres_all")
    for rule in ("simulate", "search", "train", "report"):
        assert f"crossres_{rule} " in said


def test_the_checkpoints_of_a_finished_run_are_seen(outer, small_run):
    """Snakemake knows nothing of how these results were made; it finds all of them, behind both checkpoints."""
    results = outer[0].folder / "results"
    shutil.rmtree(results, ignore_errors=True)
    shutil.copytree(small_run.folder / "results", results, symlinks=True)
    assert "Nothing to be done" in said_by(outer, "--dry-run", "crossres_all")


@pytest.fixture(scope="module")
def prefixed(outer):
    """The same with `prefix:`, and results of the workflow below it."""
    project, variables = outer
    folder = project.folder.parent / "prefixed"
    folder.mkdir()
    text = OUTER.replace("    config:\n", '    prefix:\n        "sr"\n    config:\n', 1)
    (folder / "Snakefile").write_text(text)
    shutil.copy(project.folder / "outer.yaml", folder)
    return Project(folder), variables


def test_results_are_below_the_prefix_of_a_module(prefixed, small_run):
    """What runs finds the results of what ran before, and the checkpoints' too, below the prefix."""
    folder = prefixed[0].folder
    shutil.copytree(small_run.folder / "results", folder / "sr" / "results", symlinks=True)
    assert "Nothing to be done" in said_by(prefixed, "--dry-run", "crossres_all", "--rerun-triggers", "input")
    run = folder / "sr/results/small"
    for name in ("pairs/summary.json", "evaluation/summary.json"):
        (run / name).unlink()
        said_by(prefixed, f"sr/results/small/{name}", "--rerun-triggers", "input")
        assert (run / name).read_bytes() == (small_run.folder / "results/small" / name).read_bytes()
    assert not (folder / "results").exists()


# What `snakedeploy deploy-workflow https://github.com/owner/crossres . --tag v0` writes (snakedeploy 0.17.1), beside
# copies of config/ and profiles/.
DEPLOYED = """
from snakemake.utils import min_version


min_version("6.10.0")


configfile: "config/config.yaml"


# declare https://github.com/owner/crossres as a module
module crossres:
    snakefile:
        github("owner/crossres", path="Snakefile", tag="v0")
    config:
        config


# use all rules from https://github.com/owner/crossres
use rule * from crossres
"""


@pytest.fixture(scope="module")
def deployed(tmp_path_factory):
    """A folder as snakedeploy makes it, and variables under which Snakemake has already fetched the repository."""
    base = tmp_path_factory.mktemp("deployed")
    repository = copy_project(base / "repository").folder
    who = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "all"], ["tag", "v0"]):
        subprocess.run(["git", *command], cwd=repository, check=True)
    fetched = base / "cache/snakemake/snakemake/source-cache/snakemake-git-cache/github.com/owner/crossres"
    subprocess.run(["git", "clone", "-q", "--bare", repository, fetched], check=True)
    folder = base / "folder"
    for part in ("config", "profiles"):
        shutil.copytree(repository / part, folder / part)
    (folder / "workflow").mkdir()
    (folder / "workflow" / "Snakefile").write_text(DEPLOYED)
    return Project(folder), {"XDG_CACHE_HOME": str(base / "cache"), "PYTHONPATH": str(ROOT / "src")}


def test_what_snakedeploy_writes_plans_the_whole_and_runs_with_the_installed_package(deployed):
    planned = said_by(deployed, "--dry-run", "--quiet", "rules")
    for rule in ("simulate", "search", "train", "report"):
        assert f"\n{rule} " in planned
    said_by(deployed, "results/demo/config.yaml")
    assert yaml.safe_load((deployed[0].folder / "results/demo/config.yaml").read_text())["run"] == "demo"


def test_what_snakedeploy_writes_says_that_conda_needs_a_clone(deployed):
    project, variables = deployed
    done = project.snakemake("--dry-run", "--use-conda", environment=variables)
    assert done.returncode != 0
    assert "clone the repository and name its Snakefile" in (done.stdout + done.stderr).replace("\n", " ")
