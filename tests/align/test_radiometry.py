"""Normalisation undoes a known relation, leaves a matched pair as it is, and keeps HR's own detail."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from align_scenes import change, pixels
from scipy import ndimage

from crossres.align.radiometry import changes
from crossres.align.radiometry.changes import changed_areas, suspects
from crossres.align.radiometry.fit import ClearPixels, fit_relations
from crossres.align.radiometry.gain_field import KERNEL_PX
from crossres.align.radiometry.irmad import find_no_change
from crossres.align.radiometry.normalise import normalise
from crossres.align.radiometry.relation import orthogonal_line, quantile_curve, standard_errors
from crossres.grids import crop, fine_grid, scale_factor
from crossres.imagery.engine import computing
from crossres.imagery.numbers import Mask
from crossres.imagery.raster import grid_of, read_mask
from crossres.imagery.scene import open_scene, write_scene
from crossres.settings.grid import GridSettings
from crossres.settings.normalise import NormaliseSettings

GRID = GridSettings(gsd_m=2.0, bands=("red", "nir"))
MakePair = Callable[..., tuple[Path, Path]]


def run(lr: Path, hr: Path, accepted: bool = True, **settings: Any) -> tuple[dict[str, Any], Path]:
    """Normalise a pair whose HR scene lies exactly on the fine grid, as `coregister` would leave it."""
    output = lr.parent / "aligned"
    write_scene(output / "registered.tif", open_scene(hr / "reflectance.tif"))
    state = {"pair": "hr--lr", "accepted": accepted, "lr_window": [0, 0, *grid_of(lr / "reflectance.tif").shape[::-1]]}
    (output / "registration.json").write_text(json.dumps(state))
    normalise(NormaliseSettings(**settings), GRID, lr, output / "registered.tif", output / "registration.json", output)
    return json.loads((output / "radiometry.json").read_text()), output


def sample_of(low: np.ndarray, high: np.ndarray) -> ClearPixels:
    """Return all pixels of two (band, row, column) images."""
    rows, cols = (axis.ravel() for axis in np.indices(low.shape[1:]))
    return ClearPixels(low.reshape(len(low), -1), high.reshape(len(high), -1), rows, cols, low.shape[1:])


def test_a_gain_and_an_offset_are_found_in_either_direction(make_pair: MakePair) -> None:
    lr, hr = make_pair(gains=(1.2, 0.85), offsets=(0.02, -0.03))
    report, output = run(lr, hr)
    for band, gain, offset in (("red", 1.2, 0.02), ("nir", 0.85, -0.03)):
        found = report["bands"][band]
        assert found["gain"] == pytest.approx(gain, rel=0.01)
        assert found["offset"] == pytest.approx(offset, abs=0.003)
        assert 0 < found["gain_standard_error"] < 0.02
        assert found["after"]["rmse"] < 0.005 < found["before"]["rmse"]
    low, high = output / "lr.tif", output / "hr.tif"
    assert grid_of(high) == fine_grid(grid_of(low), scale_factor(10, 2))
    assert abs(pixels(high).mean() - pixels(low).mean()) < 0.001

    back, output = run(lr, hr, direction="lr-to-hr")
    assert back["bands"]["red"]["gain"] == pytest.approx(1 / 1.2, rel=0.01)
    np.testing.assert_array_equal(pixels(output / "hr.tif"), pixels(hr / "reflectance.tif"))


def test_a_matched_pair_stays_as_it_is(make_pair: MakePair) -> None:
    lr, hr = make_pair()
    report, output = run(lr, hr)
    for band in report["bands"].values():
        assert band["gain"] == pytest.approx(1, abs=0.005) and abs(band["offset"]) < 0.001
    assert report["changed_share"] == 0
    np.testing.assert_allclose(pixels(output / "hr.tif"), pixels(hr / "reflectance.tif"), atol=0.002)


@pytest.mark.parametrize("method", ["irmad", "histogram", "regression"])
def test_hr_keeps_its_own_detail(make_pair: MakePair, method: str) -> None:
    report, _ = run(*make_pair(gains=(1.3, 0.8)), method=method)
    assert report["normalised"] and report["detail_correlation"] >= 0.99


def test_change_does_not_bend_the_relation_and_is_masked(make_pair: MakePair) -> None:
    lr, hr = make_pair(gains=(1.2, 0.85))
    values = pixels(hr / "reflectance.tif")
    values[:, 150:550, 200:500] = values[:, 400:800, 500:800][:, ::-1] + 0.05
    change(hr, values)
    report, output = run(lr, hr)
    assert report["bands"]["red"]["gain"] == pytest.approx(1.2, rel=0.01)
    mask = read_mask(output / "mask.tif")
    changed = mask == Mask.CHANGED
    assert changed[32:108, 42:98].mean() > 0.7
    changed[29:111, 39:101] = False
    assert changed.mean() < 0.002


def test_clouds_and_gaps_reach_the_mask_and_not_the_fit(make_pair: MakePair) -> None:
    mask = np.full((160, 160), Mask.CLEAR)
    mask[20:60, 20:60] = Mask.CLOUD
    lr, hr = make_pair(lr_mask=mask, hr_hole=(slice(500, 600), slice(500, 600)), gains=(1.2, 1.2))
    values = pixels(lr / "reflectance.tif")
    values[:, 20:60, 20:60] = 0.9
    change(lr, values)
    report, output = run(lr, hr)
    assert report["bands"]["red"]["gain"] == pytest.approx(1.2, rel=0.01)
    written = read_mask(output / "mask.tif")
    assert (written[20:60, 20:60] == Mask.CLOUD).all()
    assert (written[100:120, 100:120] == Mask.NODATA).all()
    assert (written[125:, :] == Mask.CLEAR).all(), "pixels at the border are covered by HR"


def test_a_declined_pair_passes_through(make_pair: MakePair) -> None:
    lr, hr = make_pair(gains=(1.2, 0.8))
    report, output = run(lr, hr, accepted=False)
    assert not report["normalised"] and "declined" in report["reason"]
    np.testing.assert_array_equal(pixels(output / "hr.tif"), pixels(hr / "reflectance.tif"))


def test_too_few_invariant_pixels_give_the_line_of_all_and_too_few_pixels_nothing_and_both_say_so(
    make_pair: MakePair,
) -> None:
    lr, hr = make_pair(gains=(1.2, 0.8))
    report, _ = run(lr, hr, min_pifs=20_000)
    for band, gain in (("red", 1.2), ("nir", 0.8)):
        row = report["bands"][band]
        assert row["method"] == "regression" and "normalise.min_pifs" in row["why"]
        assert row["gain"] == pytest.approx(gain, rel=0.01)
    assert report["doubt"] is None, "that is no failure"
    report, _ = run(lr, hr, min_pifs=30_000)
    assert not report["normalised"] and report["accepted"] and "normalise.min_pifs" in report["reason"]


def test_normalising_twice_gives_the_same_bytes(make_pair: MakePair) -> None:
    lr, hr = make_pair(gains=(1.2, 0.85))
    contents = []
    for _ in range(2):
        _, output = run(lr, hr)
        contents.append({p.name: p.read_bytes() for p in sorted(output.iterdir())})
    assert contents[0] == contents[1]
    assert grid_of(output / "mask.tif") == crop(grid_of(lr / "reflectance.tif"), _window(160))


def _window(side: int) -> Any:
    from rasterio.windows import Window

    return Window(0, 0, side, side)


def test_irmad_knows_a_third_of_the_pixels_that_changed() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6000, 3)) @ rng.normal(size=(3, 3))
    y = x * (1.5, 0.7, 1.1) + (0.1, 0.2, 0.3) + rng.normal(0, 0.05, x.shape)
    y[:2000] = y[rng.permutation(6000)[:2000]]
    p = find_no_change(x, y)(x, y)
    assert np.median(p[:2000]) < 1e-6 < 0.2 < np.median(p[2000:])


def test_irmad_has_nothing_to_say_of_equal_images() -> None:
    x = np.random.default_rng(0).normal(size=(500, 4))
    assert (find_no_change(x, 2 * x + 1)(x, 2 * x + 1) == 1).all()
    copies = np.repeat(x[:, :1], 4, axis=1)
    assert np.isfinite(find_no_change(copies, x)(copies, x)).all(), "copies of a band are no error"


def test_orthogonal_regression_does_not_care_which_sensor_is_first() -> None:
    rng = np.random.default_rng(0)
    t = rng.uniform(0, 1, 4000)
    x, y = t + rng.normal(0, 0.1, t.size), 1.4 * t + 0.1 + rng.normal(0, 0.1, t.size)
    gain, offset = orthogonal_line(x, y)
    back, _ = orthogonal_line(y, x)
    assert gain == pytest.approx(1.4, rel=0.02) and gain * back == pytest.approx(1, rel=1e-9)
    assert offset == pytest.approx(0.1, abs=0.02)
    errors = standard_errors(x, y, np.arange(4000) // 400)
    assert abs(gain - 1.4) < 4 * errors[0] < 0.1


def test_a_quantile_curve_rises_and_runs_on() -> None:
    x = np.random.default_rng(0).uniform(0.1, 0.5, 5000)
    curve = quantile_curve(x, x**2)
    out = curve(np.linspace(0, 0.7, 200))
    assert (np.diff(out) > 0).all()
    assert curve(np.array([0.3]))[0] == pytest.approx(0.09, abs=0.005)


def test_a_speck_is_no_change_and_a_field_is() -> None:
    p = np.ones((40, 40))
    p[5, 5], p[20, 3:30], p[28:36, 10:20] = 0, 0, 0
    low = np.zeros((1, 40, 40))
    found = changed_areas(suspects(p, 1e-6, low, low + 0.1))
    assert found[28:36, 10:20].all() and found.sum() == 80
    assert not changed_areas(suspects(p, 1e-6, low, low + 0.001)).any(), "what cannot be seen is not land cover"


def test_changed_areas_do_not_depend_on_the_strips_they_are_told_from_specks_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    rough = ndimage.gaussian_filter(rng.normal(size=(90, 70)), 1.2)
    suspect = rough > np.quantile(rough, 0.8)
    whole = changed_areas(suspect)
    labels, _ = ndimage.label(ndimage.binary_fill_holes(ndimage.binary_opening(suspect, np.ones((2, 2)))))
    sizes = np.bincount(labels[labels > 0])
    assert {4, 6, 7} <= set(sizes.tolist()) and whole.sum() == sizes[sizes > 4].sum()
    for rows in (1, 2, 7):
        monkeypatch.setattr(changes, "STRIP_ROWS", rows)
        assert (changed_areas(suspect) == whole).all()


def test_gain_and_offset_on_real_sentinel2_with_a_third_changed(real_data: Path) -> None:
    image = pixels(next((real_data / "sentinel2").glob("bolzano*.tif")))[:4] * 1e-4
    valid = np.isfinite(image).all(axis=0)
    rows, cols = np.nonzero(ndimage.binary_erosion(valid, np.ones((3, 3)), iterations=100))
    image = image[:, rows[0] - 100 : rows[0] + 100, cols[0] - 100 : cols[0] + 100]
    rng = np.random.default_rng(0)
    blobs = ndimage.gaussian_filter(rng.normal(size=image.shape[1:]), 10)
    changed = blobs > np.quantile(blobs, 0.65)
    gains = np.array([1.18, 0.87, 1.1, 0.92])[:, None, None]
    other = np.where(changed, np.roll(image, (70, 90), axis=(1, 2)), image) * gains + 0.01
    other = (other + rng.normal(0, 0.002, image.shape)).astype(np.float32)
    found = fit_relations(NormaliseSettings(), sample_of(image, other))
    truth = (other - 0.01) / gains
    errors = [
        abs(a - t)[~changed].mean() / i[~changed].mean()
        for a, t, i in zip(found.apply(other, *map(np.arange, changed.shape)), truth, image, strict=True)
    ]
    assert max(errors) < 0.006


def test_what_is_left_is_stated_band_by_band(make_pair: MakePair) -> None:
    report, output = run(*make_pair(gains=(1.2, 0.85), offsets=(0.02, -0.03)))
    for band in report["bands"].values():
        held = band["held_out"]
        assert held["pixels"] == report["pifs"] and held["rmse"] < 0.005 and abs(held["bias"]) < 0.001
        bins = band["bias_by_brightness"]
        assert len(bins) == 5 and all(abs(b["bias"]) < 0.002 for b in bins)
        assert [b["brightness"] for b in bins] == sorted(b["brightness"] for b in bins)
    assert report["left"].startswith("Left between the images at LR scale") and "red" in report["left"]
    pifs = read_mask(output / "pifs.tif")
    assert pifs.sum() == report["pifs"] and report["pif_share"] == pytest.approx(pifs.mean(), rel=0.1)


def test_held_out_pixels_show_a_relation_that_does_not_hold_everywhere(make_pair: MakePair) -> None:
    """A checkerboard of two gains, too close for two sides of a mosaic: a fit without a block does worse there."""
    lr, hr = make_pair()
    values = pixels(hr / "reflectance.tif")
    rows, cols = np.indices(values.shape[1:]) // 200
    errors = []
    for gain in (1, 1.09):
        change(hr, np.where((rows + cols) % 2 == 1, gain * values, values))
        report, _ = run(lr, hr, method="regression")
        errors.append(report["bands"]["red"]["held_out"]["rmse"])
    assert errors[1] > 2 * errors[0]


def test_uncertainties_are_those_of_many_worlds() -> None:
    """The bootstrap's standard error is the spread of the gain over worlds whose errors hang together in blocks."""
    gains, errors = [], []
    group = np.repeat(np.arange(40), 50)
    for seed in range(60):
        rng = np.random.default_rng(seed)
        x = rng.uniform(0.05, 0.4, group.size)
        y = 1.1 * x + rng.normal(0, 0.01, 40)[group] + rng.normal(0, 0.004, group.size)
        gains.append(orthogonal_line(x, y)[0])
        errors.append(standard_errors(x, y, group)[0])
    assert np.mean(errors) == pytest.approx(np.std(gains), rel=0.25)


