"""What support.tif says is judged: a band that is where the sample is wrong tells it, one that is not does not."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import crossres
from crossres.errors import UserError
from crossres.evaluate.metrics.calibration import Calibration
from crossres.evaluate.results.scene_result import SceneResult, read_calibrations
from crossres.evaluate.results.summarise import summarise
from crossres.evaluate.results.summary import Summary
from crossres.evaluate.scene import evaluate_scene
from crossres.files import read_json, write_json
from crossres.imagery.numbers import STD_DN, SUPPORT
from crossres.imagery.raster import write_cog
from crossres.imagery.scene import make_scene, open_scene, write_scene
from crossres.settings.evaluate import EvaluateSettings
from crossres.settings.grid import GridSettings

Make = Callable[..., tuple[Path, dict[str, Path]]]
SETTINGS = EvaluateSettings(crop_px=48, crops=1, view_px=64)
BANDS = GridSettings().bands
MEASURED, INFERRED = 0.01, 0.02


@pytest.fixture(scope="module")
def judged(make_pair: Make, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Calibration], float]:
    """Four arms of the same samples that say something else of their detail, and how much of it is drawn."""
    root, rng = tmp_path_factory.mktemp("support"), np.random.default_rng(8)
    aligned, _ = make_pair("supported", 41)
    hr = open_scene(aligned / "hr.tif").load()
    truth, grid = hr.reflectance.values.astype(np.float64), hr.odc.geobox
    sigma = 0.01 * np.exp(0.6 * rng.standard_normal(truth.shape[1:])) * np.ones_like(truth)
    centre = truth - sigma * rng.standard_normal(truth.shape)
    samples = centre + sigma * rng.standard_normal((4, *truth.shape))
    mean, std = samples.mean(axis=0), samples.std(axis=0, ddof=1) * np.sqrt(1.25)
    right = np.sqrt(1.25 * sigma[0] ** 2 + np.square(samples[0] - mean).mean(axis=0))
    said = {"right": right, "wrong": right.max() - right, "constant": np.full_like(right, 0.01), "silent": None}
    for name, drawn in said.items():
        write_scene(root / name / "mean.tif", make_scene(mean.astype(np.float32), grid, BANDS))
        write_scene(root / name / "sample.tif", make_scene(samples[0].astype(np.float32), grid, BANDS))
        write_cog(root / name / "std.tif", STD_DN.numbers(std), grid, BANDS, STD_DN)
        if drawn is not None:
            parts = np.stack([np.full_like(drawn, MEASURED), np.full_like(drawn, INFERRED), drawn])
            write_cog(root / name / "support.tif", STD_DN.numbers(parts), grid, SUPPORT, STD_DN)
    evaluate_scene(SETTINGS, GridSettings(), "s", aligned, {name: root / name for name in said}, root / "out")
    return read_calibrations(root / "out"), float(np.square(samples[0] - mean)[:, 8:-8, 8:-8].mean())


def test_a_band_that_is_where_the_sample_is_wrong_tells_it(judged: tuple[dict[str, Calibration], float]) -> None:
    found, _ = judged
    area = found["right"].support.roc_area
    assert area > 0.8 and area > found["right"].roc_area + 0.01
    assert found["wrong"].support.roc_area == pytest.approx(1 - area, abs=0.001)
    assert found["constant"].support.roc_area == 0.5


def test_shares_are_of_the_sample_and_add_up(judged: tuple[dict[str, Calibration], float]) -> None:
    found, drawn = judged
    for name in ("right", "wrong", "constant"):
        shares = found[name].support.shares
        assert sum(shares.values()) == pytest.approx(1)
        assert shares["inferred"] == pytest.approx(shares["measured"] * (INFERRED / MEASURED) ** 2)
        assert shares["drawn"] == pytest.approx(drawn / (drawn + MEASURED**2 + INFERRED**2), abs=0.02)


def test_an_arm_without_the_file_is_judged_as_the_others_but_for_it(
    judged: tuple[dict[str, Calibration], float],
) -> None:
    silent, right = judged[0]["silent"], judged[0]["right"]
    assert silent.support is None
    for name in ("ratio", "roc_area", "rank_correlation", "coverage"):
        assert getattr(silent, name) == getattr(right, name)


def test_over_scenes_it_is_the_mean_of_those_that_know_it(make_pair: Make, tmp_path: Path) -> None:
    """A scene that was judged before there was such a file says nothing of it."""
    scenes = []
    for name, seed in (("a", 51), ("b", 52), ("c", 53)):
        aligned, arms = make_pair(name, seed)
        evaluate_scene(SETTINGS, GridSettings(), name, aligned, arms, tmp_path / name)
        scenes.append(tmp_path / name)
    each = [read_calibrations(scene) for scene in scenes]
    older = read_json(scenes[2] / "calibration.json")
    older["lr_start"].pop("support")
    write_json(scenes[2] / "calibration.json", older)
    summarise(scenes, "lr_start", tmp_path / "summary.json", tmp_path / "summary.parquet")
    found = Summary.read(tmp_path / "summary.json").calibration
    known = [calibrations["lr_start"].support for calibrations in each[:2]]
    for name in SUPPORT:
        assert found["lr_start"].support.shares[name] == pytest.approx(np.mean([s.shares[name] for s in known]))
    assert found["lr_start"].support.roc_area == pytest.approx(np.mean([s.roc_area for s in known]))
    assert found["noise_start"].support is None and found["bicubic"] is None


def test_pixels_of_which_it_says_nothing_count_nowhere(make_pair: Make, tmp_path: Path) -> None:
    aligned, arms = make_pair("gap", 54)
    evaluate_scene(SETTINGS, GridSettings(), "gap", aligned, arms, tmp_path / "whole")
    said = open_scene(arms["lr_start"] / "support.tif").load()
    parts = said.reflectance.values
    parts[:, 60:70, 20:60] = np.nan
    write_cog(arms["lr_start"] / "support.tif", STD_DN.numbers(parts), said.odc.geobox, SUPPORT, STD_DN)
    evaluate_scene(SETTINGS, GridSettings(), "gap", aligned, arms, tmp_path / "less")
    whole, less = (SceneResult.read(tmp_path / name).clear_share for name in ("whole", "less"))
    assert whole - less == pytest.approx(400 / (160 * 176))
    assert np.isfinite([*read_calibrations(tmp_path / "less")["lr_start"].support.shares.values()]).all()


def test_a_file_of_other_bands_or_another_grid_is_named(make_pair: Make, tmp_path: Path) -> None:
    aligned, arms = make_pair("odd", 55)
    said = open_scene(arms["lr_start"] / "support.tif").load()
    numbers = STD_DN.numbers(said.reflectance.values)
    write_cog(arms["lr_start"] / "support.tif", numbers[:2], said.odc.geobox, SUPPORT[:2], STD_DN)
    with pytest.raises(UserError, match="'drawn' is not in the scene"):
        evaluate_scene(SETTINGS, GridSettings(), "odd", aligned, arms, tmp_path / "out")
    write_cog(arms["lr_start"] / "support.tif", numbers[:, :-4], said.odc.geobox[:-4], SUPPORT, STD_DN)
    with pytest.raises(UserError, match=r"support\.tif.*make it again"):
        evaluate_scene(SETTINGS, GridSettings(), "odd", aligned, arms, tmp_path / "out")


def test_what_is_drawn_is_pictured_where_it_is_known_and_std_elsewhere(make_pair: Make, tmp_path: Path) -> None:
    aligned, arms = make_pair("pictured", 56)
    arm = {"lr_start": arms["lr_start"]}
    evaluate_scene(SETTINGS, GridSettings(), "pictured", aligned, arm, tmp_path / "drawn")
    seen = SceneResult.read(tmp_path / "drawn").pictures
    drawn = open_scene(arm["lr_start"] / "support.tif").reflectance.values[2]
    assert seen.doubt_high == pytest.approx(np.percentile(drawn[8:-8, 8:-8], 99), rel=0.02)
    (arm["lr_start"] / "support.tif").unlink()
    evaluate_scene(SETTINGS, GridSettings(), "pictured", aligned, arm, tmp_path / "std")
    layers = {name: {path.stem for path in (tmp_path / name / "view").iterdir()} for name in ("drawn", "std")}
    assert layers["drawn"] ^ layers["std"] == {"drawn", "std"}
    assert SceneResult.read(tmp_path / "std").pictures.doubt_high == pytest.approx(0.01, abs=1e-4)


def test_a_notebook_has_it_beside_the_image(run: Path) -> None:
    products = crossres.open_run(run)["sr/north"]
    support = products["lr_start"].support
    assert support.dims == ("part", "y", "x") and tuple(support.part.values) == SUPPORT
    assert support.shape[1:] == products["lr_start"]["mean"].shape[1:] and float(support.min()) >= 0
    assert "support" not in products["bicubic"]
