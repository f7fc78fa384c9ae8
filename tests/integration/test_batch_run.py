"""Many pairs in few jobs: what a batch holds is what the single rules write, and a damaged pair ends nothing."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml
from project import Project, copy_project, digests, write_small_config

import crossres
from crossres.layout import RunFolder

pytestmark = pytest.mark.integration

OTHERWISE = {"config.yaml", "report.html", "item.json"}
"""Which name the key, or where the files stand that an item links to."""


def in_batches(project: Project, config: str, size: int) -> None:
    path = project.folder / config
    content = yaml.safe_load(path.read_text())
    content["search"]["pairs_per_job"] = size
    path.write_text(yaml.safe_dump(content))


def alone(name: str) -> str:
    """Return where a file of a batch stands in a run without batches."""
    parts = name.split("/")
    if parts[0] == "batches":
        parts = ["pairs", *parts[2:]] if parts[2] == "patches" else parts[2:]
    elif parts[0] == "sr" and parts[1].startswith("batch-"):
        kind = next(i for i, part in enumerate(parts) if part in {"model", "one_step", "external"})
        parts = ["sr", *parts[kind + 2 :]]
    elif parts[:2] == ["evaluation", "scenes"]:
        parts = [*parts[:2], *parts[3:]]
    return "/".join(parts)


def differing(one: dict[str, str], batched: dict[str, str]) -> set[str]:
    found = {alone(name): digest for name, digest in batched.items()}
    assert found.keys() == one.keys() and len(found) == len(batched)
    return {name.rpartition("/")[2] for name, digest in one.items() if found[name] != digest}


def test_a_run_in_batches_gives_what_one_pair_at_a_time_gives(small_digests, tmp_path):
    project = copy_project(tmp_path / "project")
    config = write_small_config(project)
    in_batches(project, config, 2)
    project.run("--configfile", config)
    run = project.folder / "results" / "small"
    assert sorted(folder.name for folder in (run / "batches").iterdir()) == ["batch-0000", "batch-0001"]
    assert not (run / "aligned").exists() and not (run / "scenes").exists()
    pairs = sorted(path.stem for path in (run / "items" / "pairs").glob("*.json"))
    assert differing(small_digests, digests(project)) <= OTHERWISE
    assert len(pairs) == 3
    page = (run / "report.html").read_text()
    assert all(pair in page for pair in pairs)
    again = project.snakemake("--dry-run", "--configfile", config)
    assert "Nothing to be done" in again.stdout + again.stderr
    jobs = list((run / "benchmarks").rglob("*.tsv"))
    assert {path.relative_to(run / "benchmarks").parts[0] for path in jobs} >= {"prepare", "sample", "evaluate"}
    assert not (run / "benchmarks" / "coregister").exists()
    assert len(list((run / "benchmarks" / "sample").rglob("*.tsv"))) == 1
    assert len(pd.read_parquet(run / "pairs" / "index.parquet")) > 0
    summary = json.loads((run / "pairs" / "summary.json").read_text())
    assert summary["declined"] == []
    [pair] = summary["splits"]["test"]
    assert set(crossres.open_run(run)[f"sr/{pair}"].children) == {"lr_start", "noise_start", "bicubic"}
    item = RunFolder(run).sr(pair, "lr_start") / "item.json"
    links = [link["href"] for link in json.loads(item.read_text())["links"] if "://" not in link["href"]]
    assert len(links) >= 2 and all((item.parent / href).exists() for href in links)


def test_parts_of_pairs_one_step_models_and_results_of_others_stand_in_batches_too(small_run, tmp_path):
    """Folds share the ground of each pair, so that every pair is in both, and the other result is of the whole pair."""
    whole = yaml.safe_load((small_run.folder / "config" / "small.yaml").read_text())
    arms = {
        "lr_start": {"samples": 2},
        "one_step": {"start": "one-step"},
        "bicubic": {"start": "bicubic", "samples": 1},
    }
    sections = {
        "sample": whole["sample"] | {"arms": arms},
        "dataset": whole.get("dataset", {}) | {"split": "block", "folds": 2},
        "evaluate": {"crop_px": 48, "external": {"other": "external"}},
        "distill": {"steps": 4},
    }
    finished: list[dict[str, str]] = []
    for size in (1, 3):
        project = copy_project(tmp_path / str(size))
        config = write_small_config(project, **sections)
        in_batches(project, config, size)
        (project.folder / "external").mkdir()
        for aligned in (small_run.folder / "results" / "small" / "aligned").iterdir():
            shutil.copy(aligned / "hr.tif", project.folder / "external" / f"{aligned.name}.tif")
        project.run("results/small/evaluation/summary.json", "--configfile", config)
        finished.append(digests(project))
    one, batched = finished
    masks = {name for name in one if Path(name).parent.name == "held_out"}  # a job of a batch keeps none
    assert masks and differing({name: one[name] for name in one.keys() - masks}, batched) <= OTHERWISE
    jobs = tmp_path / "3" / "results" / "small" / "benchmarks"
    counts = {rule: len(list((jobs / rule).rglob("*.tsv"))) for rule in ("sample", "external", "evaluate")}
    assert counts == {"sample": 4, "external": 1, "evaluate": 1}  # two folds, of each a model and one of one step
