"""Further LR dates lie where they were measured: values untouched, offsets as injected, gaps as gaps."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from align_scenes import BANDS, HR_M, LR_M, landscape, to_lr, write_folder
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.transform import Affine
from rasterio.windows import Window
from scipy import ndimage

from crossres.align.registration.dates import in_words, register_dates
from crossres.align.registration.lr_date import further_date
from crossres.align.warping.displacement import Extent, zero_field
from crossres.align.warping.nearest import nearest_pixels
from crossres.errors import UserError
from crossres.imagery.lr_dates import LrDate, date_of, read_dates
from crossres.imagery.numbers import Mask, to_dn
from crossres.imagery.raster import grid_of
from crossres.imagery.scene import make_scene, open_scene
from crossres.settings.coregister import CoregisterSettings
from crossres.settings.grid import GridSettings
from crossres.simulate.land.landscape import make_landscape, theme_of
from crossres.simulate.schedule import sentinel2_passes
from crossres.simulate.sentinel2.product import write_sentinel2
from crossres.simulate.sites import site

GRID = GridSettings(gsd_m=2.5, bands=BANDS)
WINDOW = Window(10, 20, 100, 90)
SIZE = 800


def seen(seed: int, shift_px: tuple[float, float], noise: float = 0.002) -> np.ndarray:
    """Return what the LR sensor sees when the image's content lies (down, right) by so many LR pixels."""
    moved = ndimage.shift(landscape(seed, SIZE), (0, *(s * LR_M / HR_M for s in shift_px)), order=3, mode="nearest")
    return (to_lr(moved) + np.random.default_rng(seed + 5).normal(0, noise, (2, 160, 160))).astype(np.float32)


def run(folder: Path, further: list[Path], count: int, **settings: Any) -> tuple[list[LrDate], list[dict[str, Any]]]:
    (folder / "registration.json").write_text(json.dumps({"lr_window": [10, 20, 100, 90]}))
    pair = {"id": "hr--lr", "further_dates": [path.name for path in further]}
    out = folder / "aligned"
    register_dates(
        CoregisterSettings(**settings), GRID, count, pair, folder / "lr", further, folder / "registration.json", out
    )
    said = json.loads((out / "dates.json").read_text())
    assert (said["pair"], said["lr_dates"]) == ("hr--lr", count)
    assert (out / "dates.png").stat().st_size > 10_000
    assert grid_of(out / "dates.tif") == grid_of(folder / "lr" / "reflectance.tif")[20:110, 10:110]
    return read_dates(out / "dates.tif", len(BANDS)), said["dates"]


def test_a_shifted_date_is_laid_back_by_whole_pixels_and_says_where_it_was_measured(tmp_path: Path) -> None:
    write_folder(tmp_path / "lr", seen(0, (0, 0)), LR_M)
    shift = 0.7, -1.3  # what the date shows lies lower and further left
    mask = np.full((160, 160), Mask.CLEAR, np.uint8)
    mask[60:70, 40:60] = Mask.CLOUD
    other = write_folder(tmp_path / "second", seen(0, shift), LR_M, mask=mask)
    [date], [report] = run(tmp_path, [other], 2)
    assert report["accepted"] and report["model"] == "shift" and report["scene"] == "second"
    assert report["shift_m"] == pytest.approx((-13.0, -7.0), abs=0.5)
    assert in_words(report | {"days_after_first": -5.2}).startswith("5 days before the first, shift, shift -12.")

    # Content of pixel p lies at p + shift; the nearest pixel is one row below and one column to the left.
    pixels = open_scene(other).reflectance.values[:, 21:111, 9:109]
    clear = np.ones((90, 100), bool)
    clear[60 - 21 : 70 - 21, 40 - 9 : 60 - 9] = False
    np.testing.assert_array_equal(to_dn(date.values)[:, clear], to_dn(pixels)[:, clear])
    assert np.isnan(date.values[:, ~clear]).all() and np.isnan(date.offsets[:, ~clear]).all()
    assert report["clear_share"] == pytest.approx(clear.mean())
    # Its ground lies at (p + (1, -1)) - shift.
    assert np.median(date.offsets[0][clear]) == pytest.approx(0.3, abs=0.05)
    assert np.median(date.offsets[1][clear]) == pytest.approx(0.3, abs=0.05)


