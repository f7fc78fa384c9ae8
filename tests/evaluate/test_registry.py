"""A metric says itself what it is, and stands in tables and files without being listed anywhere else."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from crossres.evaluate.metrics.fidelity import Fidelity, joined, pixel_errors
from crossres.evaluate.metrics.metric import ALL_BANDS, Metric, read
from crossres.evaluate.metrics.registry import BY_KEY, IN_STRATA, METRICS
from crossres.evaluate.results.scene_result import SceneResult


def test_no_two_metrics_share_a_key_or_a_place() -> None:
    assert len(BY_KEY) == len({metric.place for metric in METRICS}) == len(METRICS)
    assert [metric.label for metric in METRICS[:3]] == ["PSNR", "cPSNR", "SSIM"]


def test_a_scene_has_a_value_of_each_metric_and_of_no_other(run: Path) -> None:
    scene = SceneResult.read(run / "evaluation/scenes/north")
    shift = {"shift_rows_px", "shift_cols_px"}
    assert set(scene.arms["lr_start"]["mean"][ALL_BANDS]) == set(BY_KEY) - {"lpips"} | shift
    for stratum in scene.strata.arms["lr_start"]["mean"].values():
        assert set(stratum) == {*IN_STRATA, *(f"rmse_{band}" for band in scene.bands)}


def test_what_is_declared_is_read_from_the_sums_of_its_family(hr: np.ndarray, clear: np.ndarray) -> None:
    worst = Metric[Fidelity](
        key="worst", label="Worst", better="lower", digits=4, place=1, meaning="RMSE of the worst band",
        value=lambda found: float(found.errors.rmse().max()), by_band=lambda found: found.errors.rmse(),
    )  # fmt: skip
    sr = hr + np.array([0.01, 0.02, 0.03, 0.04], np.float32)[:, None, None]
    sums = Fidelity(joined([pixel_errors(sr, hr, (~clear).astype(np.uint8), 1)]), 0.5, np.ones(4), 4.0)
    found = read([worst], sums, ("a", "b", "c", "d"))
    assert np.allclose([found[band]["worst"] for band in "abcd"], [0.01, 0.02, 0.03, 0.04], atol=1e-6)
    assert worst.text(found[ALL_BANDS]["worst"]) == "0.0400" and worst.gain(1.0) == -1.0


def test_the_registry_needs_no_network_library() -> None:
    code = "import sys, crossres.evaluate.metrics.registry; print({'torch', 'torchmetrics'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
