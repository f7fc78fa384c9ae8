"""What must not be registered is declined, and what can be is right, on odd grids too."""

import json
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
from align_scenes import BANDS, HR_M, LR_M, ORIGIN, landscape, pixels, to_lr
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine
from scipy import ndimage

from crossres.align.registration.coregister import coregister
from crossres.align.registration.register import Registration, register
from crossres.align.warping.degrade import Blurred, blur
from crossres.errors import UserError
from crossres.imagery.numbers import Mask
from crossres.imagery.raster import write_mask
from crossres.imagery.scene import make_scene, write_scene
from crossres.settings.coregister import CoregisterSettings
from crossres.settings.grid import GridSettings
from crossres.simulate.sentinel2.clouds import draw_clouds

SETTINGS = CoregisterSettings()
SIDE = 120
GRID = GeoBox((SIDE, SIDE), Affine(LR_M, 0, ORIGIN[0], 0, -LR_M, ORIGIN[1]), "EPSG:32650")
FALSE_PX = 0.3
"""A pair is falsely accepted when its field is further off than this RMSE in LR pixels."""


def hr_image(seed: int) -> np.ndarray:
    return landscape(seed, 800)[:, : SIDE * 5, : SIDE * 5].copy()


def noisy(image: np.ndarray, seed: int) -> np.ndarray:
    return (image + np.random.default_rng([seed, 3]).normal(0, 0.002, image.shape)).astype(np.float32)


def blurred(hr: np.ndarray, shift_m: tuple[float, float] = (0, 0)) -> Blurred:
    grid = GeoBox(hr.shape[1:], Affine(HR_M, 0, ORIGIN[0] + shift_m[0], 0, -HR_M, ORIGIN[1] + shift_m[1]), GRID.crs)
    return blur(da.from_array(hr, chunks=(-1, 1024, 1024), name=False), grid, GRID, (0.25, 0.25))


def run(lr: np.ndarray, hr: Blurred) -> Registration:
    return register(SETTINGS, lr, GRID, (0, 0), hr, 15)


def error_px(found: Registration, shift_px: tuple[float, float]) -> float:
    d = found.field.on_grid(np.arange(SIDE), np.arange(SIDE))
    return float(np.sqrt(((d.rows - shift_px[0]) ** 2 + (d.cols - shift_px[1]) ** 2).mean()))