def test_a_date_of_other_ground_or_under_cloud_has_no_values_and_a_missing_one_neither(tmp_path: Path) -> None:
    write_folder(tmp_path / "lr", seen(0, (0, 0)), LR_M)
    clouds = np.full((160, 160), Mask.CLOUD, np.uint8)
    clouds[:20, :20] = Mask.CLEAR
    further = [
        write_folder(tmp_path / "elsewhere", seen(7, (0, 0)), LR_M),
        write_folder(tmp_path / "cloudy", seen(0, (0.2, 0)), LR_M, mask=clouds),
        write_folder(tmp_path / "far", seen(0, (0, 0)), LR_M, (90_000, 0)),
        write_folder(tmp_path / "coarse", seen(0, (0, 0)), 2 * LR_M),
        write_folder(tmp_path / "good", seen(0, (0.2, 0)), LR_M),
    ]
    dates, reports = run(tmp_path, further, 8)
    assert [report["accepted"] for report in reports] == [False] * 4 + [True]
    assert "windows" in reports[0]["reason"] and "clear pixels" in reports[1]["reason"]
    assert reports[2]["reason"] == "it has no area in common with the first date"
    assert reports[3]["reason"] == "its pixels are 2 times as large as those of the first date"
    assert [bool(np.isfinite(date.values).any()) for date in dates] == [False] * 4 + [True] + [False] * 2
    assert [report["clear_share"] for report in reports] == [0, 0, 0, 0, 1]
    assert in_words(reports[3]) == f"declined: {reports[3]['reason']}"


def test_scenes_that_do_not_fit_the_pair_are_refused(tmp_path: Path) -> None:
    write_folder(tmp_path / "lr", seen(0, (0, 0)), LR_M)
    with pytest.raises(UserError, match="pair p: has 1 further dates, but 0 scenes are given"):
        register_dates(
            CoregisterSettings(), GRID, 2, {"id": "p", "further_dates": ["a"]}, tmp_path / "lr", [], tmp_path, tmp_path
        )


def test_a_date_that_is_taken_as_aligned_lies_where_its_grid_says(tmp_path: Path) -> None:
    write_folder(tmp_path / "lr", seen(0, (0, 0)), LR_M)
    other = write_folder(tmp_path / "second", seen(0, (0, 0)), LR_M, (3.0, 14.0))
    [date], [report] = run(tmp_path, [other], 2, model="none")
    assert report["accepted"] and report["model"] == "none" and "shift_m" not in report
    # The grid lies 3 m further east and 14 m further north: the pixel a row below is nearest, 4 m too high.
    pixels = open_scene(other).reflectance.values[:, 21:111, 10:110]
    np.testing.assert_array_equal(to_dn(date.values), to_dn(pixels))
    np.testing.assert_allclose(date.offsets[0], -0.4, atol=1e-4)
    np.testing.assert_allclose(date.offsets[1], 0.3, atol=1e-4)
    assert "taken as aligned" in in_words(report)


