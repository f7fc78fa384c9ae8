"""Interpolation, low-pass and degradation obey what is known of them."""

from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine

from crossres.align.matching.tie_points import TiePoints
from crossres.align.matching.window_shifts import orientation
from crossres.align.registration.selection import MODELS, Half, chessboard, select
from crossres.align.warping.degrade import blur, on_lr_grid
from crossres.align.warping.displacement import Extent, Model, fit
from crossres.align.warping.sampling import (
    covered,
    gaps_before,
    hr_indices,
    interpolate,
    low_pass,
    spline_coefficients,
)
from crossres.operators import antialias_taps, mtf_sigma

LR = GeoBox((40, 40), Affine(10, 0, 500_000, 0, -10, 4_000_000), "EPSG:32650")


def test_the_degraded_image_has_the_mtf_that_was_asked_for() -> None:
    for gsd in (0.8, 2.0, 5.0):
        n = round(400 / gsd)
        hr = GeoBox((n, n), Affine(gsd, 0, 500_000, 0, -gsd, 4_000_000), "EPSG:32650")
        for frequency in (0.1, 0.25, 0.4):
            x = (np.arange(n) + 0.5) * gsd / 10
            wave = np.broadcast_to(0.3 + 0.1 * np.cos(2 * np.pi * frequency * x), (1, n, n)).astype(np.float32)
            blurred = blur(da.from_array(wave, chunks=(1, 256, 256), name=False), hr, LR, (0.25,))
            seen = on_lr_grid(blurred, LR, np.arange(40), np.arange(40))[0, 20, 5:35]
            truth = np.cos(2 * np.pi * frequency * (np.arange(5, 35) + 0.5))
            amplitude = (seen - 0.3) @ truth / (truth @ truth) / 0.1
            assert amplitude == pytest.approx(0.25 ** (4 * frequency**2), abs=0.03), (gsd, frequency)


def test_mtf_and_sigma_are_two_names_for_one_thing() -> None:
    sigma = mtf_sigma(0.3)
    assert np.exp(-2 * np.pi**2 * sigma**2 * 0.25) == pytest.approx(0.3)


def test_antialiasing_passes_what_the_fine_grid_can_hold_and_little_beyond() -> None:
    taps = antialias_taps(3.125)
    k = np.arange(len(taps)) - len(taps) // 2
    response = [taps @ np.cos(2 * np.pi * f / 3.125 * k) for f in (0.0, 0.25, 0.5, 1.0)]
    assert response[0] == pytest.approx(1)
    assert response[1] > 0.85 and 0.3 < response[2] < 0.7 and abs(response[3]) < 0.08
    assert antialias_taps(0.9).tolist() == [1.0]


def test_interpolation_is_exact_at_samples() -> None:
    image = np.random.default_rng(0).normal(size=(2, 30, 20)).astype(np.float32)
    r, c = np.indices((30, 20))
    np.testing.assert_allclose(interpolate(spline_coefficients(low_pass(image, np.ones(1))), r, c), image, atol=1e-5)


def test_a_pixel_is_covered_only_when_all_of_it_is() -> None:
    valid = np.ones((8, 8), bool)
    valid[3, 3] = False
    rows, cols = np.meshgrid([0.5, 2.5, 4.5, 6.5], [0.5, 2.5, 4.5, 6.5], indexing="ij")
    expected = np.ones((4, 4), bool)
    expected[1, 1] = False
    np.testing.assert_array_equal(covered(gaps_before(valid), rows, cols, 2), expected)
    assert not covered(gaps_before(valid), np.array([[7.5]]), np.array([[0.5]]), 2).any()


def test_indices_through_another_projection_come_back() -> None:
    there = GeoBox((400, 400), Affine(1, 0, 500_000, 0, -1, 4_000_000), "EPSG:32650").to_crs("EPSG:4326")
    r, c = hr_indices(LR, there, np.array([10.0]), np.array([20.0]))
    lon, lat = there.affine * (c[0, 0] + 0.5, r[0, 0] + 0.5)
    from pyproj import Transformer

    x, y = Transformer.from_crs(4326, 32650, always_xy=True).transform(lon, lat)
    assert (x, y) == pytest.approx((500_205, 3_999_895), abs=0.01)


EXTENT = Extent(0, 0, 200, 200, 16)


def points(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 200, (300, 2))


def test_a_field_on_a_grid_is_the_field_at_its_crossings() -> None:
    at = points()
    field = fit(Model("spline", 0.01), EXTENT, at, np.sin(at / 30), np.ones(300))
    rows, cols = np.arange(0, 200, 20.0), np.arange(0, 200, 25.0)
    r, c = np.meshgrid(rows, cols, indexing="ij")
    grid = field.on_grid(rows, cols)
    np.testing.assert_allclose(
        np.stack([grid.rows.ravel(), grid.cols.ravel()], 1), field.at(r.ravel(), c.ravel()), atol=1e-9
    )


def test_a_tenth_of_wild_points_does_not_move_a_field() -> None:
    at = points()
    truth = np.stack([0.5 + 0.002 * at[:, 1], -0.3 - 0.001 * at[:, 0]], axis=1)
    wild = truth.copy()
    wild[:30] += 5
    for model in (Model("affine"), Model("spline", 1.0)):
        field = fit(model, EXTENT, at, wild, np.ones(300))
        assert np.abs(field.at(*at.T) - truth).max() < 0.05, model


def test_a_spline_levels_out_where_it_knows_nothing() -> None:
    at = points()
    at = at[at[:, 1] < 60]
    d = np.stack([np.sin(at[:, 1] / 15), np.zeros(len(at))], axis=1)
    field = fit(Model("spline", 0.001), Extent(0, 0, 200, 600, 16), at, d, np.ones(len(at)))
    far = np.array([100.0, 100.0]), np.array([300.0, 590.0])
    bend = (field.at(*far) - replace(field, knots=None).at(*far))[:, 0]
    assert abs(bend[1] - bend[0]) < 0.1, "beyond the linear part it must not run on along its last slope"


@pytest.mark.parametrize(
    ("truth", "expected"),
    [
        (lambda p: np.full(p.shape, 0.4), "shift"),
        (lambda p: 0.003 * p[:, ::-1], "affine"),
        (lambda p: np.sin(p / 25), "spline"),
    ],
)
def test_the_simplest_field_that_predicts_held_out_points_is_taken(truth, expected) -> None:
    at = points()
    parts = []
    for seed in (1, 2):
        noisy = truth(at) + np.random.default_rng(seed).normal(0, 0.05, at.shape)
        tie_points = TiePoints(at, noisy, np.ones(300), np.ones(300), np.full(300, "", "U40"))
        parts.append(Half(tie_points, noisy, lambda field: field.at(*at.T)))
    block = np.unique(at // 32, axis=0, return_inverse=True)[1].reshape(-1)
    model, scores = select(MODELS, EXTENT, tuple(parts), block, 0.5)
    assert model.kind == expected, scores


def test_no_gradient_sees_pixels_of_both_colours() -> None:
    image = np.random.default_rng(0).normal(size=(1, 80, 80)).astype(np.float32)
    white, black = chessboard((80, 80), seed=3)
    assert (white ^ black).all()
    changed = np.where(black, image + 5 * image**2, image)
    np.testing.assert_array_equal(*(orientation(np.where(white, i, np.nan)) for i in (image, changed)))
    seen = [(orientation(np.where(half, image, np.nan)) != 0).any(axis=0) for half in (white, black)]
    assert not (seen[0] & seen[1]).any() and 0.5 < (seen[0] | seen[1])[4:-4, 4:-4].mean() < 0.62