def test_haze_across_the_scene_is_taken_out_by_the_gain_field_alone(make_pair: MakePair) -> None:
    lr, hr = make_pair()
    values = pixels(hr / "reflectance.tif")
    change(hr, values * np.linspace(0.9, 1.1, values.shape[2]))
    left = {}
    for order in (0, 2):
        report, _ = run(lr, hr, gain_field_order=order)
        left[order] = report["bands"]["red"]["after"]["rmse"]
        assert report["detail_correlation"] >= 0.99
    assert left[2] < 0.4 * left[0]
    assert report["gain_field"]["shortest_wave_px"] == KERNEL_PX
    low, high = report["gain_field"]["gain_range"][0]
    assert low == pytest.approx(1 / 1.1, abs=0.02) and high == pytest.approx(1 / 0.9, abs=0.02)


def test_a_pair_without_haze_is_left_alone_by_the_gain_field(make_pair: MakePair) -> None:
    report, _ = run(*make_pair(), gain_field_order=3)
    field = report["gain_field"] or {"gain_range": []}
    assert all(abs(gain - 1) < 0.01 for band in field["gain_range"] for gain in band)
    assert all(band["gain"] == pytest.approx(1, abs=0.005) for band in report["bands"].values())


@pytest.mark.parametrize("direction", ["hr-to-lr", "lr-to-hr"])
def test_chunks_change_nothing(make_pair: MakePair, direction: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lr, hr = make_pair(gains=(1.2, 0.85), hr_hole=(slice(500, 600), slice(500, 600)))
    images = []
    for chunk_px in (10_000, 230):
        monkeypatch.setattr("crossres.align.radiometry.normalise.CHUNK_PX", chunk_px)
        _, output = run(lr, hr, direction=direction, gain_field_order=1)
        images.append([*(pixels(output / name) for name in ("lr.tif", "hr.tif")), read_mask(output / "mask.tif")])
    for one, other in zip(*images, strict=True):
        np.testing.assert_array_equal(np.isfinite(one), np.isfinite(other))
        np.testing.assert_allclose(one, other, atol=1.5e-4)


def test_any_number_of_threads_gives_the_same_bytes(make_pair: MakePair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crossres.align.radiometry.normalise.CHUNK_PX", 230)
    lr, hr = make_pair(gains=(1.2, 0.85), hr_hole=(slice(500, 600), slice(500, 600)))
    contents = []
    for threads in (1, 2, 4):
        with computing(threads):
            _, output = run(lr, hr, gain_field_order=1)
        contents.append({p.name: p.read_bytes() for p in sorted(output.iterdir())})
    assert contents[0] == contents[1] == contents[2]


def test_a_large_scene_is_sampled_evenly_and_comes_to_the_same(
    make_pair: MakePair, monkeypatch: pytest.MonkeyPatch
) -> None:
    lr, hr = make_pair(gains=(1.2, 0.85))
    whole_scene, _ = run(lr, hr)
    monkeypatch.setattr("crossres.align.radiometry.normalise.MAX_SAMPLE", 3000)
    sampled, _ = run(lr, hr)
    assert sampled["sampled_pixels"] <= 3000 < whole_scene["sampled_pixels"]
    for band in ("red", "nir"):
        assert sampled["bands"][band]["gain"] == pytest.approx(whole_scene["bands"][band]["gain"], rel=0.01)


def test_the_band_adjustment_comes_first_where_the_sensors_are_known() -> None:
    """Gaofen-2 and Sentinel-2 over the simulated world's grounds: less is left than a line a band can reach."""
    from crossres.sensors.gaofen2 import PMS1
    from crossres.sensors.sentinel2 import S2A
    from crossres.sensors.spectral_adjustment import BANDS, band_adjustment
    from crossres.simulate.land.spectra import ground_reflectance, plant_reflectance

    rng = np.random.default_rng(0)
    seen = [np.concatenate([ground_reflectance(s)[:, :4], plant_reflectance(s)[:, :4]]) for s in (PMS1, S2A)]
    share = rng.dirichlet(np.full(len(seen[0]), 0.15), 100 * 100)
    high, low = (((share @ s).T + rng.normal(0, 1e-4, (4, 10_000))).astype(np.float32) for s in seen)
    sample = sample_of(low.reshape(4, 100, 100), (1.1 * high).reshape(4, 100, 100))
    left = []
    for matrix in (None, band_adjustment("gaofen-2", "sentinel-2a", BANDS)):
        found = fit_relations(NormaliseSettings(method="regression"), sample, matrix)
        left.append(np.sqrt(((found.apply_to(sample.high, sample.rows, sample.cols) - low) ** 2).mean(axis=1)))
    assert (left[1][:3] < 0.8 * left[0][:3]).all()
