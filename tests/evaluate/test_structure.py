"""SSIM, MS-SSIM and UQI are those of independent implementations where all is clear, and see clear windows only."""

from collections.abc import Callable

import numpy as np
import pytest
import sewar
import sewar.full_ref
import torch
from scipy.ndimage import uniform_filter
from torch.nn.functional import avg_pool2d
from torchmetrics.functional.image import structural_similarity_index_measure
from wholly import ssim_of, structure_of

from crossres.evaluate.metrics.local_indices import windows_clear
from crossres.evaluate.metrics.structure import SCALE_WEIGHTS

PEAK = 0.5


@pytest.fixture
def hr(make_landscape: Callable[..., np.ndarray]) -> np.ndarray:
    return make_landscape(1, (272, 304))


@pytest.fixture
def clear(hr: np.ndarray) -> np.ndarray:
    return np.ones(hr.shape[1:], bool)


@pytest.fixture
def sr(hr: np.ndarray) -> np.ndarray:
    return hr + np.random.default_rng(2).normal(0, 0.01, hr.shape).astype(np.float32)


def test_an_image_is_perfect_against_itself(hr: np.ndarray, clear: np.ndarray) -> None:
    found = structure_of(hr, hr, clear, PEAK)
    for values in (found.ssim, found.ms_ssim, found.uqi):
        assert values == pytest.approx(1, abs=1e-6)


def test_ssim_at_each_scale_is_that_of_torchmetrics(hr: np.ndarray, sr: np.ndarray, clear: np.ndarray) -> None:
    found = structure_of(sr, hr, clear, PEAK, threads=2)
    for band in range(4):
        a, b = (torch.from_numpy(x[band])[None, None].double() for x in (sr, hr))
        factors = []
        for scale in range(len(SCALE_WEIGHTS)):
            _, full = structural_similarity_index_measure(a, b, data_range=PEAK, return_full_image=True)
            inside = full[..., 5:-5, 5:-5].mean().item()
            if scale == 0:
                assert found.ssim[band] == pytest.approx(inside, abs=1e-6)
            _, contrast = structural_similarity_index_measure(a, b, data_range=PEAK, return_contrast_sensitivity=True)
            factors.append(contrast.item() if scale < len(SCALE_WEIGHTS) - 1 else inside)
            a, b = avg_pool2d(a, 2), avg_pool2d(b, 2)
        assert found.ms_ssim[band] == pytest.approx(np.prod(np.array(factors) ** SCALE_WEIGHTS), abs=1e-6)
    assert ssim_of(sr, hr, clear, PEAK) == pytest.approx(found.ssim, abs=1e-12)


def test_uqi_is_that_of_sewar_with_sums_for_sums(
    hr: np.ndarray, sr: np.ndarray, clear: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """sewar 0.4.10 puts window means where Wang and Bovik's formula has window sums; with sums it is the definition."""
    monkeypatch.setattr(sewar.full_ref, "uniform_filter", lambda x, ws: uniform_filter(x, ws) * ws**2)
    a, b = (np.pad(x.transpose(1, 2, 0), ((0, 1), (0, 1), (0, 0))).astype(np.float64) for x in (sr, hr))
    # sewar leaves out the last row and column of windows: with one more pixel it takes the same as we do
    assert structure_of(sr, hr, clear, PEAK).uqi.mean() == pytest.approx(sewar.uqi(b, a), abs=1e-4)


def test_uqi_is_its_definition_window_by_window(hr: np.ndarray, sr: np.ndarray) -> None:
    x, y = sr[0, :24, :20].astype(np.float64), hr[0, :24, :20].astype(np.float64)
    clear = np.ones(x.shape, bool)
    clear[10, 9] = False
    values = []
    for row in range(17):
        for col in range(13):
            if clear[row : row + 8, col : col + 8].all():
                a, b = x[row : row + 8, col : col + 8].ravel(), y[row : row + 8, col : col + 8].ravel()
                covariance = np.mean((a - a.mean()) * (b - b.mean()))
                luminance = 2 * a.mean() * b.mean() / (a.mean() ** 2 + b.mean() ** 2)
                values.append(luminance * 2 * covariance / (a.var() + b.var()))
    found = structure_of(sr[:1, :24, :20], hr[:1, :24, :20], clear, PEAK).uqi[0]
    assert len(values) > 50 and found == pytest.approx(np.mean(values), abs=1e-6)


def test_masked_pixels_never_count(hr: np.ndarray, sr: np.ndarray, clear: np.ndarray) -> None:
    clear[30:50, 40:70] = False
    wild = np.where(clear, sr, 9).astype(np.float32)
    tame, other = structure_of(sr, hr, clear, PEAK), structure_of(wild, hr, clear, PEAK)
    for a, b in ((tame.ssim, other.ssim), (tame.ms_ssim, other.ms_ssim), (tame.uqi, other.uqi)):
        assert (a == b).all()


def test_neither_blocks_nor_threads_show(hr: np.ndarray, sr: np.ndarray, clear: np.ndarray) -> None:
    clear[250:262, 100:120] = False
    one, two = (structure_of(sr, hr, clear, PEAK, threads=threads) for threads in (1, 2))
    assert (one.ssim == two.ssim).all() and (one.ms_ssim == two.ms_ssim).all() and (one.uqi == two.uqi).all()
    _, full = structural_similarity_index_measure(
        *(torch.from_numpy(x)[None].double() for x in (sr, hr)), data_range=PEAK, return_full_image=True
    )
    expected = full[0].numpy()[:, windows_clear(clear, 11)].mean(axis=1)
    assert one.ssim == pytest.approx(expected, abs=1e-6)


def test_every_window_that_touches_a_masked_pixel_is_left_out(clear: np.ndarray) -> None:
    clear[50, 60] = False
    inside = windows_clear(clear, 11)
    assert not inside[45:56, 55:66].any() and inside[44, 60] and inside[56, 60] and not inside[4].any()


def test_there_is_no_index_without_a_clear_window(hr: np.ndarray, clear: np.ndarray) -> None:
    assert np.isnan(structure_of(hr[:, :60], hr[:, :60], clear[:60], PEAK).ms_ssim).all()
    clear[::5] = False
    found = structure_of(hr, hr, clear, PEAK)
    assert np.isnan(found.ssim).all() and np.isnan(found.uqi).all()
