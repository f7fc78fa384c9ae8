"""The workflow as a module of another workflow, in another folder, as Snakemake's catalogue and snakedeploy use it."""

import shutil

import pytest
import yaml
from project import Project, copy_project

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
