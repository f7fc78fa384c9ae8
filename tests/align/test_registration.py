"""Registration finds what was injected, and declines what it cannot know."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
from align_scenes import HR_M, LR_M, landscape, pixels, to_lr, write_folder
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine

from crossres.align.registration.coregister import coregister
from crossres.errors import UserError
from crossres.grids import crop, fine_grid, scale_factor
from crossres.imagery.engine import computing
from crossres.imagery.numbers import Mask
from crossres.imagery.raster import grid_of, write_mask
from crossres.imagery.scene import make_scene, open_scene, write_scene
from crossres.settings.coregister import CoregisterSettings
from crossres.settings.grid import GridSettings

GRID = GridSettings(gsd_m=2.5, bands=("red", "nir"))
PAIR = {"id": "hr--lr"}
MakePair = Callable[..., tuple[Path, Path]]


def run(lr: Path, hr: Path, grid: GridSettings = GRID, **settings: Any) -> dict[str, Any]:
    output = lr.parent / "aligned"
    coregister(CoregisterSettings(**settings), grid, PAIR, lr, hr, output)
    return json.loads((output / "registration.json").read_text())


def test_a_pair_taken_as_aligned_is_not_moved_and_says_that_nothing_was_measured(make_pair: MakePair) -> None:
    lr, hr = make_pair()
    report = run(lr, hr, GridSettings(gsd_m=2.0, bands=GRID.bands), model="none")
    assert report["accepted"] and report["model"] == "none"
    assert "nothing was measured or moved" in report["statement"]
    assert not {"shift_m", "rmse_held_out_px", "tie_points"} & report.keys()
    assert report["lr_window"] == [0, 0, 160, 160]
    moved, before = (pixels(path) for path in (lr.parent / "aligned/registered.tif", hr / "reflectance.tif"))
    np.testing.assert_allclose(moved, before, atol=1e-4)
    assert len(gpd.read_parquet(lr.parent / "aligned/tie_points.parquet")) == 0


def test_the_edge_of_a_small_chip_is_kept(tmp_path: Path) -> None:
    chip = landscape(3, 160)
    lr = write_folder(tmp_path / "lr", to_lr(chip), LR_M)
    hr = write_folder(tmp_path / "hr", chip, HR_M)
    report = run(lr, hr, GridSettings(gsd_m=2.0, bands=GRID.bands), model="none")
    assert report["lr_window"] == [0, 0, 32, 32]
    assert np.isfinite(pixels(tmp_path / "aligned/registered.tif")).all()


@pytest.mark.parametrize("shift_m", [(0, 0), (3.7, -6.2), (20, -60)])
def test_an_injected_shift_is_found_and_undone(make_pair: MakePair, shift_m: tuple[float, float]) -> None:
    lr, hr = make_pair(shift_m=shift_m)
    report = run(lr, hr)
    assert report["accepted"] and report["model"] == "shift"
    assert np.hypot(*np.subtract(report["shift_m"], shift_m)) < 0.5  # 0.05 LR pixels
    assert report["rmse_held_out_px"] < 0.06

    fine, truth = pixels(lr.parent / "aligned" / "registered.tif"), pixels(lr / "reflectance.tif")
    col, row, width, height = report["lr_window"]
    means = fine.reshape(2, height, 4, width, 4).mean(axis=(2, 4))
    window = truth[:, row : row + height, col : col + width]
    seen = np.isfinite(means).all(axis=0)
    for a, b in zip(means, window, strict=True):
        assert np.corrcoef(a[seen], b[seen])[0, 1] > 0.97


def test_an_affine_map_is_followed_to_a_twentieth_of_a_pixel(make_pair: MakePair) -> None:
    lr, hr = make_pair(warp=lambda r, c: np.array([0.002 * (r - 400), -0.002 * (c - 400)]))
    report = run(lr, hr)
    assert report["accepted"] and report["model"] != "shift"
    points = gpd.read_parquet(lr.parent / "aligned" / "tie_points.parquet")
    points = points[points["kept"]]
    # HR content at p + d is what LR has at p: d + warp(p + d) = 0, in LR pixels around the middle.
    row = points["d_row_px"] + 0.002 * (points["row"] + points["d_row_px"] - 79.5)
    col = points["d_col_px"] - 0.002 * (points["col"] + points["d_col_px"] - 79.5)
    assert np.sqrt((row**2 + col**2).mean()) < 0.05


def test_a_local_warp_needs_a_spline(make_pair: MakePair) -> None:
    def warp(r: np.ndarray, c: np.ndarray) -> np.ndarray:
        return np.array([5 * np.sin(c / 90), 5 * np.sin(r / 110)])

    report = run(*make_pair(warp=warp))
    assert report["accepted"] and report["model"] == "spline"
    scores = report["rmse_held_out_by_model_px"]
    assert report["rmse_held_out_px"] < 0.1 < 0.25 < scores["shift"]


def test_two_different_places_are_declined_and_left_unmoved(make_pair: MakePair) -> None:
    lr, hr = make_pair(hr_seed=1)
    report = run(lr, hr)
    assert not report["accepted"] and "windows" in report["reason"]
    assert (lr.parent / "aligned" / "registered.tif").exists()
    same = pixels(lr.parent / "aligned" / "registered.tif")
    native = pixels(hr / "reflectance.tif")
    middle = np.s_[:, 300:340, 300:340]
    assert abs(same[middle].mean() - native[:, 375:425, 375:425].mean()) < 0.01


def test_clouds_take_their_windows_out_and_not_the_pair(make_pair: MakePair) -> None:
    mask = np.full((160, 160), Mask.CLEAR)
    mask[:, :70] = Mask.CLOUD
    lr, hr = make_pair(shift_m=(4, 4), lr_mask=mask)
    report = run(lr, hr)
    assert report["accepted"]
    assert report["declined_windows"]["too few clear pixels"] > 10
    points = gpd.read_parquet(lr.parent / "aligned" / "tie_points.parquet")
    assert points[points["kept"]]["col"].min() > 70
    assert (points[~points["kept"]]["reason"] != "").all()


def test_an_all_clouded_pair_is_declined_with_that_reason(make_pair: MakePair) -> None:
    report = run(*make_pair(lr_mask=np.full((160, 160), Mask.CLOUD)))
    assert not report["accepted"] and "clear pixels" in report["reason"]


def test_no_fine_pixel_is_made_of_nodata(make_pair: MakePair) -> None:
    lr, hr = make_pair(hr_hole=(slice(300, 350), slice(300, 350)))
    run(lr, hr)
    registered = pixels(lr.parent / "aligned" / "registered.tif")
    hole = ~np.isfinite(registered).all(axis=0)
    assert 1600 <= hole.sum() <= 44**2  # 100 m square, a pixel of margin and the shift's remainder
    assert np.nanmin(registered) > -0.05


def test_the_fine_grid_divides_whole_lr_pixels(make_pair: MakePair) -> None:
    lr, hr = make_pair(shift_m=(13, -17))
    for gsd in (2.5, 4.0):
        report = run(lr, hr, GridSettings(gsd_m=gsd, bands=GRID.bands))
        col, row, width, height = report["lr_window"]
        from rasterio.windows import Window

        expected = fine_grid(
            crop(grid_of(lr / "reflectance.tif"), Window(col, row, width, height)), scale_factor(10, gsd)
        )
        assert grid_of(lr.parent / "aligned" / "registered.tif") == expected
        assert all(side % 4 == 0 for side in expected.shape)


def test_a_scene_in_another_utm_zone_is_registered_too(make_pair: MakePair, tmp_path: Path) -> None:
    from rasterio.warp import Resampling, reproject

    lr, hr = make_pair()
    grid, source = grid_of(hr / "reflectance.tif"), pixels(hr / "reflectance.tif")
    there = grid.to_crs("EPSG:32651")
    values = np.full((2, *there.shape), np.nan, np.float32)
    reproject(source, values, src_transform=grid.affine, src_crs="EPSG:32650", dst_transform=there.affine,
              dst_crs="EPSG:32651", resampling=Resampling.cubic, src_nodata=np.nan, dst_nodata=np.nan)  # fmt: skip
    write_scene(tmp_path / "other" / "reflectance.tif", make_scene(values, there, GRID.bands))
    write_mask(tmp_path / "other" / "mask.tif", np.where(np.isfinite(values[0]), Mask.CLEAR, Mask.NODATA), there)
    report = run(lr, tmp_path / "other")
    assert report["accepted"] and np.hypot(*report["shift_m"]) < 0.5


def test_the_same_pair_gives_the_same_bytes(make_pair: MakePair) -> None:
    lr, hr = make_pair(shift_m=(5, 5))
    folder = lr.parent / "aligned"
    contents = []
    for _ in range(2):
        run(lr, hr)
        contents.append({p.name: p.read_bytes() for p in sorted(folder.iterdir())})
    assert set(contents[0]) == {"registered.tif", "registration.json", "tie_points.parquet", "registration.png"}
    assert contents[0] == contents[1]


def test_any_number_of_threads_gives_the_same_bytes(make_pair: MakePair, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("degrade", "resample"):
        monkeypatch.setattr(f"crossres.align.warping.{module}.CHUNK_PX", 256)
    lr, hr = make_pair(shift_m=(5, 5), hr_hole=(slice(300, 350), slice(300, 350)))
    contents = []
    for threads in (1, 2, 4):
        with computing(threads):
            run(lr, hr)
        contents.append({p.name: p.read_bytes() for p in sorted((lr.parent / "aligned").iterdir())})
    assert contents[0] == contents[1] == contents[2]


def test_scenes_far_apart_are_a_clear_error(make_pair: MakePair) -> None:
    lr, hr = make_pair(shift_m=(90_000, 0))
    with pytest.raises(UserError, match="no area in common"):
        run(lr, hr)


def test_a_real_aerial_frame_is_registered_to_sentinel2(real_data: Path, tmp_path: Path) -> None:
    bands = ("red", "green", "blue")
    for name, file in (("lr", "sentinel2_b432_byte.tif"), ("hr", "ngi_rgb_byte_3.tif")):
        scene = open_scene(real_data / "pair_s2_ngi" / file)
        values = scene.reflectance.values[:, slice(700) if name == "hr" else slice(500, 900)] / np.float32(255)
        affine = scene.odc.geobox.affine * Affine.translation(0, 0 if name == "hr" else 500)
        grid = GeoBox(values.shape[1:], affine, scene.odc.geobox.crs)
        write_scene(tmp_path / name / "reflectance.tif", make_scene(values, grid, bands))
        gaps = ~np.isfinite(values).all(axis=0)
        write_mask(tmp_path / name / "mask.tif", np.where(gaps, Mask.NODATA, Mask.CLEAR), grid)
    report = run(tmp_path / "lr", tmp_path / "hr", GridSettings(gsd_m=5, bands=bands))
    assert report["accepted"]
    # On pixels that the field has not seen; a check window scatters by 0.06 to 0.09 itself, relief does the rest.
    assert report["rmse_held_out_px"] <= 0.13 and report["rejected_check_share"] < 0.15
    east, north = report["shift_m"]
    assert -4.5 < east < -1.5 and -7 < north < -4  # what others measured: 0.25 to 0.38 and 0.5 to 0.63 pixels
