"""`crossres workflow`: an experiment's folder is laid out whole or not at all; what follows `run` is Snakemake's."""

import os
import sys
from pathlib import Path

import pytest

from crossres import cli, workflow
from crossres.settings.config import load

EXPERIMENTS = sorted(path.stem for path in (workflow.folder() / "config").glob("*.yaml"))


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


@pytest.mark.parametrize("like", EXPERIMENTS)
def test_each_experiment_is_laid_out_with_all_that_it_names(tmp_path, like):
    cli.main(["workflow", "new", str(tmp_path / "own"), "--like", like])
    text = (tmp_path / "own/config/config.yaml").read_text()
    assert load(tmp_path / "own/config/config.yaml") == load(workflow.folder() / f"config/{like}.yaml")
    assert {"README.md", "config/config.yaml", "profiles/slurm/profile.yaml"} <= {*files(tmp_path / "own")}
    assert "snakemake --" not in text
    assert "config/naip_places.geojson" in files(tmp_path / "own") or like != "naip"


def test_nothing_of_the_user_is_replaced_and_nothing_is_left_half_done(tmp_path, capsys):
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(SystemExit):
        cli.main(["workflow", "new", str(tmp_path)])
    assert "README.md: is there already" in capsys.readouterr().err
    assert files(tmp_path) == ["README.md"]
    assert (tmp_path / "README.md").read_text() == "mine"


def test_a_folder_with_other_files_is_taken(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    cli.main(["workflow", "new", str(tmp_path)])
    assert "notes.txt" in files(tmp_path)


def test_an_experiment_that_is_not_there_is_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit):
        cli.main(["workflow", "new", str(tmp_path), "--like", "../folder"])
    assert "--like ../folder: no such experiment; name one of chips, claim, config" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options", [["--cores", "2", "-n"], ["--help"], ["results/a/items", "--config", "a=1", "--", "b"]]
)
def test_all_that_follows_run_is_given_to_snakemake(monkeypatch, options):
    class Became(BaseException):
        pass

    def execv(path, arguments):
        raise Became(path, arguments)

    monkeypatch.setattr(os, "execv", execv)
    with pytest.raises(Became) as became:
        cli.main(["workflow", "run", *options])
    snakefile = str(workflow.folder() / "Snakefile")
    assert became.value.args == (
        sys.executable,
        [sys.executable, "-m", "snakemake", "--snakefile", snakefile, *options],
    )


def test_failed_jobs_are_named_with_their_logs(tmp_path):
    text = """Error in rule train:
    message: None
    jobid: 1
    log: results/a/logs/my train.log (check log file(s) for error details)
    shell:
        exit 1
        (command exited with non-zero exit code)

Error in rule train:
    log: results/a/logs/my train.log (check log file(s) for error details)
Error in rule report:
    jobid: 2
"""
    (tmp_path / "a.log").write_text(text)
    found = workflow.failed_jobs([str(tmp_path / "a.log")])
    assert found == ["train failed; it says why in results/a/logs/my train.log", "report failed"]
