"""Normalisation makes no band worse: where a relation fails it falls back in the open, or declines the pair."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from align_scenes import BANDS, HR_M, change, landscape, pixels, to_lr
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine
from rasterio.windows import Window
from scipy import ndimage

from crossres.align.radiometry.fit import ClearPixels, PairRadiometry, fit_relations
from crossres.align.radiometry.normalise import normalise
from crossres.align.radiometry.relation import drawn_line, orthogonal_line, outliers
from crossres.imagery.raster import grid_of, write_mask
from crossres.imagery.scene import make_scene, open_scene, write_scene
from crossres.settings.grid import GridSettings
from crossres.settings.normalise import NormaliseSettings

MakePair = Callable[..., tuple[Path, Path]]
FOUR = ("blue", "green", "red", "nir")


def run(lr: Path, hr: Path, bands: tuple[str, ...] = BANDS, gsd_m: float = HR_M, **settings: Any) -> dict[str, Any]:
    """Normalise a pair of scene folders on one ground; return its statement."""
    output = lr.parent / "aligned"
    write_scene(output / "registered.tif", open_scene(hr / "reflectance.tif"))
    state = {"pair": "p", "accepted": True, "lr_window": [0, 0, *grid_of(lr / "reflectance.tif").shape[::-1]]}
    (output / "registration.json").write_text(json.dumps(state))
    inputs = lr, output / "registered.tif", output / "registration.json"
    normalise(NormaliseSettings(**settings), GridSettings(gsd_m=gsd_m, bands=bands), *inputs, output)
    report: dict[str, Any] = json.loads((output / "radiometry.json").read_text())
    return report


def sampled(low: np.ndarray, high: np.ndarray) -> ClearPixels:
    """Return all pixels of two (band, row, column) images."""
    rows, cols = (axis.ravel() for axis in np.indices(low.shape[1:]))
    one, other = (image.reshape(len(image), -1).astype(np.float32) for image in (low, high))
    return ClearPixels(one, other, rows, cols, low.shape[1:])


def rms(found: PairRadiometry, sample: ClearPixels) -> tuple[np.ndarray, np.ndarray]:
    """Return each band's RMSE before and after."""
    after = found.apply_to(sample.high, sample.rows, sample.cols)
    before, then = (np.sqrt(((v.astype(np.float64) - sample.low) ** 2).mean(axis=1)) for v in (sample.high, after))
    return before, then


def assert_none_worse(report: dict[str, Any]) -> None:
    for name, band in report["bands"].items():
        assert band["after"]["rmse"] <= band["before"]["rmse"], name


@pytest.mark.parametrize("winter_is_lr", [True, False])
def test_two_seasons_of_a_reservoir(real_data: Path, tmp_path: Path, winter_is_lr: bool) -> None:
    """A tight cluster of forest has a gain of 6 and more; none of it may reach HR, and what is done is said."""
    names = [f"reservoir/Boadella_{date}.tif" for date in ("2020-01-28", "2021-07-21")]
    low, high = (_sentinel2(real_data / name) for name in (names if winter_is_lr else names[::-1]))
    high = ndimage.zoom(high, (1, 2, 2), order=3, mode="nearest", grid_mode=True)
    for name, values, gsd_m in (("lr", low, 10), ("hr", high, 5)):
        grid = GeoBox(values.shape[1:], Affine(gsd_m, 0, 500_000, 0, -gsd_m, 4_000_000), "EPSG:32631")
        write_scene(tmp_path / name / "reflectance.tif", make_scene(values.astype(np.float32), grid, FOUR))
        write_mask(tmp_path / name / "mask.tif", np.zeros(grid.shape, np.uint8), grid)
    report = run(tmp_path / "lr", tmp_path / "hr", FOUR, 5)
    assert_none_worse(report)
    assert report["accepted"] and report["normalised"] and report["detail_correlation"] >= 0.99
    for name, band in report["bands"].items():
        assert 0.4 < band["gain"] < 1.5, name
        assert band["method"] == "irmad" or (band["why"].startswith("irmad: ") and name in report["doubt"])
    if winter_is_lr:
        assert report["bands"]["red"]["method"] == "offset"


def _sentinel2(path: Path) -> np.ndarray:
    with rasterio.open(path) as src:
        values: np.ndarray = src.read([2, 3, 4, 8]).astype(np.float32) * 1e-4
    return values


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("share", [0.0, 0.3, 0.6])
def test_changes_clusters_water_and_snow_make_no_band_worse(seed: int, share: float) -> None:
    rng = np.random.default_rng([seed, int(10 * share)])
    low = to_lr(landscape(seed, 800))
    gains, offsets = rng.uniform(0.6, 1.6, (2, 1, 1)), rng.uniform(-0.03, 0.03, (2, 1, 1))
    high = (low - offsets) / gains
    blobs = ndimage.gaussian_filter(rng.normal(size=low.shape[1:]), 9)
    where = blobs > np.quantile(blobs, 1 - share)
    other = [np.roll(high, (50, 70), axis=(1, 2)), np.full_like(high, 0.03), np.full_like(high, 0.8)][seed % 3]
    high = np.where(where & (share > 0), other, high) + rng.normal(0, 0.003, low.shape)
    sample = sampled(low, high)
    found = fit_relations(NormaliseSettings(), sample)
    before, after = rms(found, sample)
    kept = ~where.ravel() | (share == 0)
    moved = found.apply_to(sample.high, sample.rows, sample.cols)
    for k in range(2):
        rest = [np.sqrt(((v[k, kept] - sample.low[k, kept]) ** 2).mean()) for v in (sample.high, moved)]
        assert after[k] <= before[k] or rest[1] <= rest[0], f"band {k}: {found.choices[k]}"
    if share == 0:
        assert [c.relation.gain for c in found.choices] == pytest.approx(gains.ravel(), rel=0.01)


