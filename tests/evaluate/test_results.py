"""What an evaluation writes comes back as it was."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from crossres.errors import UserError
from crossres.evaluate.results.scene_result import SceneResult, Spectra, read_calibrations, write_calibrations
from crossres.evaluate.results.summary import Summary
from crossres.files import read_json, write_json


def test_a_run_is_read_and_written_to_the_same_bytes(run: Path, tmp_path: Path) -> None:
    path = run / "evaluation/summary.json"
    Summary.read(path).write(tmp_path / "summary.json")
    assert (tmp_path / "summary.json").read_bytes() == path.read_bytes()


def test_a_scene_is_read_and_written_to_the_same_numbers(run: Path, tmp_path: Path) -> None:
    folder = run / "evaluation/scenes/north"
    SceneResult.read(folder).write(tmp_path)
    Spectra.read(folder).write(tmp_path)
    write_calibrations(tmp_path, read_calibrations(folder))
    for name in ("metrics.json", "spectra.json", "calibration.json"):
        assert json.loads((tmp_path / name).read_text()) == json.loads((folder / name).read_text())


def test_what_could_not_be_measured_is_not_a_number(run: Path, tmp_path: Path) -> None:
    content = read_json(run / "evaluation/scenes/north/metrics.json")
    content["references"]["rmse"] = None
    write_json(tmp_path / "metrics.json", content)
    assert np.isnan(SceneResult.read(tmp_path).references.rmse)


def test_a_file_of_an_earlier_version_is_named_with_what_it_lacks(run: Path, tmp_path: Path) -> None:
    content = read_json(run / "evaluation/scenes/north/metrics.json")
    del content["strata"]
    write_json(tmp_path / "metrics.json", content)
    with pytest.raises(UserError, match=r"metrics\.json: strata: field required; run the workflow for this run again"):
        SceneResult.read(tmp_path)
    shutil.rmtree(tmp_path)
    with pytest.raises(UserError, match=r"metrics\.json: no such file"):
        SceneResult.read(tmp_path)
