"""Patches: what is kept, what is declined and why."""

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.transform import Affine
from scipy import ndimage
from shapely.affinity import translate
from shapely.geometry import Point, box

from crossres.grids import fine_grid
from crossres.imagery.engine import computing
from crossres.imagery.numbers import Mask
from crossres.imagery.raster import open_raster, write_mask
from crossres.imagery.scene import bands_of, make_scene, open_scene, write_scene
from crossres.operators import area
from crossres.pairs.extract import extract
from crossres.pairs.ground import centres, widened
from crossres.pairs.patch_file import PORTION, PatchWriter, portion, read_patches
from crossres.pairs.quality import correlation, measure, moments, residual_shift
from crossres.settings.grid import GridSettings
from crossres.settings.patches import PatchSettings

WritePair = Callable[..., tuple[dict[str, Any], Path]]
BANDS = ("red", "nir")
WEIGHTS = area(1, Fraction(4)).dense()
REST = np.array([[0.0, 0.005]] * 2)


def run(
    pair: dict[str, Any], folder: Path, gsd_m: float = 2.5, **limits: Any
) -> tuple[dict[str, np.ndarray], gpd.GeoDataFrame]:
    patches, index = folder / "patches.zip", folder / "patches.parquet"
    extract(PatchSettings(**limits), GridSettings(gsd_m=gsd_m, bands=BANDS), pair, folder, patches, index)
    found = list(read_patches(patches))
    return {name: np.array([p[name] for p in found]) for name in ("lr", "hr", "mask")}, gpd.read_parquet(index)


def test_a_patch_is_the_same_ground_in_both_images(write_pair: WritePair) -> None:
    pair, folder = write_pair("a")
    arrays, index = run(pair, folder)
    assert len(index) == 3 * 5 and index["kept"].all()
    assert arrays["lr"].shape == (15, 2, 32, 32) and arrays["hr"].shape == (15, 2, 128, 128)
    row = index.iloc[7]
    with open_raster(folder / "lr.tif") as lr, open_raster(folder / "hr.tif") as hr:
        np.testing.assert_array_equal(arrays["lr"][7], lr.read()[:, row.row : row.row + 32, row.col : row.col + 32])
        np.testing.assert_array_equal(arrays["hr"][7], hr.read()[:, row.row * 4 :, row.col * 4 :][:, :128, :128])
    assert index["correlation"].min() > 0.9
    assert index.crs == "EPSG:4326" and index.to_crs(32650).area.iloc[7] == pytest.approx(320**2, rel=1e-6)


