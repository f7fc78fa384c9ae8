"""Fidelity metrics agree with torchmetrics and sewar where all is clear, and see clear pixels only."""

import numpy as np
import pytest
import sewar
import torch
from torchmetrics.functional.image import (
    error_relative_global_dimensionless_synthesis,
    peak_signal_noise_ratio,
    spectral_angle_mapper,
)
from wholly import made_errors, means_of, rmse, sam_deg

from crossres.evaluate.metrics import fidelity

PEAK = 0.5
BANDS = ("blue", "green", "red", "nir")


@pytest.fixture
def sr(hr: np.ndarray) -> np.ndarray:
    return hr + np.random.default_rng(2).normal(0, 0.01, hr.shape).astype(np.float32)


def as_batch(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image)[None].double()


def test_an_image_is_perfect_against_itself(hr: np.ndarray, clear: np.ndarray) -> None:
    error = rmse(hr, hr, clear)
    assert not error.any() and np.isinf(fidelity.psnr(error, PEAK)).all()
    assert fidelity.ergas(error, means_of(hr, clear), 4) == 0
    assert sam_deg(hr, hr, clear) == pytest.approx(0, abs=1e-4)


def test_they_are_those_of_torchmetrics_where_all_is_clear(hr: np.ndarray, sr: np.ndarray, clear: np.ndarray) -> None:
    a, b = as_batch(sr), as_batch(hr)
    error = rmse(sr, hr, clear)
    theirs = peak_signal_noise_ratio(a, b, data_range=PEAK)
    assert fidelity.psnr(fidelity.together(error), PEAK) == pytest.approx(theirs.item(), abs=1e-4)
    assert fidelity.ergas(error, means_of(hr, clear), 4) == pytest.approx(
        error_relative_global_dimensionless_synthesis(a, b, ratio=4).item(), rel=1e-4
    )
    assert sam_deg(sr, hr, clear) == pytest.approx(np.degrees(spectral_angle_mapper(a, b).item()), rel=1e-4)


def test_masked_pixels_never_count(hr: np.ndarray, sr: np.ndarray, clear: np.ndarray) -> None:
    clear[30:50, 40:70] = False
    wild = np.where(clear, sr, 9).astype(np.float32)
    assert (rmse(wild, hr, clear) == rmse(sr, hr, clear)).all()
    assert sam_deg(wild, hr, clear) == sam_deg(sr, hr, clear)


def test_they_are_those_of_sewar_where_all_is_clear(hr: np.ndarray, sr: np.ndarray, clear: np.ndarray) -> None:
    a, b = (x.transpose(1, 2, 0).astype(np.float64) for x in (sr, hr))
    error = rmse(sr, hr, clear)
    assert fidelity.ergas(error, means_of(hr, clear), 4) == pytest.approx(sewar.ergas(b, a, 0.25), rel=1e-5)
    assert sam_deg(sr, hr, clear) == pytest.approx(np.degrees(sewar.sam(b, a)), rel=1e-5)
    assert fidelity.psnr(fidelity.together(error), PEAK) == pytest.approx(sewar.psnr(b, a, MAX=PEAK), rel=1e-5)


def test_each_stratum_is_what_its_own_pixels_say(hr: np.ndarray, sr: np.ndarray, clear: np.ndarray) -> None:
    strata = np.random.default_rng(3).integers(0, 4, clear.shape).astype(np.uint8)  # 3 does not count
    sums = made_errors(sr, hr, strata, 3, BANDS, threads=2)
    for stratum in range(3):
        alone = strata == stratum
        assert sums.of(stratum).rmse() == pytest.approx(rmse(sr, hr, alone), rel=1e-12)
        assert sums.of(stratum).sam_deg() == pytest.approx(sam_deg(sr, hr, alone), rel=1e-12)
    assert sums.rmse() == pytest.approx(rmse(sr, hr, strata < 3), rel=1e-12)


def test_an_index_error_is_that_of_the_index(hr: np.ndarray, sr: np.ndarray, clear: np.ndarray) -> None:
    found = made_errors(sr, hr, np.zeros(clear.shape, np.uint8), 1, BANDS).index_errors()
    (_, g, r, n), (_, g1, r1, n1) = hr.astype(np.float64), sr.astype(np.float64)
    assert found["ndvi"] == pytest.approx(np.abs((n - r) / (n + r) - (n1 - r1) / (n1 + r1)).mean(), rel=1e-4)
    assert found["ndwi"] == pytest.approx(np.abs((g - n) / (g + n) - (g1 - n1) / (g1 + n1)).mean(), rel=1e-4)
    assert made_errors(sr[:3], hr[:3], np.zeros(clear.shape, np.uint8), 1, BANDS[:3]).index_errors() == {}