def test_images_of_different_ground_are_declined(make_pair: MakePair) -> None:
    report = run(*make_pair(lr_seed=1, hr_seed=2))
    assert not report["accepted"] and not report["normalised"]
    assert "nothing in common" in report["reason"] and "normalise.method: none" in report["reason"]
    assert report["summary"].startswith("declined: ")


def test_nothing_is_declined_where_nothing_was_asked_for(make_pair: MakePair) -> None:
    report = run(*make_pair(lr_seed=1, hr_seed=2), method="none")
    assert report["accepted"] and not report["normalised"] and report["doubt"] is None


@pytest.mark.parametrize("tilt", [0.0, 0.4])
def test_two_sides_of_a_mosaic_are_found(make_pair: MakePair, tilt: float) -> None:
    lr, hr = make_pair(gains=(1.2, 0.85))
    values = pixels(hr / "reflectance.tif")
    rows, cols = np.indices(values.shape[1:])
    values[0, cols + tilt * rows > 500] += 0.04
    change(hr, values)
    report = run(lr, hr)
    assert not report["accepted"] and "two relations" in report["reason"] and "band 1" in report["reason"]


def test_haze_across_a_scene_is_no_seam(make_pair: MakePair) -> None:
    lr, hr = make_pair()
    values = pixels(hr / "reflectance.tif")
    change(hr, values * np.linspace(0.85, 1.15, values.shape[2]))
    assert run(lr, hr)["accepted"]


def test_a_coast_is_no_seam() -> None:
    """Land that another season made brighter, beside water that stayed: two sides, of different brightness."""
    rng = np.random.default_rng(0)
    low = to_lr(landscape(0, 800))
    low[:, :, 80:] = 0.03 + rng.normal(0, 0.003, low[:, :, 80:].shape)
    high = low.copy()
    high[:, :, :80] += 0.06
    sample = sampled(low, high + rng.normal(0, 0.002, low.shape))
    assert fit_relations(NormaliseSettings(), sample).accepted


def test_a_small_scene_in_another_unit_gets_the_line_of_all_pixels() -> None:
    low = to_lr(landscape(3, 165))
    rng = np.random.default_rng(0)
    sample = sampled(low, (low - 0.02) / 0.3 + rng.normal(0, 0.01, low.shape))
    assert sample.low.shape[1] == 33 * 33
    found = fit_relations(NormaliseSettings(min_pifs=900), sample)
    before, after = rms(found, sample)
    assert [c.method for c in found.choices] == ["regression"] * 2 and (after < 0.1 * before).all()
    assert [c.relation.gain for c in found.choices] == pytest.approx([0.3] * 2, rel=0.03)


def test_a_gain_is_drawn_towards_one_by_what_is_not_known_of_it() -> None:
    x = np.random.default_rng(0).uniform(0.1, 0.4, 1000)
    y = 2.5 * x - 0.1
    assert drawn_line(x, y, 0.001)[0] == pytest.approx(2.5, rel=1e-3)
    assert drawn_line(0.25 * x, x, 0.01)[0] == pytest.approx(4, rel=1e-3), "large gains count in parts"
    gain, offset = drawn_line(x, y, 1.0)
    assert 1 < gain < 1.25 and offset == pytest.approx((y - gain * x).mean(), abs=1e-9)
    assert drawn_line(x, y, float("nan"))[0] == 1


def test_new_water_among_the_invariant_pixels_does_not_turn_their_line() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(0.1, 0.5, 1000)
    y = 1.5 * x - 0.05 + rng.normal(0, 0.003, 1000)
    assert not outliers(x, y).any()
    flooded = np.arange(1000) < 100
    x[flooded] = 0.02 + rng.normal(0, 0.003, 100)
    assert orthogonal_line(x, y)[0] < 1.4
    assert (outliers(x, y) == flooded).all()
    assert not outliers(x, x).any(), "nothing is far off where the images are equal"


@pytest.mark.parametrize("seed", [6, 14])
def test_new_water_over_more_than_half_of_a_real_scene(real_data: Path, seed: int) -> None:
    [scene] = (real_data / "sentinel2").glob("bolzano*.tif")
    with rasterio.open(scene) as src:
        low = src.read([1, 2, 3, 4], window=Window(360, 300, 120, 120)) * np.float32(1e-4)
    assert (low > 0).all()
    rng = np.random.default_rng(seed)
    gains, offsets = rng.uniform(0.6, 1.7, (4, 1, 1)), rng.uniform(-0.03, 0.03, (4, 1, 1))
    where = (blobs := ndimage.gaussian_filter(rng.normal(size=low.shape[1:]), 6)) > np.quantile(blobs, 0.4)
    high = (ndimage.gaussian_filter(np.where(where, 0.02, low), (0, 0.6, 0.6)) - offsets) / gains
    low = ndimage.gaussian_filter(low, (0, 0.6, 0.6))
    high += rng.normal(0, 0.002, low.shape)
    found = fit_relations(NormaliseSettings(), sample := sampled(low, high))
    dry = ~ndimage.binary_dilation(where, iterations=2).ravel()
    after = found.apply_to(sample.high, sample.rows, sample.cols)
    before, then = (np.sqrt(((v - sample.low)[:, dry] ** 2).mean(axis=1)) for v in (sample.high, after))
    assert (then <= before + 5e-4).all()
    assert (then < 0.5 * before).sum() >= 3, "it is found, not left alone"
