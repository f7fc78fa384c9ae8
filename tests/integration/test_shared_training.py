"""The workflow's own training in several processes learns what one process does."""

import shutil

import numpy as np
import pytest
from project import Project, write_small_config
from safetensors.numpy import load_file

pytestmark = pytest.mark.integration


def test_two_processes_started_by_the_workflow_learn_what_one_does(small_run, tmp_path):
    project = Project(tmp_path / "project")
    shutil.copytree(small_run.folder, project.folder, symlinks=True)
    config = write_small_config(project, models={"main": {}, "two": {"train": {"processes": 2}}})
    said = project.run("results/small/model/two/card.json", "--configfile", config)
    assert "Train the diffusion path" in said and "Assemble the patch dataset" not in said
    one, two = (load_file(project.folder / f"results/small/model/{n}/model.safetensors") for n in ("main", "two"))
    assert one.keys() == two.keys()
    # AdamW's first steps have the gradients' signs: a rounding where one is near zero moves a weight by the rate.
    assert max(np.abs(one[name] - two[name]).max() for name in one) < 2e-3
    assert np.median([np.abs(one[name] - two[name]).mean() for name in one]) < 1e-5
