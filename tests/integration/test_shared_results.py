"""Results shared between working directories by content (`--cache`): what one folder has made, another takes."""

import json
import shutil

import pytest
from project import Project, digests, write_small_config

pytestmark = pytest.mark.integration

SHARED = {"download", "coregister", "normalise", "train"}
FEW_STEPS = {"steps": 2, "batch": 4, "validate_every": 2}


@pytest.fixture(scope="module")
def two_folders(small_run, tmp_path_factory):
    """Two folders that lack the scenes of one pair and what was made of them, run one after the other with one
    cache."""
    base = tmp_path_factory.mktemp("shared")
    (base / "cache").mkdir()
    folders = []
    for name in ("first", "second"):
        project = Project(base / name)
        shutil.copytree(small_run.folder, project.folder, symlinks=True)
        run = project.folder / "results" / "small"
        shutil.rmtree(run / "logs")
        pair = min((run / "items" / "pairs").glob("*.json"))
        scenes = json.loads(pair.read_text())
        for folder in (run / "scenes" / scenes["lr"], run / "scenes" / scenes["hr"], run / "aligned" / pair.stem):
            shutil.rmtree(folder)
        for file in (*(run / "pairs" / "patches").glob(f"{pair.stem}.*"), run / "pairs" / "summary.json"):
            file.unlink()
        config = write_small_config(project, train=FEW_STEPS)
        done = project.snakemake(
            "--cache", "--until", "train", "--configfile", config,
            environment={"SNAKEMAKE_OUTPUT_CACHE": str(base / "cache")},
        )  # fmt: skip
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
        folders.append(project)
    return folders


def executed(project: Project) -> set[str]:
    """Return the rules that ran a command: a job that is taken from the cache leaves its log empty."""
    logs = project.folder / "results" / "small" / "logs"
    return {path.relative_to(logs).parts[0].removesuffix(".log") for path in logs.rglob("*.log") if path.stat().st_size}


def test_the_second_folder_takes_downloads_alignment_and_training_from_the_cache(two_folders):
    first, second = map(executed, two_folders)
    assert first >= SHARED
    assert second == first - SHARED


def test_what_is_taken_from_the_cache_has_the_bytes_of_an_undisturbed_run(two_folders, small_digests):
    for project in two_folders:  # with what the links point to, as results are given away
        shutil.copytree(project.folder / "results", project.folder / "given" / "results")
    first, second = (digests(Project(project.folder / "given")) for project in two_folders)
    assert first == second
    assert "model/main/best.safetensors" in first
    aligned = {path for path in small_digests if path.startswith(("scenes/", "aligned/", "pairs/"))}
    assert aligned
    assert [path for path in aligned if second[path] != small_digests[path]] == []


def test_a_cache_without_a_place_is_one_line(two_folders):
    done = two_folders[0].snakemake(  # not in the run that other tests copy meanwhile
        "--cache", "--dry-run", "--configfile", "config/small.yaml", environment={"SNAKEMAKE_OUTPUT_CACHE": ""}
    )
    assert done.returncode != 0
    assert "--cache: name the folder" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