def test_patches_across_180_degrees_lie_on_both_sides(write_pair: WritePair) -> None:
    pair, folder = write_pair("a")
    x, y = Transformer.from_crs(4326, 32660, always_xy=True).transform(180.0, 17.0)
    for name in ("lr", "hr", "mask"):  # the 96 columns of 10 m around the line
        with rasterio.open(folder / f"{name}.tif", "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dst:
            pixel = dst.transform.a
            dst.crs, dst.transform = "EPSG:32660", Affine(pixel, 0, x - 480, 0, -pixel, y)
    _, index = run(pair, folder)
    wide = index[index.bounds["maxx"] - index.bounds["minx"] > 180]
    assert set(wide.geom_type) == {"MultiPolygon"}
    assert 0 < len(wide) < len(index)
    degrees2 = index.area.to_numpy()
    np.testing.assert_allclose(degrees2, degrees2[0], rtol=1e-3)
    lon, lat = centres(index.geometry.to_numpy()).T
    east, north = Transformer.from_crs(4326, 32660, always_xy=True).transform(lon, lat)
    np.testing.assert_allclose(east, x - 480 + 10 * index["col"] + 160, atol=0.1)
    np.testing.assert_allclose(north, y - 10 * index["row"] - 160, atol=0.1)


def test_ground_is_as_wide_across_180_degrees() -> None:
    here, there = box(179.98, 17.0, 179.999, 17.01), box(-179.999, 17.0, -179.98, 17.01)
    far = box(-179.98, 17.0, -179.97, 17.01)
    [grown] = widened(np.array([here], object), 500)
    assert grown.is_valid
    assert grown.intersects(there) and not grown.intersects(far)
    [beside] = widened(np.array([translate(here, -1)], object), 500)
    assert grown.area == pytest.approx(beside.area)


def test_a_cloud_takes_out_the_patches_that_touch_it(write_pair: WritePair) -> None:
    mask = np.full((64, 96), Mask.CLEAR)
    mask[10:25, 5:20] = Mask.CLOUD
    arrays, index = run(*write_pair("a", mask=mask), min_valid_share=0.98)
    declined = index[~index["kept"]]
    assert set(declined["reason"]) == {"too few clear pixels: cloud"}
    assert {(r.row, r.col) for r in declined.itertuples()} == {(0, 0), (0, 16), (16, 0), (16, 16)}
    assert len(arrays["lr"]) == 11 and not arrays["mask"].any()


def test_images_that_do_not_agree_are_declined(write_pair: WritePair) -> None:
    arrays, index = run(*write_pair("a", matching=False))
    assert not index["kept"].any() and set(index["reason"]) == {"low correlation of LR and HR"}
    assert len(arrays["lr"]) == 0


def test_a_declined_pair_has_no_candidates(write_pair: WritePair) -> None:
    arrays, index = run(*write_pair("a", accepted=False))
    assert len(index) == 0 and len(arrays["hr"]) == 0
    assert {"row", "col", "kept", "reason", "geometry"} <= set(index.columns)


def test_at_a_rational_factor_patches_end_between_fine_pixels(write_pair: WritePair) -> None:
    pair, folder = write_pair("a", gsd_m=4.0)  # 5/2
    arrays, _ = run(pair, folder, gsd_m=4.0)
    assert arrays["hr"].shape[2:] == (80, 80)
    arrays, index = run(pair, folder, gsd_m=4.0, lr_px=31, stride_px=15)
    assert arrays["lr"].shape[2:] == (32, 32) and arrays["hr"].shape[2:] == (80, 80)
    assert sorted(set(index["col"]))[:3] == [0, 16, 32]


@pytest.mark.parametrize(
    ("factor", "side", "stride"), [("2", 32, 16), ("10/3", 33, 18), ("25/2", 32, 16), ("8/5", 35, 20)]
)
def test_side_and_step_are_the_next_multiples_of_the_denominator(factor: str, side: int, stride: int) -> None:
    assert PatchSettings().whole_px(Fraction(factor)) == (side, stride)


def test_extracting_twice_gives_the_same_bytes(write_pair: WritePair) -> None:
    pair, folder = write_pair("a")
    contents = []
    for _ in range(2):
        run(pair, folder)
        contents.append(((folder / "patches.zip").read_bytes(), (folder / "patches.parquet").read_bytes()))
    assert contents[0] == contents[1]


def test_area_weights_share_out_every_fine_pixel() -> None:
    for factor in (Fraction(4), Fraction(5, 2), Fraction(25, 2)):
        weights = area(8, factor).dense()
        assert weights.shape == (8, 8 * factor)
        np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)
        np.testing.assert_allclose(weights.sum(axis=0), 1 / float(factor), rtol=1e-6)
    hr = np.random.default_rng(0).uniform(size=(1, 32, 32))
    weights = area(8, Fraction(4)).dense()
    np.testing.assert_allclose(weights @ hr @ weights.T, hr.reshape(1, 8, 4, 8, 4).mean(axis=(2, 4)), rtol=1e-6)


def test_a_flat_band_says_nothing() -> None:
    x = np.random.default_rng(0).normal(size=(2, 8, 8))
    y = x.copy()
    y[1] = 0.2
    assert correlation(x[None], y[None], np.ones((1, 8, 8), bool)) == pytest.approx(0.5)


def texture(seed: int, side: int) -> np.ndarray:
    rough = ndimage.gaussian_filter(
        np.random.default_rng(seed).normal(size=(2, side, side)), (0, 1.5, 1.5), mode="wrap"
    )
    return 0.2 + 0.03 * rough / rough.std()


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.6, -0.3), (-2.4, 1.1)])
def test_what_registration_left_is_seen_in_a_patch(shift: tuple[float, float]) -> None:
    before, after = [], []
    for seed in range(8):
        image = texture(seed, 64)
        moved = ndimage.shift(image, (0, *shift), order=3, mode="wrap")
        noise = np.random.default_rng(seed).normal(0, 0.002, (2, 32, 32))
        before.append(image[:, 16:48, 16:48])
        after.append(moved[:, 16:48, 16:48] + noise)
    found = residual_shift(np.stack(before), np.stack(after), np.ones((8, 32, 32), bool))
    assert np.sqrt(np.mean((found - np.hypot(*shift)) ** 2)) < 0.15


def test_a_flat_patch_has_no_shift_to_speak_of() -> None:
    flat, rough = np.full((1, 1, 32, 32), 0.2), texture(0, 32)[None, :1]
    pair = np.concatenate([flat, rough]), np.concatenate([rough, rough])
    assert np.isnan(residual_shift(*pair, np.ones((2, 32, 32), bool))).tolist() == [True, False]


