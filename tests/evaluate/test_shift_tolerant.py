"""cPSNR forgives whole-pixel shifts and bias, and is what trying every shift gives."""

import numpy as np
import pytest
from wholly import best_match, best_shift, cssim, rmse, structure_of

from crossres.evaluate.metrics import fidelity

PEAK, REACH = 0.5, 3


def brute_force(sr: np.ndarray, hr: np.ndarray, clear: np.ndarray) -> tuple[float, tuple[int, int]]:
    """Try every shift with plain slices; cPSNR of all bands together."""
    rows, cols = clear.shape
    fixed = slice(REACH, rows - REACH), slice(REACH, cols - REACH)
    best = (np.inf, (0, 0))
    for dr in range(-REACH, REACH + 1):
        for dc in range(-REACH, REACH + 1):
            moved = slice(REACH + dr, rows - REACH + dr), slice(REACH + dc, cols - REACH + dc)
            weight = clear[fixed] & clear[moved]
            errors = [np.var((h[fixed] - s[moved])[weight].astype(float)) for s, h in zip(sr, hr)]
            best = min(best, (float(np.mean(errors)), (dr, dc)))
    return 10 * np.log10(PEAK**2 / best[0]), best[1]


def test_it_equals_trying_every_shift(hr: np.ndarray, clear: np.ndarray) -> None:
    rng = np.random.default_rng(3)
    clear[20:40, 50:80] = False
    sr = np.roll(hr, (2, -1), (1, 2)) + rng.normal(0, 0.01, hr.shape).astype(np.float32) + 0.05
    found = best_match(sr, hr, clear, PEAK, REACH)
    expected, shift = brute_force(sr, hr, clear)
    assert found.shift_px == shift == (2, -1)
    assert found.cpsnr_together_db == pytest.approx(expected, abs=1e-3)


def test_blocks_do_not_show(clear: np.ndarray) -> None:
    rng = np.random.default_rng(4)
    hr = rng.normal(0.2, 0.02, (1, 300, 530)).astype(np.float32)
    sr = np.roll(hr, (-3, 3), (1, 2)) + rng.normal(0, 0.005, hr.shape).astype(np.float32)
    clear = rng.random(hr.shape[1:]) > 0.1
    found = best_match(sr, hr, clear, PEAK, REACH)
    assert found.cpsnr_together_db == pytest.approx(brute_force(sr, hr, clear)[0], abs=1e-3)
    assert found.shift_px == (-3, 3)


def test_a_shift_of_one_pixel_moves_psnr_but_not_cpsnr(hr: np.ndarray, clear: np.ndarray) -> None:
    sr = hr + np.random.default_rng(5).normal(0, 0.004, hr.shape).astype(np.float32)
    shifted = np.roll(sr, 1, 2)
    psnr = [float(fidelity.psnr(fidelity.together(rmse(x, hr, clear)), PEAK)) for x in (sr, shifted)]
    cpsnr = [best_match(x, hr, clear, PEAK, REACH).cpsnr_together_db for x in (sr, shifted)]
    assert psnr[0] - psnr[1] > 3
    assert cpsnr[0] == pytest.approx(cpsnr[1], abs=0.1)


def test_masked_pixels_never_count(hr: np.ndarray, clear: np.ndarray) -> None:
    sr = hr + np.random.default_rng(6).normal(0, 0.01, hr.shape).astype(np.float32)
    clear[10:30, 10:60] = False
    wild = np.where(clear, sr, -3).astype(np.float32)
    assert best_match(wild, hr, clear, PEAK, REACH).cpsnr_together_db == pytest.approx(
        best_match(sr, hr, clear, PEAK, REACH).cpsnr_together_db, abs=1e-9
    )


def test_an_image_against_itself_has_no_error(hr: np.ndarray, clear: np.ndarray) -> None:
    assert best_match(hr, hr, clear, PEAK, REACH).cpsnr_together_db == np.inf


def test_cssim_of_images_that_lie_right_is_had_with_ssim(hr: np.ndarray, clear: np.ndarray) -> None:
    sr = hr + np.random.default_rng(7).normal(0.03, 0.01, hr.shape).astype(np.float32)
    clear[10:30, 10:60] = False
    shift = best_shift(sr, hr, clear, REACH)
    assert shift.px == (0, 0)
    assert shift.about == pytest.approx(best_match(sr, hr, clear, PEAK, REACH).bias, abs=1e-7)
    together = structure_of(sr, hr, clear, PEAK, unbiased=(shift.about, shift.counted))
    assert together.cssim == pytest.approx(cssim(sr, hr, clear, PEAK, REACH), abs=1e-6)
    assert (together.cssim > together.ssim + 0.003).all()


def test_a_shift_of_one_pixel_moves_ssim_but_not_cssim(hr: np.ndarray, clear: np.ndarray) -> None:
    sr = hr + np.random.default_rng(8).normal(0, 0.004, hr.shape).astype(np.float32)
    shifted = np.roll(sr, 1, 2)
    found = [cssim(x, hr, clear, PEAK, REACH) for x in (sr, shifted)]
    assert found[0] == pytest.approx(found[1], abs=0.01)
    assert (structure_of(shifted, hr, clear, PEAK).ssim < found[1] - 0.03).all()
