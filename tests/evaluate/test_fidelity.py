"""Fidelity metrics agree with torchmetrics where all is clear, and see clear pixels only."""

import numpy as np
import pytest
import torch
from torchmetrics.functional.image import (
    error_relative_global_dimensionless_synthesis,
    peak_signal_noise_ratio,
    spectral_angle_mapper,
    structural_similarity_index_measure,
)

from crossres.evaluate import fidelity

PEAK = 0.5


@pytest.fixture
def sr(hr: np.ndarray) -> np.ndarray:
    return hr + np.random.default_rng(2).normal(0, 0.01, hr.shape).astype(np.float32)


def as_batch(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image)[None].double()


def test_an_image_is_perfect_against_itself(hr: np.ndarray, clear: np.ndarray) -> None:
    error = fidelity.rmse(hr, hr, clear)
    assert not error.any() and np.isinf(fidelity.psnr(error, PEAK)).all()
    assert fidelity.ssim(hr, hr, clear, PEAK) == pytest.approx(1)
    assert fidelity.ergas(error, hr, clear, 4) == 0
    assert fidelity.sam_deg(hr, hr, clear) == pytest.approx(0, abs=1e-4)


def test_they_are_those_of_torchmetrics_where_all_is_clear(hr: np.ndarray, sr: np.ndarray, clear: np.ndarray) -> None:
    a, b = as_batch(sr), as_batch(hr)
    error = fidelity.rmse(sr, hr, clear)
    theirs = peak_signal_noise_ratio(a, b, data_range=PEAK)
    assert fidelity.psnr(fidelity.together(error), PEAK) == pytest.approx(theirs.item(), abs=1e-4)
    _, maps = structural_similarity_index_measure(a, b, data_range=PEAK, return_full_image=True)
    inner = maps[0, :, 5:-5, 5:-5].mean(dim=(1, 2)).numpy()
    assert fidelity.ssim(sr, hr, clear, PEAK) == pytest.approx(inner, abs=1e-4)
    assert fidelity.ergas(error, hr, clear, 4) == pytest.approx(
        error_relative_global_dimensionless_synthesis(a, b, ratio=4).item(), rel=1e-4
    )
    assert fidelity.sam_deg(sr, hr, clear) == pytest.approx(np.degrees(spectral_angle_mapper(a, b).item()), rel=1e-4)


def test_masked_pixels_never_count(hr: np.ndarray, sr: np.ndarray, clear: np.ndarray) -> None:
    clear[30:50, 40:70] = False
    wild = np.where(clear, sr, 9).astype(np.float32)
    assert (fidelity.rmse(wild, hr, clear) == fidelity.rmse(sr, hr, clear)).all()
    assert fidelity.ssim(wild, hr, clear, PEAK) == pytest.approx(fidelity.ssim(sr, hr, clear, PEAK), abs=1e-12)
    assert fidelity.sam_deg(wild, hr, clear) == fidelity.sam_deg(sr, hr, clear)


def test_ssim_leaves_out_every_window_that_touches_a_masked_pixel(clear: np.ndarray) -> None:
    clear[50, 60] = False
    inside = fidelity.windows_clear(clear, 11)
    assert not inside[45:56, 55:66].any() and inside[44, 60] and inside[56, 60] and not inside[4].any()


def test_there_is_no_ssim_without_a_clear_window(hr: np.ndarray, clear: np.ndarray) -> None:
    clear[::5] = False
    assert np.isnan(fidelity.ssim(hr, hr, clear, PEAK)).all()
