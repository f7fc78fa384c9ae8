"""On real Sentinel-2 and aerial chips, the metrics say what an eye sees."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from wholly import best_match, radial_spectrum, rmse, triplet_of

from crossres.evaluate.metrics import fidelity
from crossres.evaluate.metrics.spectrum import clear_blocks, spectrum_error
from crossres.operators import enlarged

PANEL, CHIP, LR = 256, 128, 32


@pytest.fixture(scope="module")
def chips(real_data: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return (LR, HR) chips at x 4, (band, row, column) in 0 to 1."""
    image = Image.open(real_data / "chips_x4/NAIP.gif")
    frames = []
    for i in range(2):
        image.seek(i)
        frames.append(np.asarray(image.convert("RGB"), np.float32).transpose(2, 0, 1) / 255)
    found = []
    for top in range(0, frames[0].shape[1] - PANEL + 1, PANEL):
        for left in range(0, frames[0].shape[2] - PANEL + 1, PANEL):
            hr, lr = (f[:, top : top + PANEL, left : left + PANEL] for f in frames)
            found.append((_blocks(lr, LR), _blocks(hr, CHIP)))
    return found


def _blocks(image: np.ndarray, side: int) -> np.ndarray:
    step = PANEL // side
    return image.reshape(3, side, step, side, step).mean(axis=(2, 4))


def test_bicubic_is_smooth_true_and_misses_detail(chips: list[tuple[np.ndarray, np.ndarray]]) -> None:
    clear = np.ones((CHIP, CHIP), bool)
    blocks = clear_blocks(clear)
    bias, omission, perfect = [], [], []
    for lr, hr in chips:
        up = enlarged(lr, Fraction(CHIP, LR))
        spectra = [radial_spectrum(x, *blocks, 2.5) for x in (up, hr)]
        bias.append(spectrum_error(*spectra, lr_gsd_m=10).detail_bias.mean())
        omission.append(triplet_of(up, hr, up, clear).omission)
        perfect.append(triplet_of(hr, hr, up, clear).improvement)
    assert len(chips) == 12
    assert max(bias) < -0.3
    assert min(omission) > 0.9 and min(perfect) > 0.9


def test_a_shift_and_a_bias_are_found_and_forgiven(chips: list[tuple[np.ndarray, np.ndarray]]) -> None:
    clear = np.ones((CHIP, CHIP), bool)
    for _, hr in chips:
        moved = np.roll(hr, (2, -3), axis=(1, 2)) + 0.03
        match = best_match(moved, hr, clear, 1.0, 6)
        assert match.shift_px == (2, -3)
        assert match.bias == pytest.approx([-0.03] * 3, abs=1e-4)
        plain = fidelity.psnr(fidelity.together(rmse(moved, hr, clear)), 1.0)
        assert match.cpsnr_together_db > 60 > plain + 20
