"""Sharpness and texture: the spectrum and the sliced Wasserstein distance."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from wholly import projected, radial_spectrum, slices_of

from crossres.evaluate.metrics.spectrum import clear_blocks, spectrum_error
from crossres.evaluate.metrics.swd import sliced_wasserstein


def error_of(image: np.ndarray, hr: np.ndarray, clear: np.ndarray) -> tuple[float, float]:
    blocks = clear_blocks(clear)
    found = spectrum_error(radial_spectrum(image, *blocks, 2.5), radial_spectrum(hr, *blocks, 2.5), lr_gsd_m=10)
    return float(found.detail.mean()), float(found.detail_bias.mean())


def test_blur_is_too_smooth_and_noise_too_rough(hr: np.ndarray, clear: np.ndarray) -> None:
    blurred = gaussian_filter(hr, (0, 1.5, 1.5))
    rough = hr + np.random.default_rng(7).normal(0, 0.05, hr.shape)
    assert error_of(hr, hr, clear) == (0, 0)
    assert error_of(blurred, hr, clear)[1] < -0.5 and error_of(rough, hr, clear)[1] > 0.2


def test_twice_the_contrast_is_four_times_the_power(hr: np.ndarray, clear: np.ndarray) -> None:
    assert error_of(2 * hr, hr, clear)[0] == pytest.approx(np.log10(4), abs=1e-3)


def test_power_integrates_to_the_variance_whatever_the_pixel_size() -> None:
    noise = np.random.default_rng(8).normal(0, 0.1, (1, 512, 512)).astype(np.float32)
    side, corners = clear_blocks(np.ones((512, 512), bool))
    for gsd in (2.5, 10.0):
        power = radial_spectrum(noise, side, corners, gsd).power
        assert power.mean() == pytest.approx(0.01 * gsd**2, rel=0.03)


def test_a_wave_shows_up_at_its_own_frequency() -> None:
    wave = np.sin(2 * np.pi * np.arange(256) / 8)[None, None] * np.ones((1, 256, 1))
    found = radial_spectrum(wave, *clear_blocks(np.ones((256, 256), bool)), 2.0)
    assert found.frequency[found.power[0].argmax()] == pytest.approx(1 / 16)


def test_no_block_touches_a_masked_pixel() -> None:
    clear = np.ones((200, 300), bool)
    clear[90:110] = False
    side, corners = clear_blocks(clear)
    assert side == 64 and all(clear[r : r + side, c : c + side].all() for r, c in corners)


def test_swd_is_zero_on_itself_and_grows_with_blur(hr: np.ndarray, clear: np.ndarray) -> None:
    slices = slices_of(hr, clear, seed=0)
    reference = projected(slices, hr)
    distances = [
        sliced_wasserstein(projected(slices, gaussian_filter(hr, (0, s, s)) if s else hr), reference) for s in (0, 1, 3)
    ]
    assert distances[0] == 0 < distances[1] < distances[2]


def test_swd_sees_clear_pixels_only_and_repeats_itself(hr: np.ndarray, clear: np.ndarray) -> None:
    clear[40:60, 30:90] = False
    sr = gaussian_filter(hr, (0, 1, 1))
    wild = np.where(clear, sr, 5).astype(np.float32)
    found = [
        sliced_wasserstein(projected(s, x), projected(s, hr))
        for x in (sr, wild, sr)
        for s in [slices_of(hr, clear, seed=0)]
    ]
    assert found[0] == found[1] == found[2]
    other = slices_of(hr, clear, seed=1)
    assert sliced_wasserstein(projected(other, sr), projected(other, hr)) != found[0]