def test_unrelated_pairs_are_declined() -> None:
    for seed in range(4):
        found = run(noisy(to_lr(hr_image(0)), 0), blurred(np.rot90(hr_image(1 + seed % 2), seed, axes=(1, 2))))
        assert not found.accepted, found.report((LR_M, -LR_M))


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 1.0])
def test_clouds_that_no_mask_knows_of_never_lead_astray(share: float) -> None:
    rng = np.random.default_rng(int(share * 10))
    lr, hr = to_lr(hr_image(0)), hr_image(0)
    for image, gsd in ((lr, LR_M), (hr, HR_M)):
        clouds = draw_clouds(rng, image.shape[1], gsd, share, float(rng.uniform(0, 360)), 50.0)
        for k, band in enumerate(BANDS):
            image[k] = clouds.over(image[k], band)
    found = run(noisy(lr, 0), blurred(hr, (12, 7)))
    assert not found.accepted or error_px(found, (-0.7, 1.2)) < FALSE_PX
    assert found.accepted == (share == 0.3) or share == 0.6


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_water_with_glint_never_leads_astray(share: float) -> None:
    lr, hr = to_lr(hr_image(0)), hr_image(0)
    for k, image in enumerate((lr, hr)):
        rng = np.random.default_rng([k, 5])
        glint = np.maximum(ndimage.gaussian_filter(rng.normal(size=image.shape[1:]), 1), 0.35) - 0.35
        lake = 0.05 + 0.3 * glint + rng.normal(0, 0.004, image.shape)
        width = round(share * image.shape[2])
        image[:, :, :width] = lake[:, :, :width]
    found = run(noisy(lr, 0), blurred(hr, (12, 7)))
    assert found.accepted == (share < 1)
    if found.accepted:
        d = found.field.on_grid(np.arange(SIDE), np.arange(SIDE // 2 + 8, SIDE))
        assert np.hypot(d.rows + 0.7, d.cols - 1.2).max() < FALSE_PX


@pytest.mark.parametrize(("step_px", "landscape_seed"), [(1.0, 0), (2.0, 2), (3.0, 0), (3.0, 1), (4.0, 1)])
def test_the_field_follows_a_seam_or_its_windows_are_declined(step_px: float, landscape_seed: int) -> None:
    hr = hr_image(landscape_seed)
    half = hr.shape[2] // 2
    mosaic = hr.copy()
    mosaic[:, :, half:] = np.roll(hr, round(step_px * LR_M / HR_M), axis=1)[:, :, half:]
    found = run(noisy(to_lr(hr), 0), blurred(mosaic))
    assert found.accepted
    away = np.r_[0 : SIDE // 2 - 24, SIDE // 2 + 24 : SIDE]
    d = found.field.on_grid(np.arange(8, SIDE - 8), away)
    truth = np.where(away < SIDE // 2, 0.0, step_px)
    error = np.hypot(d.rows - truth, d.cols)
    assert error.max() < FALSE_PX and np.sqrt((error**2).mean()) < FALSE_PX / 2
    kept = found.tie_points.kept
    off = found.tie_points.displacement[kept, 0] - found.field.at(*found.tie_points.points[kept].T)[:, 0]
    assert np.abs(off).max() <= SETTINGS.max_residual_px


def test_a_gap_both_images_share_does_not_hold_the_match_to_zero() -> None:
    lr, hr = noisy(to_lr(hr_image(0)), 0), hr_image(0)
    rng = np.random.default_rng(0)
    for r, c in rng.integers(0, SIDE - 12, (25, 2)):
        lr[:, r : r + 10, c : c + 10] = np.nan
        hr[:, 5 * r : 5 * r + 50, 5 * c : 5 * c + 50] = np.nan
    found = run(lr, blurred(hr, (4, 6)))
    assert found.accepted and error_px(found, (-0.6, 0.4)) < 0.1


@settings(
    max_examples=8,
    phases=[Phase.generate],
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    height=st.integers(31, 75),
    width=st.integers(31, 75),
    angle=st.sampled_from([0.0, 0.0, 7.0, -30.0]),
    south_up=st.booleans(),
    crs=st.sampled_from(["EPSG:32650", "EPSG:32651", "EPSG:4326"]),
    overlap_px=st.sampled_from([1, 9, 200]),
    edge=st.integers(0, 20),
)
def test_any_grid_gives_a_right_field_or_one_clear_line(
    tmp_path_factory: pytest.TempPathFactory, height: int, width: int, angle: float, south_up: bool, crs: str,
    overlap_px: int, edge: int,
) -> None:  # fmt: skip
    tmp_path: Path = tmp_path_factory.mktemp("odd")
    lr = noisy(to_lr(hr_image(0)), 0)[:, :height, :width]
    lr_grid = GRID.affine
    if south_up:
        lr, lr_grid = lr[:, ::-1], lr_grid * Affine.translation(0, height) * Affine.scale(1, -1)
    write_pair_member(tmp_path / "lr", np.ascontiguousarray(lr), GeoBox(lr.shape[1:], lr_grid, "EPSG:32650"))
    native = GeoBox((SIDE * 5,) * 2, Affine(HR_M, 0, ORIGIN[0], 0, -HR_M, ORIGIN[1]), "EPSG:32650")
    there = resampled_grid(native, crs, angle, overlap_px)
    write_pair_member(tmp_path / "hr", resampled(hr_image(0), native, there, edge), there)
    try:
        coregister(
            SETTINGS, GridSettings(gsd_m=5, bands=BANDS), {"id": "p"}, tmp_path / "lr", tmp_path / "hr", tmp_path
        )
    except UserError as error:
        assert "\n" not in str(error) and "pair p" in str(error)
        assert not (tmp_path / "registered.tif").exists()
        return
    report = json.loads((tmp_path / "registration.json").read_text())
    if report["accepted"]:
        assert np.hypot(*report["shift_m"]) < 0.1 * LR_M
        assert np.isfinite(pixels(tmp_path / "registered.tif")).any()
    else:
        assert report["reason"]


def write_pair_member(folder: Path, values: np.ndarray, grid: GeoBox) -> None:
    write_scene(folder / "reflectance.tif", make_scene(values, grid, BANDS))
    write_mask(folder / "mask.tif", np.where(np.isfinite(values[0]), Mask.CLEAR, Mask.NODATA), grid)


def resampled_grid(native: GeoBox, crs: str, angle: float, overlap_px: int) -> GeoBox:
    """Return a grid of the HR image in another CRS or turned, moved off to overlap the LR by so many of its pixels."""
    grid = native if crs == "EPSG:32650" else native.to_crs(crs)
    turn = Affine.rotation(angle, (grid.shape[1] / 2, grid.shape[0] / 2))
    grid = GeoBox(grid.shape, grid.affine * turn, grid.crs)
    if overlap_px < 100 and crs == "EPSG:32650" and not angle:
        off = SIDE * 5 - overlap_px * 5
        grid = GeoBox(grid.shape, grid.affine * Affine.translation(-off, -off), grid.crs)
    return grid


def resampled(image: np.ndarray, native: GeoBox, there: GeoBox, edge: int) -> np.ndarray:
    """Return the HR image on another grid, NaN where it has none and along an edge."""
    from rasterio.warp import Resampling, reproject

    values = np.full((len(image), *there.shape), np.nan, np.float32)
    reproject(image, values, src_transform=native.affine, src_crs=str(native.crs), dst_transform=there.affine,
              dst_crs=str(there.crs), resampling=Resampling.cubic, src_nodata=np.nan, dst_nodata=np.nan)  # fmt: skip
    if edge:
        values[:, :edge] = values[:, :, -edge:] = np.nan
    return values
