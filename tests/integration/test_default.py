"""The embedded default: what it must reach, what it must not do again."""

import json

import pytest
import rasterio

from crossres.imagery.raster import grid_of
from crossres.settings.sample import DEFAULT_ARMS

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def results(default_run):
    return default_run.folder / "results" / "demo"


@pytest.fixture(scope="module")
def held_out(results):
    return json.loads((results / "pairs" / "summary.json").read_text())["splits"]["test"]


def metric(summary, arm, image, name):
    return summary["arms"][arm][image][name]["mean"]


@pytest.fixture(scope="module")
def summary(results):
    return json.loads((results / "evaluation" / "summary.json").read_text())


def test_samples_are_sharp_spectrum_error_at_most_half_of_bicubic(summary):
    bicubic = metric(summary, "bicubic", "mean", "spectrum_error")
    assert metric(summary, "lr_start", "sample", "spectrum_error") <= 0.5 * bicubic


def test_the_mean_of_samples_is_true_psnr_no_lower_than_bicubic(summary):
    assert metric(summary, "lr_start", "mean", "psnr_db") >= metric(summary, "bicubic", "mean", "psnr_db")


def test_every_held_out_place_has_a_product_on_the_hr_grid(results, held_out):
    assert held_out
    for pair in held_out:
        hr = grid_of(results / "aligned" / pair / "hr.tif")
        for image in ("mean", "std", "sample"):
            path = results / "sr" / pair / "lr_start" / f"{image}.tif"
            assert grid_of(path) == hr
            with rasterio.open(path) as src:
                assert src.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"


def test_a_second_run_has_nothing_to_do(default_run):
    assert "Nothing to be done" in default_run.run()


def test_a_changed_arm_leaves_the_others_alone(default_run, held_out):
    arms = {name: arm.model_dump(exclude_none=True) for name, arm in DEFAULT_ARMS.items()}
    arms["noise_start"]["steps"] = 5
    planned = default_run.planned("--config", f"sample={json.dumps({'arms': arms})}")
    assert planned["sample"] == len(held_out)


def test_a_comment_reruns_nothing(default_run):
    path = default_run.folder / "src" / "crossres" / "grids.py"
    before = path.read_text()
    path.write_text("# why\n" + before)
    try:
        assert "Nothing to be done" in default_run.run("--dry-run")
    finally:
        path.write_text(before)


def test_changed_code_reruns_the_stages_that_use_it(default_run):
    path = default_run.folder / "src" / "crossres" / "evaluate" / "report" / "run_report.py"
    before = path.read_text()
    path.write_text(before + "\nX = 1\n")
    try:
        assert set(default_run.planned()) == {"report", "all"}
    finally:
        path.write_text(before)


def test_snakemakes_own_report_is_written(default_run):
    default_run.run("--report", "report.zip")
    assert (default_run.folder / "report.zip").stat().st_size > 100_000
