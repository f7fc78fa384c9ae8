"""A scene is judged whole: every arm on the same pixels, the same bytes each time."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rasterio.windows import Window
from wholly import choose_places

from crossres.errors import UserError
from crossres.evaluate import scene
from crossres.evaluate.charts.over_scenes import figures
from crossres.evaluate.metrics.registry import METRICS
from crossres.evaluate.results.summarise import summarise
from crossres.evaluate.scene import evaluate_scene
from crossres.imagery.engine import computing
from crossres.imagery.scene import crop, open_scene, write_scene
from crossres.settings.evaluate import EvaluateSettings
from crossres.settings.grid import GridSettings
from crossres.settings.sample import SampleSettings

SETTINGS = EvaluateSettings(crop_px=48, crops=2, view_px=64)
Make = Callable[..., tuple[Path, dict[str, Path]]]


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def evaluate(make_pair: Make, tmp_path: Path, name: str = "a", seed: int = 1, **kind: Any) -> Path:
    aligned, arms = make_pair(name, seed, **kind)
    bands = kind.get("bands", GridSettings().bands)
    evaluate_scene(SETTINGS, GridSettings(bands=bands), name, aligned, arms, tmp_path / name)
    return tmp_path / name


def test_the_arms_are_ranked_as_they_were_made(make_pair: Make, tmp_path: Path) -> None:
    content = json.loads((evaluate(make_pair, tmp_path) / "metrics.json").read_text())
    arms = content["arms"]
    lr_start, noise, bicubic = (arms[a] for a in ("lr_start", "noise_start", "bicubic"))
    assert lr_start["mean"]["together"]["psnr_db"] > bicubic["mean"]["together"]["psnr_db"]
    assert lr_start["sample"]["together"]["psnr_db"] > noise["sample"]["together"]["psnr_db"]
    assert lr_start["sample"]["together"]["hallucination"] < noise["sample"]["together"]["hallucination"]
    assert bicubic["mean"]["together"]["spectrum_bias"] < -0.5
    assert bicubic["mean"] == bicubic["sample"]
    assert content["pictured"] == "lr_start" and content["mask_shares"]["changed"] == pytest.approx(8 / (40 * 44))
    without_weights = {metric.key for metric in METRICS} - {"lpips"}
    assert without_weights <= set(lr_start["mean"]["together"])


def test_the_same_inputs_give_the_same_bytes(make_pair: Make, tmp_path: Path) -> None:
    aligned, arms = make_pair("same", 3)
    for name in ("one", "two"):
        evaluate_scene(SETTINGS, GridSettings(), "same", aligned, arms, tmp_path / name)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_threads_do_not_show(make_pair: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    aligned, arms = make_pair("parallel", 6, lr_shape=(26, 30), factor=12.5)
    monkeypatch.setattr(scene, "CHUNK_PX", 128)
    for threads in (1, 2, 4):
        with computing(threads):
            evaluate_scene(SETTINGS, GridSettings(), "parallel", aligned, arms, tmp_path / str(threads))
    first, *others = (contents(tmp_path / str(threads)) for threads in (1, 2, 4))
    assert all(other == first for other in others)


@pytest.mark.parametrize(
    "kind",
    [dict(lr_shape=(83, 90)), dict(lr_shape=(26, 30), factor=12.5, bands=("blue", "green", "red"))],
    ids=["4", "12.5, by look"],
)
def test_blocks_do_not_show(
    make_pair: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: dict[str, Any]
) -> None:
    evaluate(make_pair, tmp_path, "whole", 7, **kind)
    monkeypatch.setattr(scene, "CHUNK_PX", 128)
    evaluate(make_pair, tmp_path, "parts", 7, **kind)
    for name in ("metrics.json", "spectra.json", "calibration.json"):
        whole, parts = (flat(json.loads((tmp_path / f / name).read_text())) for f in ("whole", "parts"))
        assert parts.keys() == whole.keys()
        for key, value in whole.items():
            expected = value if isinstance(value, str | None) else pytest.approx(value, rel=1e-5, abs=1e-7, nan_ok=True)
            assert parts[key] == expected or key == "/pair", key


def flat(content: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(content, dict | list):
        return {path: content}
    items = content.items() if isinstance(content, dict) else enumerate(content)
    return {k: v for key, value in items for k, v in flat(value, f"{path}/{key}").items()}


def test_it_works_at_twelve_and_a_half_with_three_bands(make_pair: Make, tmp_path: Path) -> None:
    folder = evaluate(
        make_pair, tmp_path, "odd", 4, lr_shape=(16, 20), factor=12.5, bands=("blue", "green", "red")
    )  # fmt: skip
    content = json.loads((folder / "metrics.json").read_text())
    assert content["factor"] == 12.5 and content["hr_gsd_m"] == 0.8
    assert content["arms"]["bicubic"]["mean"]["together"]["lr_l1"] < 0.02


def test_an_arm_on_another_grid_is_named(make_pair: Make, tmp_path: Path) -> None:
    aligned, arms = make_pair("grid", 5)
    image = open_scene(arms["lr_start"] / "mean.tif").load()
    write_scene(arms["lr_start"] / "mean.tif", crop(image, Window(0, 0, image.sizes["x"], image.sizes["y"] - 4)))
    with pytest.raises(UserError, match=r"lr_start/mean\.tif.*make it again"):
        evaluate_scene(SETTINGS, GridSettings(), "grid", aligned, arms, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_places_are_clear_apart_and_begin_where_detail_is(hr: np.ndarray, clear: np.ndarray) -> None:
    smooth = np.full_like(hr, 0.2)
    detailed = smooth.copy()
    detailed[:, 50:80, 60:90] += np.random.default_rng(0).normal(0, 0.05, (4, 30, 30)).astype(np.float32)
    clear[:20] = False
    first, *rest = choose_places(detailed, smooth, clear, 24, 3)
    assert 40 <= first.row <= 70 and 50 <= first.col <= 80
    for place in (first, *rest):
        assert place.of(clear).mean() >= 0.98
    assert all(abs(first.row - p.row) >= 24 or abs(first.col - p.col) >= 24 for p in rest)


def test_scenes_come_together_with_paired_differences(make_pair: Make, tmp_path: Path) -> None:
    scenes = [evaluate(make_pair, tmp_path, name, seed) for name, seed in (("p", 11), ("q", 12), ("r", 13))]
    summary, table = tmp_path / "summary.json", tmp_path / "summary.parquet"
    summarise(scenes[::-1], "lr_start", summary, table)
    content, rows = json.loads(summary.read_text()), pd.read_parquet(table)
    values = rows[
        (rows.image == "mean") & (rows.band == "together") & (rows.stratum == "everywhere") & (rows.metric == "psnr_db")
    ]
    by_arm = values.pivot(index="scene", columns="arm", values="value")
    difference = content["differences"]["bicubic"]["mean"]["psnr_db"]
    assert difference["mean"] == pytest.approx((by_arm.lr_start - by_arm.bicubic).mean())
    assert difference["low"] <= difference["mean"] <= difference["high"] and difference["n"] == 3
    assert "3 scenes" in content["note"]
    assert list(rows.columns) == ["scene", "arm", "image", "band", "stratum", "metric", "value"]
    before = summary.read_bytes(), table.read_bytes()
    summarise(scenes, "lr_start", summary, table)
    assert before == (summary.read_bytes(), table.read_bytes())
    figures(SampleSettings().whole({"main": "ab2"}), summary, scenes, tmp_path / "figures")
    assert sorted(contents(tmp_path / "figures")) == ["calibration.png", "metrics.png", "spectra.png", "tradeoff.png"]


def test_no_scene_or_no_such_arm_is_said_in_one_line(make_pair: Make, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no held-out scene"):
        summarise([], "lr_start", tmp_path / "s.json", tmp_path / "s.parquet")
    alone = evaluate(make_pair, tmp_path, "alone", 14)
    with pytest.raises(UserError, match="'magic' was not evaluated"):
        summarise([alone], "magic", tmp_path / "s.json", tmp_path / "s.parquet")
