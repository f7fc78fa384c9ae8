"""opensr-test's own protocol: its numbers, the scenes that it takes, and its table beside published rows."""

import importlib.util
import json
import sys
import types
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from crossres.evaluate.metrics.opensr_scene import OpensrScene
from crossres.evaluate.metrics.opensr_test import OpensrTest, opensr_test
from crossres.evaluate.results.opensr_table import METRICS, PUBLISHED, THIS_RUN, write_scene, write_table

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "opensr_protocol.py"
RECORDED = {
    "reflectance": [0.020062, 0.023281, 0.041509, 0.020211, 0.020984, 0.030892, 0.020022, 0.02017, 0.021102],
    "spectral": [1.884989, 4.464634, 10.484118, 2.569567, 3.512495, 7.224804, 2.190439, 2.382718, 3.352471],
    "spatial": [0.0, 0.42, 1.5, 0.0, 0.16, 0.82, 0.0, 0.06, 0.28],
    "synthesis": [0.011486, 0.011166, 0.011286, 0.020796, 0.018827, 0.019688, 0.030148, 0.028733, 0.029967],
    "improvement": [0.307927, 0.220558, 0.321323, 0.604356, 0.561106, 0.605659, 0.720398, 0.707618, 0.718233],
    "omission": [0.182656, 0.235611, 0.193104, 0.218504, 0.285447, 0.241766, 0.16282, 0.189292, 0.169828],
    "hallucination": [0.509417, 0.543831, 0.485573, 0.17714, 0.153447, 0.152575, 0.116782, 0.10309, 0.111939],
}
"""What opensr-test 1.3.3 with OpenCV 5.0.0 says of the images that benchmarks/opensr_protocol.py makes."""


@pytest.fixture(scope="module")
def peers() -> types.ModuleType:
    spec = importlib.util.spec_from_file_location("opensr_protocol", BENCHMARK)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_numbers_are_those_of_the_package(peers: types.ModuleType) -> None:
    found = [asdict(opensr_test(*triplet)) for triplet in peers.made()]
    for key, values in RECORDED.items():
        np.testing.assert_allclose([one[key] for one in found], values, atol=1e-5, err_msg=key)


def test_the_numbers_are_those_of_the_package_where_it_is_installed(peers: types.ModuleType) -> None:
    sys.modules.setdefault("satalign.lgm", types.ModuleType("satalign.lgm")).LGM = None  # type: ignore[attr-defined]
    pytest.importorskip("opensr_test", reason="opensr-test is not installed: `make .venv/.installed-dev`")
    if importlib.import_module("cv2").__version__ < "5":
        pytest.skip("OpenCV 4 rounds shifts to 1/32 pixel")
    torch.manual_seed(0)
    found = peers.compare("example", peers.example())
    for key, value in asdict(opensr_test(*peers.example()[0])).items():
        assert value == pytest.approx(found[key][0], abs=1e-6, nan_ok=True), key


def test_the_three_shares_are_one_and_hr_itself_is_all_improvement(peers: types.ModuleType) -> None:
    lr, sr, hr = peers.made((4,), (0,))[0]
    found = opensr_test(lr, sr, hr)
    assert found.improvement + found.omission + found.hallucination == pytest.approx(1, abs=1e-5)
    itself = opensr_test(lr, hr, hr)
    assert itself.improvement > 0.9 and itself.hallucination < 0.05
    assert opensr_test(lr[:, :30, :30], hr[:, :120, :120], hr[:, :120, :120]).spatial == 0
    with pytest.raises(ValueError, match="do not fit together"):
        opensr_test(lr, sr[:, :-1], hr)


def test_the_table_has_means_over_scenes_and_the_published_rows(tmp_path: Path) -> None:
    for k, name in enumerate(("a", "b", "c")):
        (tmp_path / name).mkdir()
        one = OpensrTest(*(np.arange(7) / 10 + k / 100).tolist())
        arms = {"lr_start": {"mean": one, "sample": one}}
        found = OpensrScene(None, arms) if name != "c" else OpensrScene("3.0% of it is masked", {})  # type: ignore[arg-type]
        write_scene(tmp_path / name, found)
    write_table(tmp_path / "opensr_test.csv", [tmp_path / name for name in ("a", "b", "c")])
    table = pd.read_csv(tmp_path / "opensr_test.csv")
    own = table[table.source == THIS_RUN].set_index("image")
    assert list(own.index) == ["mean", "sample"] and own.loc["mean", "scenes"] == 2
    assert own.loc["sample", "omission"] == pytest.approx(0.505)
    assert own.loc["sample", "omission_std"] == pytest.approx(np.std([0.5, 0.51], ddof=1), abs=1e-6)
    published = table[table.source != THIS_RUN]
    assert len(published) == len(PUBLISHED) and published["source"].str.contains("own scenes").all()
    sen2sr = published.set_index("model").loc["SEN2SR"]
    assert (sen2sr["improvement"], sen2sr["omission"], sen2sr["hallucination"]) == (0.15, 0.759, 0.091)
    assert np.isnan(sen2sr["reflectance"])


def test_a_scene_is_judged_or_says_why_not_and_the_report_shows_the_table(run: Path) -> None:
    scenes = sorted((run / "evaluation/scenes").iterdir())
    found = [json.loads((scene / "opensr_test.json").read_text()) for scene in scenes]
    assert all((scene["reason"] is None) == bool(scene["arms"]) for scene in found)
    table = pd.read_csv(run / "evaluation/opensr_test.csv")
    judged = [scene for scene in found if scene["arms"]]
    page = (run / "report.html").read_text()
    assert ("In the table of opensr-test" in page) == bool(judged)
    assert ("no scene could be judged" in page) != bool(judged)
    for arm, images in judged[0]["arms"].items() if judged else ():
        own = table[(table.source == THIS_RUN) & (table.model == arm)].set_index("image")
        expected = [np.mean([scene["arms"][arm]["mean"][key] for scene in judged]) for key in METRICS[3:]]
        np.testing.assert_allclose(own.loc["mean", list(METRICS[3:])].astype(float), expected, atol=1e-5)
        assert set(images) == {"mean", "sample"}
