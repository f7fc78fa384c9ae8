"""Normalisation undoes a known relation, leaves a matched pair as it is, and keeps HR's own detail."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from crossres.align.changes import changed_areas
from crossres.align.irmad import no_change_probability
from crossres.align.normalise import normalise
from crossres.align.relation import orthogonal_line, quantile_curve, standard_errors
from crossres.grids import crop, fine_grid, scale_factor
from crossres.rasters import Mask, Scene, grid_of, read_mask, read_scene, write_scene
from crossres.settings.grid import GridSettings
from crossres.settings.normalise import NormaliseSettings

GRID = GridSettings(gsd_m=2.0, bands=("red", "nir"))
MakePair = Callable[..., tuple[Path, Path]]


def run(lr: Path, hr: Path, accepted: bool = True, **settings: Any) -> tuple[dict[str, Any], Path]:
    """Normalise a pair whose HR scene lies exactly on the fine grid, as `coregister` would leave it."""
    output = lr.parent / "aligned"
    registered = read_scene(hr / "reflectance.tif")
    write_scene(output / "registered.tif", registered)
    state = {"pair": "hr--lr", "accepted": accepted, "lr_window": [0, 0, 160, 160], "factor": "5/1"}
    (output / "registration.json").write_text(json.dumps(state))
    normalise(NormaliseSettings(**settings), GRID, lr, output / "registered.tif", output / "registration.json", output)
    return json.loads((output / "radiometry.json").read_text()), output


def test_a_gain_and_an_offset_are_found_in_either_direction(make_pair: MakePair) -> None:
    lr, hr = make_pair(gains=(1.2, 0.85), offsets=(0.02, -0.03))
    report, output = run(lr, hr)
    for band, gain, offset in (("red", 1.2, 0.02), ("nir", 0.85, -0.03)):
        found = report["bands"][band]
        assert found["gain"] == pytest.approx(gain, rel=0.01)
        assert found["offset"] == pytest.approx(offset, abs=0.003)
        assert 0 < found["gain_standard_error"] < 0.02
        assert found["after"]["rmse"] < 0.005 < found["before"]["rmse"]
    low, high = read_scene(output / "lr.tif"), read_scene(output / "hr.tif")
    assert high.grid == fine_grid(low.grid, scale_factor(10, 2))
    assert abs(high.values.mean() - low.values.mean()) < 0.001

    back, output = run(lr, hr, direction="lr-to-hr")
    assert back["bands"]["red"]["gain"] == pytest.approx(1 / 1.2, rel=0.01)
    np.testing.assert_array_equal(read_scene(output / "hr.tif").values, read_scene(hr / "reflectance.tif").values)


def test_a_matched_pair_stays_as_it_is(make_pair: MakePair) -> None:
    lr, hr = make_pair()
    report, output = run(lr, hr)
    for band in report["bands"].values():
        assert band["gain"] == pytest.approx(1, abs=0.005) and abs(band["offset"]) < 0.001
    assert report["changed_share"] == 0
    np.testing.assert_allclose(
        read_scene(output / "hr.tif").values, read_scene(hr / "reflectance.tif").values, atol=0.002
    )


@pytest.mark.parametrize("method", ["irmad", "histogram", "regression"])
def test_hr_keeps_its_own_detail(make_pair: MakePair, method: str) -> None:
    report, _ = run(*make_pair(gains=(1.3, 0.8)), method=method)
    assert report["normalised"] and report["detail_correlation"] >= 0.99


def test_change_does_not_bend_the_relation_and_is_masked(make_pair: MakePair) -> None:
    lr, hr = make_pair(gains=(1.2, 0.85))
    scene = read_scene(hr / "reflectance.tif")
    values = scene.values.copy()
    values[:, 150:550, 200:500] = values[:, 400:800, 500:800][:, ::-1] + 0.05
    write_scene(hr / "reflectance.tif", Scene(values, scene.grid, scene.bands))
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
    scene = read_scene(lr / "reflectance.tif")
    values = scene.values.copy()
    values[:, 20:60, 20:60] = 0.9
    write_scene(lr / "reflectance.tif", Scene(values, scene.grid, scene.bands))
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
    np.testing.assert_array_equal(read_scene(output / "hr.tif").values, read_scene(hr / "reflectance.tif").values)


def test_too_few_invariant_pixels_leave_the_pair_and_say_so(make_pair: MakePair) -> None:
    report, _ = run(*make_pair(gains=(1.2, 0.8)), min_pifs=20_000)
    assert not report["normalised"] and "normalise.min_pifs" in report["reason"]


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
    p = no_change_probability(x, y)
    assert np.median(p[:2000]) < 1e-6 < 0.2 < np.median(p[2000:])


def test_irmad_has_nothing_to_say_of_equal_images() -> None:
    x = np.random.default_rng(0).normal(size=(500, 4))
    assert (no_change_probability(x, 2 * x + 1) == 1).all()
    assert np.isfinite(no_change_probability(np.repeat(x[:, :1], 4, axis=1), x)).all(), "copies of a band are no error"


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
    found = changed_areas(p, 1e-6, low, low + 0.1)
    assert found[28:36, 10:20].all() and found.sum() == 80
    assert not changed_areas(p, 1e-6, low, low + 0.001).any(), "what cannot be seen is not land cover"


def test_gain_and_offset_on_real_sentinel2_with_a_third_changed(real_data: Path) -> None:
    from crossres.align.radiometry import fit_relations

    scene = read_scene(next((real_data / "sentinel2").glob("bolzano*.tif")))
    image = scene.values[:4] * 1e-4
    valid = np.isfinite(image).all(axis=0)
    rows, cols = np.nonzero(ndimage.binary_erosion(valid, np.ones((3, 3)), iterations=100))
    image = image[:, rows[0] - 100 : rows[0] + 100, cols[0] - 100 : cols[0] + 100]
    rng = np.random.default_rng(0)
    blobs = ndimage.gaussian_filter(rng.normal(size=image.shape[1:]), 10)
    changed = blobs > np.quantile(blobs, 0.65)
    gains = np.array([1.18, 0.87, 1.1, 0.92])[:, None, None]
    other = np.where(changed, np.roll(image, (70, 90), axis=(1, 2)), image) * gains + 0.01
    other = (other + rng.normal(0, 0.002, image.shape)).astype(np.float32)
    found = fit_relations(NormaliseSettings(), image, other, np.ones(changed.shape, bool), accepted=True)
    truth = (other - 0.01) / gains
    errors = [
        abs(a - t)[~changed].mean() / i[~changed].mean()
        for a, t, i in zip(found.apply(other), truth, image, strict=True)
    ]
    assert max(errors) < 0.006
