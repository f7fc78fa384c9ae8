"""Patches: what is kept, what is declined and why."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest

from crossres.errors import UserError
from crossres.pairs.extract import extract
from crossres.pairs.quality import area_weights, correlation, to_lr
from crossres.rasters import Mask, open_raster
from crossres.settings.grid import GridSettings
from crossres.settings.patches import PatchSettings

WritePair = Callable[..., tuple[dict[str, Any], Path]]
BANDS = ("red", "nir")


def run(
    pair: dict[str, Any], folder: Path, gsd_m: float = 2.5, **settings: Any
) -> tuple[dict[str, np.ndarray], gpd.GeoDataFrame]:
    npz, index = folder / "patches.npz", folder / "patches.parquet"
    extract(PatchSettings(**settings), GridSettings(gsd_m=gsd_m, bands=BANDS), pair, folder, npz, index)
    with np.load(npz) as arrays:
        return dict(arrays), gpd.read_parquet(index)


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


def test_a_cloud_takes_out_the_patches_that_touch_it(write_pair: WritePair) -> None:
    mask = np.full((64, 96), Mask.CLEAR)
    mask[10:25, 5:20] = Mask.CLOUD
    arrays, index = run(*write_pair("a", mask=mask), min_valid_share=0.98)
    declined = index[~index["kept"]]
    assert set(declined["reason"]) == {"too few clear pixels"}
    assert {(r.row, r.col) for r in declined.itertuples()} == {(0, 0), (0, 16), (16, 0), (16, 16)}
    assert len(arrays["lr"]) == 11 and not arrays["mask"].any()


def test_images_that_do_not_agree_are_declined(write_pair: WritePair) -> None:
    arrays, index = run(*write_pair("a", matching=False))
    assert not index["kept"].any() and set(index["reason"]) == {"low correlation of LR and HR"}
    assert arrays["lr"].shape == (0, 2, 32, 32) and arrays["hr"].shape == (0, 2, 128, 128)


def test_a_declined_pair_has_no_candidates(write_pair: WritePair) -> None:
    arrays, index = run(*write_pair("a", accepted=False))
    assert len(index) == 0 and len(arrays["hr"]) == 0
    assert {"row", "col", "kept", "reason", "geometry"} <= set(index.columns)


def test_a_rational_factor_cuts_whole_fine_pixels_or_says_so(write_pair: WritePair) -> None:
    pair, folder = write_pair("a", gsd_m=4.0)  # 5/2
    arrays, _ = run(pair, folder, gsd_m=4.0)
    assert arrays["hr"].shape[2:] == (80, 80)
    with pytest.raises(UserError, match=r"patches\.stride_px: 15 is not a multiple of 2"):
        run(pair, folder, gsd_m=4.0, stride_px=15)


def test_extracting_twice_gives_the_same_bytes(write_pair: WritePair) -> None:
    pair, folder = write_pair("a")
    contents = []
    for _ in range(2):
        run(pair, folder)
        contents.append(((folder / "patches.npz").read_bytes(), (folder / "patches.parquet").read_bytes()))
    assert contents[0] == contents[1]


def test_area_weights_share_out_every_fine_pixel() -> None:
    for factor in (Fraction(4), Fraction(5, 2), Fraction(25, 2)):
        weights = area_weights(8, factor)
        assert weights.shape == (8, 8 * factor)
        np.testing.assert_allclose(weights.sum(axis=1), 1)
        np.testing.assert_allclose(weights.sum(axis=0), 1 / float(factor))
    hr = np.random.default_rng(0).uniform(size=(1, 32, 32))
    np.testing.assert_allclose(to_lr(hr, area_weights(8, Fraction(4))), hr.reshape(1, 8, 4, 8, 4).mean(axis=(2, 4)))


def test_a_flat_band_says_nothing() -> None:
    x = np.random.default_rng(0).normal(size=(2, 8, 8))
    y = x.copy()
    y[1] = 0.2
    assert correlation(x, y, np.ones((8, 8), bool)) == pytest.approx(0.5)