def test_moments_are_those_of_the_fine_pixels_in_each_lr_pixel() -> None:
    fine = np.random.default_rng(0).integers(0, 10000, (2, 32, 48)).astype(np.uint16)
    blocks = fine.reshape(2, 8, 4, 12, 4).astype(np.float64)
    mean, variance = moments(fine, WEIGHTS)
    np.testing.assert_allclose(mean, blocks.mean(axis=(2, 4)), rtol=1e-12)
    np.testing.assert_allclose(variance, blocks.var(axis=(2, 4)), rtol=1e-9)
    # At 2 LR pixels to 25 fine ones the middle pixel belongs to both by half.
    row = np.random.default_rng(1).integers(0, 10000, 25).astype(np.float64)
    share = np.concatenate([np.ones(12), [0.5]])
    mean, variance = moments(np.tile(row, (1, 25, 1)), area(2, Fraction(25, 2)).dense())
    left, right = (np.average(part, weights=share) for part in (row[:13], row[:11:-1]))
    np.testing.assert_allclose(mean[0], [[left, right]] * 2, rtol=1e-6)
    squares = [np.average(part**2, weights=share) for part in (row[:13], row[:11:-1])]
    np.testing.assert_allclose(variance[0], [np.subtract(squares, np.square([left, right]))] * 2, rtol=1e-5)
    flat = moments(np.full((1, 25, 25), 3000, np.uint16), area(2, Fraction(25, 2)).dense())[1]
    assert flat.max() < 1e-6


def test_quality_tells_what_is_in_the_patch() -> None:
    codes = np.zeros((16, 16), np.uint8)
    codes[:4] = Mask.CLOUD
    codes[4:6] = Mask.CHANGED
    clear = codes == Mask.CLEAR
    lr = np.stack([np.full((16, 16), 0.1), np.full((16, 16), 0.3)])
    hr = lr.repeat(4, axis=1).repeat(4, axis=2)
    hr[:, ::2] += 0.05
    hr[:, 1::2] -= 0.05
    cloudy = np.full((16, 16), Mask.CLOUD, np.uint8)
    both = np.stack([codes, cloudy]), np.stack([clear, cloudy == Mask.CLEAR])
    found, hidden = measure(*(np.stack([image] * 2) for image in (lr, *moments(hr, WEIGHTS))), *both, BANDS, REST)
    assert found.valid_share == pytest.approx(10 / 16)
    assert found.shares["cloud"] == pytest.approx(4 / 16) and found.shares["changed"] == pytest.approx(2 / 16)
    assert found.texture == pytest.approx(0.05) and found.brightness == pytest.approx(0.2)
    assert found.ndvi == pytest.approx(0.5)
    assert hidden.shares["cloud"] == 1 and hidden.valid_share == 0 and hidden.correlation == 0
    assert all(np.isnan(v) for v in (hidden.shift_px, hidden.texture, hidden.brightness, hidden.ndvi))


def test_patches_half_under_cloud_are_left_out_though_no_mask_says_so(write_pair: WritePair) -> None:
    pair, folder = write_pair("a")
    scene = open_scene(folder / "lr.tif")
    values = scene.reflectance.values.copy()
    values[:, :, :40] += 0.2
    write_scene(folder / "lr.tif", make_scene(values, scene.odc.geobox, BANDS))
    _, index = run(pair, folder, min_correlation=-1)
    cloudy = index["reason"] == "one image looks cloudy where the other is clear"
    assert (cloudy == (index["col"] < 24)).all() and not index["kept"][cloudy].any()
    assert index["cloudy_share"].max() == 1 and index["cloudy_share"].min() == 0


def test_a_pair_declined_in_radiometry_has_no_candidates(write_pair: WritePair) -> None:
    pair, folder = write_pair("a")
    said = json.loads((folder / "radiometry.json").read_text()) | {"accepted": False, "reason": "nothing in common"}
    (folder / "radiometry.json").write_text(json.dumps(said))
    arrays, index = run(pair, folder)
    assert len(index) == 0 and len(arrays["lr"]) == 0


def test_each_limit_names_its_reason(write_pair: WritePair) -> None:
    pair, folder = write_pair("a")
    for limit, reason in (
        ({"max_date_gap_days": 2.0}, "too long between the two dates"),
        ({"min_texture": 0.5}, "HR shows nothing that LR does not"),
    ):
        _, index = run(pair, folder, **limit)
        assert reason in set(index["reason"]), limit


def test_a_pair_that_lies_off_is_left_out(write_pair: WritePair) -> None:
    pair, folder = write_pair("a")
    scene = open_scene(folder / "lr.tif")
    write_scene(
        folder / "lr.tif", make_scene(np.roll(scene.reflectance.values, 2, axis=2), scene.odc.geobox, bands_of(scene))
    )
    _, index = run(pair, folder, min_correlation=-1)
    assert (index["reason"] == "HR still lies off LR").mean() > 0.9
    assert index["shift_px"].median() == pytest.approx(2, abs=0.2)


