"""A run in folds, through the workflow: one model a fold, each place judged once, one table and report of all."""

import json
import shutil

import pandas as pd
import pytest
from project import Project, write_small_config

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def project(small_run, tmp_path_factory) -> Project:
    folder = tmp_path_factory.mktemp("folds") / "project"
    shutil.copytree(small_run.folder, folder, symlinks=True)
    return Project(folder)


def test_every_place_is_judged_once_by_the_model_that_has_not_seen_it(project):
    config = write_small_config(project, dataset={"folds": 3, "val_share": 0.3})
    project.run("--configfile", config)
    run = project.folder / "results" / "small"
    summary = json.loads((run / "pairs" / "summary.json").read_text())
    pairs = sorted(path.stem for path in (run / "items" / "pairs").glob("*.json"))
    assert summary["splits"]["test"] == pairs and [len(fold) for fold in summary["folds"]] == [1, 1, 1]
    for number, tested in enumerate(summary["folds"]):
        fold = run / "model" / "main" / f"fold-{number}"
        index = pd.read_parquet(run / "pairs" / "folds" / f"fold-{number}" / "index.parquet")
        assert set(index.loc[index["split"] == "train", "pair"]).isdisjoint(tested)
        weights = json.loads((run / "sr" / tested[0] / "lr_start" / "item.json").read_text())
        card = json.loads((fold / "card.json").read_text())
        assert card["weights_sha256"] in json.dumps(weights), "drawn from the fold's own model"
    table = pd.read_parquet(run / "evaluation" / "summary.parquet")
    assert sorted(table["scene"].unique()) == pairs
    page = (run / "report.html").read_text()
    assert "each judged by the one of 3 models that had not seen it" in page and ", fold 2" in page
    again = project.snakemake("--dry-run", "--configfile", config)
    assert "Nothing to be done" in again.stdout + again.stderr
    assert (run / "benchmarks" / "train" / "main" / "fold-2.tsv").exists()


def test_a_scene_whose_blocks_lie_in_several_folds_is_judged_in_each(project):
    config = write_small_config(
        project,
        patches={"lr_px": 16},
        dataset={"split": "block", "block_m": 560, "gap_m": 60.0, "folds": 3},
        sample={"arms": {"lr_start": {"samples": 2}, "bicubic": {"start": "bicubic", "samples": 1}}},
    )
    project.run("--configfile", config)
    run = project.folder / "results" / "small"
    scenes = json.loads((run / "pairs" / "summary.json").read_text())["splits"]["test"]
    assert len(scenes) > 3 and {name.rpartition(".")[2] for name in scenes} == {"fold-0", "fold-1", "fold-2"}
    assert sorted(pd.read_parquet(run / "evaluation" / "summary.parquet")["scene"].unique()) == scenes
