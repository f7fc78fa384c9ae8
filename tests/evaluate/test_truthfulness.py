"""What SR made up, what it lost, whether it still agrees with LR, and whether it knows when it is wrong."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from wholly import calibration, threshold_of, triplet_of

from crossres.evaluate.metrics.consistency import consistency
from crossres.evaluate.metrics.triplet import hallucination_map
from crossres.operators import enlarged, on_fine, to_lr

FACTOR, LR_SHAPE, MTF = Fraction(4), (24, 30), (0.25,) * 4


@pytest.fixture
def lr(hr: np.ndarray) -> np.ndarray:
    return to_lr(hr, FACTOR, MTF)


@pytest.fixture
def up(lr: np.ndarray, hr: np.ndarray) -> np.ndarray:
    return enlarged(lr, FACTOR)


def test_hr_itself_is_all_improvement_and_the_upsampled_lr_all_omission(
    hr: np.ndarray, up: np.ndarray, clear: np.ndarray
) -> None:
    perfect, lazy = triplet_of(hr, hr, up, clear), triplet_of(up, hr, up, clear)
    assert perfect.improvement == pytest.approx(1 / (1 + 2 * np.exp(-4)), abs=1e-3)
    assert lazy.omission == pytest.approx(perfect.improvement, abs=1e-3)
    assert sum((perfect.improvement, perfect.omission, perfect.hallucination)) == pytest.approx(1)


def test_fake_texture_is_hallucination_and_blur_is_omission(hr: np.ndarray, up: np.ndarray, clear: np.ndarray) -> None:
    fake = hr + gaussian_filter(np.random.default_rng(9).normal(0, 0.3, hr.shape), (0, 1, 1)).astype(np.float32)
    blurred = gaussian_filter(hr, (0, 2, 2))
    found = {name: triplet_of(x, hr, up, clear) for name, x in (("hr", hr), ("fake", fake), ("blurred", blurred))}
    assert found["fake"].hallucination > found["hr"].hallucination + 0.3
    assert found["blurred"].omission > found["hr"].omission + 0.3


def test_the_triplet_sees_clear_pixels_only(hr: np.ndarray, up: np.ndarray, clear: np.ndarray) -> None:
    clear[40:60] = False
    wild = np.where(clear, up, 5).astype(np.float32)
    found = triplet_of(wild, hr, up, clear)
    assert found.omission == triplet_of(up, hr, up, clear).omission
    shown = hallucination_map(wild, hr, up, clear, threshold_of(hr, up, clear))
    assert np.isnan(shown[40:60]).all() and np.nanmax(shown) > 0


@pytest.mark.parametrize("shape", [(24, 30), (8, 10), (12, 15)])
def test_resampling_keeps_a_constant_and_a_ramp_in_place(shape: tuple[int, int]) -> None:
    fine = (100, 125) if shape == (8, 10) else (96, 120)
    factor = Fraction(fine[0], shape[0])
    x = np.broadcast_to((np.arange(fine[1]) + 0.5) / fine[1], (1, *fine)).astype(np.float32)
    coarse = to_lr(x, factor, (0.25,))
    inner = coarse[0, :, 2:-2]
    assert inner == pytest.approx(
        np.broadcast_to(((np.arange(shape[1]) + 0.5) / shape[1])[2:-2], inner.shape), abs=1e-3
    )
    ramp = np.broadcast_to((np.arange(shape[1]) + 0.5) / shape[1], (1, *shape)).astype(np.float32)
    margin = 2 * fine[1] // shape[1] + 1
    assert enlarged(ramp, factor)[..., margin:-margin] == pytest.approx(x[..., margin:-margin], abs=1e-5)


def test_the_mtf_at_nyquist_is_what_the_setting_says() -> None:
    columns = np.arange(400)
    wave = np.cos(2 * np.pi * (columns - 3.5) / 16).astype(np.float32)  # LR Nyquist at factor 8, peaks on LR centres
    coarse = to_lr(np.broadcast_to(wave, (1, 80, 400)), Fraction(8), (0.3,))
    assert np.abs(coarse[0, :, 5:-5]).mean() == pytest.approx(0.3, abs=0.005)


def test_missing_pixels_neither_spread_nor_vanish(hr: np.ndarray) -> None:
    hr[:, 40:60, 40:60] = np.nan
    coarse = to_lr(hr, FACTOR, MTF)
    assert np.isnan(coarse[:, 11:14, 11:14]).all() and np.isfinite(coarse[:, :8]).all()
    lr = np.ones((1, 6, 6), np.float32)
    lr[0, 2, 3] = np.nan
    fine = enlarged(lr, Fraction(4))
    assert np.isnan(fine[0, 8:12, 12:16]).all() and np.isfinite(fine).sum() == 24 * 24 - 16


def test_nearest_finds_the_pixel_under_each_centre_at_twelve_and_a_half() -> None:
    fine = on_fine(np.arange(4)[None].repeat(2, 0), Fraction(25, 2))
    assert (np.bincount(fine[0]) == [12, 13, 12, 13]).all() or (np.bincount(fine[0]) == [13, 12, 13, 12]).all()


def test_an_image_that_came_from_hr_agrees_with_lr_and_a_shifted_one_says_by_how_much(
    hr: np.ndarray, lr: np.ndarray
) -> None:
    clear = np.ones(LR_SHAPE, bool)
    same = consistency(to_lr(hr, FACTOR, MTF), lr, clear)
    assert same.reflectance_l1.max() < 1e-6 and same.spectral_angle_deg < 0.05 and same.shift_lr_px == 0
    moved = consistency(to_lr(np.roll(hr, 2, 2), FACTOR, MTF), lr, clear)
    assert moved.shift_lr_px == pytest.approx(0.5, abs=0.1)
    brighter = consistency(to_lr(hr + 0.02, FACTOR, MTF), lr, clear)
    assert brighter.reflectance_l1 == pytest.approx(0.02, abs=1e-4)


def test_a_std_that_is_the_real_one_is_calibrated(hr: np.ndarray, clear: np.ndarray) -> None:
    rng = np.random.default_rng(10)
    std = rng.uniform(0.002, 0.03, hr.shape)
    found = calibration(hr + std * rng.standard_normal(hr.shape), std, hr, clear)
    assert found is not None
    assert found.ratio == pytest.approx(1, abs=0.03) and found.expected_error < 0.001
    assert found.error == pytest.approx(found.std, rel=0.08)
    assert found.coverage["0.683"] == pytest.approx(0.683, abs=0.01)
    assert found.rank_correlation > 0.4


def test_half_the_std_is_over_confident_and_no_std_is_no_answer(hr: np.ndarray, clear: np.ndarray) -> None:
    rng = np.random.default_rng(11)
    std = np.full(hr.shape, 0.02)
    mean = hr + std * rng.standard_normal(hr.shape)
    found = calibration(mean, std / 2, hr, clear)
    assert found is not None and found.ratio == pytest.approx(0.5, abs=0.02)
    assert calibration(mean, np.zeros(hr.shape), hr, clear) is None
