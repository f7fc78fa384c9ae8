"""Pansharpening adds PAN's detail, and nothing else."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from crossres.acquire.gaofen2.pansharpen import (
    RATIO,
    Moments,
    as_sharp_as_bands,
    fit_sharpening,
    lowpass,
    lowpass_radius_px,
    sharpen,
)
from crossres.operators import mtf_sigma

MTF = 0.25


def scene(seed=0, side=256):
    """Return (truth (4, y, x), bands at a quarter of the pixels, the bands brought to full size, PAN in numbers)."""
    rng = np.random.default_rng(seed)
    fine = gaussian_filter(rng.standard_normal((side, side)), 1.0)
    broad = gaussian_filter(rng.standard_normal((side, side)), 12.0)
    common = 0.05 * fine / fine.std() + 0.05 * broad / broad.std()
    own = gaussian_filter(rng.standard_normal((4, side, side)), (0, 12.0, 12.0))
    gains = np.array([0.5, 0.8, 1.0, 1.3])[:, None, None]
    truth = (0.2 + gains * common + 0.02 * own / own.std()).astype(np.float32)
    blurred = np.stack([gaussian_filter(t, RATIO * mtf_sigma(MTF)) for t in truth])
    pan = 700 * truth.mean(0) + 30
    coarse = blurred.reshape(4, side // 4, 4, side // 4, 4).mean((2, 4))
    return truth, coarse, blurred, pan.astype(np.float32)


def mean_pan(pan):
    side = pan.shape[0] // RATIO
    return pan.reshape(side, RATIO, side, RATIO).mean((1, 3))


def fitted_on(method, coarse, mean):
    low = as_sharp_as_bands(mean, MTF)
    one, other = (Moments.of(coarse[:, rows], low[rows]) for rows in (slice(0, 20), slice(20, None)))
    return fit_sharpening(method, one + other, MTF)


@pytest.mark.parametrize(("method", "left"), [("mtf-glp", 0.12), ("gsa", 0.25), ("brovey", 0.9), ("mtf-glp-hpm", 0.9)])
def test_detail_that_pan_has_is_restored_in_every_band(method, left):
    truth, coarse, blurred, pan = scene()
    fitted = fitted_on(method, coarse, mean_pan(pan))
    inner = (slice(None), slice(20, -20), slice(20, -20))
    before = np.sqrt(((blurred - truth)[inner] ** 2).mean((1, 2)))
    after = np.sqrt(((sharpen(fitted, blurred, pan) - truth)[inner] ** 2).mean((1, 2)))
    assert (after / before).max() < left


@pytest.mark.parametrize("method", ["mtf-glp", "gsa", "brovey", "mtf-glp-hpm"])
def test_pans_unit_does_not_matter(method):
    _, coarse, blurred, pan = scene()
    one = sharpen(fitted_on(method, coarse, mean_pan(pan)), blurred, pan)
    scaled = 0.01 * pan
    other = sharpen(fitted_on(method, coarse, mean_pan(scaled)), blurred, scaled)
    np.testing.assert_allclose(one, other, atol=2e-4)


@pytest.mark.parametrize("method", ["mtf-glp", "gsa", "brovey", "mtf-glp-hpm"])
def test_an_even_field_stays_as_it_is(method):
    _, coarse, _, pan = scene()
    fitted = fitted_on(method, coarse, mean_pan(pan))
    even = np.full((4, 64, 64), 0.2, np.float32)
    made = sharpen(fitted, even, np.full((64, 64), 700 * 0.2 + 30, np.float32))
    np.testing.assert_allclose(made, 0.2, atol=2e-3)


@pytest.mark.parametrize("method", ["mtf-glp", "mtf-glp-hpm"])
def test_pan_without_information_changes_nothing(method):
    _, coarse, blurred, pan = scene()
    fitted = fitted_on(method, coarse, np.full_like(mean_pan(pan), 5.0))
    np.testing.assert_array_equal(sharpen(fitted, blurred, np.full_like(pan, 5.0)), blurred)


@pytest.mark.parametrize("method", ["brovey", "mtf-glp-hpm"])
def test_methods_that_multiply_leave_colours_as_they_are_under_haze(method):
    _, coarse, blurred, pan = scene()
    made = [
        sharpen(fitted_on(method, coarse, mean_pan(pan + haze)), blurred, pan + np.float32(haze))
        for haze in (0.0, 120.0)
    ]
    lit = made[0].sum(axis=0) > 0.1
    assert lit.mean() > 0.95
    for one in made:
        np.testing.assert_allclose((one / one.sum(axis=0))[:, lit], (blurred / blurred.sum(axis=0))[:, lit], atol=1e-5)
    np.testing.assert_allclose(made[1], made[0], atol=2e-3)


def test_missing_pixels_neither_spread_nor_darken_their_surroundings():
    pan = np.full((64, 64), 100.0, np.float32)
    pan[:, 40:] = np.nan
    low = lowpass(pan, MTF)
    np.testing.assert_allclose(low[:, :40], 100.0, rtol=1e-5)
    assert np.isnan(low[:, 40:]).all()


def test_the_low_pass_has_the_mtf_it_says():
    nyquist = np.cos(np.pi * np.arange(400) / RATIO)[None].repeat(60, 0).astype(np.float32)
    low = lowpass(nyquist, MTF)
    assert low[30, 100:300].max() == pytest.approx(MTF, abs=0.01)
    far = np.zeros((1, 101), np.float32)
    far[0, 50] = 1
    reach = np.flatnonzero(lowpass(far.repeat(3, 0), MTF)[1])
    assert reach.max() - 50 <= lowpass_radius_px(MTF)