def test_patches_are_read_as_they_were_written_whatever_their_number(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for count in (0, 1, PORTION, PORTION + 3):
        patches = [
            {"lr": rng.integers(0, 9, (2, 3, 3), np.uint16), "hr": rng.integers(0, 9, (2, 6, 6), np.uint16),
             "mask": rng.integers(0, 5, (3, 3), np.uint8)} for _ in range(count)
        ]  # fmt: skip
        with PatchWriter(tmp_path / "p.zip") as writer:
            for turn in reversed(range(count // PORTION + 1)):  # the last one may have none
                writer.add(turn, portion(patches[turn * PORTION : (turn + 1) * PORTION]))
        found = list(read_patches(tmp_path / "p.zip"))
        assert len(found) == count
        for a, b in zip(patches, found, strict=True):
            assert all((a[name] == b[name]).all() for name in ("lr", "hr", "mask"))


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    shape=st.tuples(st.integers(3, 23), st.integers(3, 23)),
    fraction=st.sampled_from([Fraction(2), Fraction(5, 2), Fraction(25, 4), Fraction(4, 3)]),
    south_up=st.booleans(),
    turned=st.booleans(),
    hole=st.tuples(st.integers(0, 22), st.integers(0, 22)),
)
def test_patches_hold_for_any_grid(
    tmp_path_factory: pytest.TempPathFactory,
    shape: tuple[int, int], fraction: Fraction, south_up: bool, turned: bool, hole: tuple[int, int],
) -> None:  # fmt: skip
    """Odd sizes, rational factors, south-up and rotated grids, a corner without data: same ground, or declined."""
    folder = tmp_path_factory.mktemp("any")
    d = fraction.denominator
    rows, cols = (n * d for n in shape)
    affine = Affine(10, 0, 500_000, 0, 10 if south_up else -10, 4_000_000)
    grid = GeoBox((rows, cols), affine @ Affine.rotation(17) if turned else affine, "EPSG:32650")
    fine = fine_grid(grid, fraction)
    image = (0.2 + 0.01 * np.random.default_rng(0).normal(size=(2, *fine.shape))).astype(np.float32)
    mask = np.zeros((rows, cols), np.uint8)
    mask[: hole[0], : hole[1]] = Mask.NODATA
    lr = area(rows, fraction).dense() @ image @ area(cols, fraction).dense().T
    write_scene(folder / "lr.tif", make_scene(np.where(mask, np.nan, lr).astype(np.float32), grid, BANDS))
    write_scene(folder / "hr.tif", make_scene(image, fine, BANDS))
    write_mask(folder / "mask.tif", mask, grid)
    (folder / "registration.json").write_text(json.dumps({"accepted": True, "factor": str(fraction)}))
    radiometry = {"accepted": True, "bands": {band: {"rest": {"median": 0.0, "scale": 0.005}} for band in BANDS}}
    (folder / "radiometry.json").write_text(json.dumps(radiometry))
    side = 8 if 8 % d == 0 else 9
    pair = {"id": "x", "date_gap_days": 1.0}
    arrays, index = run(pair, folder, lr_px=side, stride_px=2 * d, min_valid_share=1.0, max_shift_px=4)
    expected = [max(0, (n - side) // (2 * d) + 1) for n in (rows, cols)]
    assert len(index) == expected[0] * expected[1] and len(arrays["lr"]) == index["kept"].sum()
    for k, row in enumerate(index[index["kept"]].itertuples()):
        assert not mask[row.row : row.row + side, row.col : row.col + side].any()
        assert row.correlation > 0.99 and not arrays["mask"][k].any()
        assert row.geometry.is_valid and arrays["hr"][k].shape[1:] == (side * fraction, side * fraction)
    declined = index[~index["kept"]]
    assert all(mask[r.row : r.row + side, r.col : r.col + side].any() for r in declined.itertuples())
    if len(index):
        on_grid = index.to_crs(32650).geometry.iloc[0]
        assert on_grid.area == pytest.approx((10 * side) ** 2, rel=1e-6)
        x, y = grid.affine @ (index["col"][0] + side / 2, index["row"][0] + side / 2)
        assert on_grid.centroid.distance(Point(x, y)) < 0.01


def test_threads_change_no_byte_of_patches_and_index(write_pair, tmp_path) -> None:
    pair, folder = write_pair("a")
    contents = set()
    for threads in (1, 2, 4):
        with computing(threads):
            run(pair, folder)
        contents.add(((folder / "patches.zip").read_bytes(), (folder / "patches.parquet").read_bytes()))
    assert len(contents) == 1