def test_in_another_zone_offsets_lead_to_the_ground_of_the_pixels_that_are_taken(monkeypatch: Any) -> None:
    """Each pixel of the other grid holds its own column and row; where it lies is computed apart."""
    lr = GeoBox((60, 70), Affine(10, 0, 700_000, 0, -10, 4_000_000), "EPSG:32650")
    to_51 = Transformer.from_crs("EPSG:32650", "EPSG:32651", always_xy=True)
    east, north = to_51.transform(700_350, 3_999_700)
    own = GeoBox((200, 200), Affine(10, 0, round(east) - 1003, 0, -10, round(north) + 1004), "EPSG:32651")
    rows, cols = np.indices((200, 200)) * 1e-3
    mask = np.zeros((200, 200), np.uint8)
    scene = make_scene(np.stack([rows, cols]).astype(np.float32), own, BANDS, {}, mask).chunk({"y": 64, "x": 64})
    field = zero_field(Extent(0, 0, 60, 70, 16))
    window = Window(5, 4, 50, 40)
    numbers = nearest_pixels(scene, lr, window, field)
    date = date_of(numbers.compute())
    assert np.isfinite(date.values).all()
    assert np.abs(date.offsets).max() == pytest.approx(0.52, abs=0.02)  # the grids are turned by 2.5 degrees

    x, y = own.affine @ (date.values[1].astype(np.float64) * 1e3 + 0.5, date.values[0].astype(np.float64) * 1e3 + 0.5)
    back = Transformer.from_crs("EPSG:32651", "EPSG:32650", always_xy=True)
    there = (~lr.affine) @ back.transform(np.asarray(x), np.asarray(y))
    r, c = np.mgrid[4:44, 5:55]
    np.testing.assert_allclose(date.offsets[0], there[1] - 0.5 - r, atol=2e-3)
    np.testing.assert_allclose(date.offsets[1], there[0] - 0.5 - c, atol=2e-3)

    monkeypatch.setattr("crossres.align.warping.nearest.CHUNK_PX", 16)
    np.testing.assert_array_equal(nearest_pixels(scene, lr, window, field).compute(), numbers.compute())


def test_dates_of_a_simulated_place_are_found_to_half_of_what_is_asked_for(tmp_path: Path) -> None:
    """Asked for is 0.1 LR pixels; measured were 0.024 RMS over both axes on three places of 1.6 km with eight dates."""
    place, size, gsd = 3, 1280.0, 1.6
    land = make_landscape([0, place, 0], theme_of(place), round((size + 160) / gsd), gsd, 0.04, True)
    scenes, shifts = [], []
    for number, one in enumerate(sentinel2_passes(place, 4)):
        if number == 1:
            continue  # cloudy
        truth = write_sentinel2(tmp_path, [0, place, 2, number], site(place), land, one, size, location_error_m=3.0)
        bands = [open_scene(tmp_path / truth.item_id / f"{name}.tif") for name in ("B02", "B03", "B04", "B08")]
        values = np.concatenate([band.reflectance.values for band in bands]) * 1e-4 - 0.1
        cover = open_scene(tmp_path / truth.item_id / "SCL.tif").reflectance.values[0]
        clouded = np.isin(cover, (3, 8, 9, 10)).repeat(2, axis=0).repeat(2, axis=1)
        names = ("blue", "green", "red", "nir")
        mask = np.where(clouded, Mask.CLOUD, Mask.CLEAR).astype(np.uint8)
        scene = make_scene(values.astype(np.float32), bands[0].odc.geobox, names, {}, mask)
        scenes.append(scene.chunk({"y": 64, "x": 64}))
        shifts.append(np.array(truth.shift_m))
    for scene, shift in zip(scenes[1:], shifts[1:], strict=True):
        found = further_date(CoregisterSettings(), names, scenes[0], scene, Window(0, 0, 128, 128))
        assert found.numbers is not None, found.report["reason"]
        east, north = (shift - shifts[0]) / 10
        # A value's ground: its pixel, less how far the date's content lies off the first's.
        want = np.rint((-north, east)) - (-north, east)
        offsets = date_of(found.numbers.compute()).offsets
        error = offsets[:, 8:-8, 8:-8] - want[:, None, None]
        error -= np.rint(error)  # near half a pixel either neighbour is right
        assert np.sqrt(np.nanmean(error**2, axis=(1, 2)).sum()) < 0.05
