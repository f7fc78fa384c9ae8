"""Training data that memory does not hold: the workflow unpacks them to disk, and training learns the same bytes."""

import hashlib
import json
import shutil

import pytest
from project import Project

pytestmark = pytest.mark.integration


def test_training_through_the_cache_writes_the_same_model(small_run, small_digests, tmp_path):
    project = Project(tmp_path / "project")
    shutil.copytree(small_run.folder, project.folder, symlinks=True)
    limit = project.folder / "src" / "crossres" / "settings" / "train.py"
    text = limit.read_text()
    assert "\nIN_MEMORY_BYTES = 2**31\n" in text
    limit.write_text(text.replace("\nIN_MEMORY_BYTES = 2**31\n", "\nIN_MEMORY_BYTES = 1\n"))
    model = project.folder / "results" / "small" / "model" / "main"
    card = json.loads((model / "card.json").read_text())
    shutil.rmtree(model)

    # The limit is code of many rules: what is missing counts here, not what code has changed.
    missing = ("--rerun-triggers", "mtime", "--configfile", "config/small.yaml")
    said = project.run("results/small/model/main/model.safetensors", *missing)
    assert "Unpack the patch dataset for training" in said
    assert (project.folder / "results" / "small" / "pairs" / "cache" / "hr.npy").stat().st_size > 0
    for name in ("model.safetensors", "history.csv"):
        written = hashlib.sha256((model / name).read_bytes()).hexdigest()
        assert written == small_digests[f"model/main/{name}"], name
    assert json.loads((model / "card.json").read_text()) | {"code": card["code"]} == card
