"""What the detail of a result rests on: measured by the LR image, inferred, or drawn."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from crossres.diffusion.model.upsample import View, upsample
from crossres.diffusion.sample.consistency import enforce
from crossres.diffusion.sample.support import margin_px, support
from crossres.operators import through_mtf

SIDE = 96
MTF = (0.3,)


def noise(seed: int, sigma: float = 0.0) -> torch.Tensor:
    values = gaussian_filter(np.random.default_rng(seed).normal(size=(1, SIDE, SIDE)), (0, sigma, sigma))
    return torch.from_numpy((values / values.std()).astype(np.float32))


@pytest.mark.parametrize("factor", [Fraction(4), Fraction(8, 3)])
def test_what_the_lr_image_fixes_is_measured_and_what_it_cannot_see_is_not(factor):
    """A scene of waves that LR sees well, and of grain that it does not see."""
    lr_side = int(SIDE / factor)
    view = View.whole(factor, lr_side, lr_side)
    by_row = torch.from_numpy(through_mtf(lr_side, factor, 0, SIDE, MTF[0]).dense())
    seen_well, unseen = noise(0, float(factor) * 0.8), noise(1, 0.4)
    unseen = unseen - upsample((by_row @ unseen @ by_row.mT)[None], view, "bicubic")[0]
    lr = (by_row @ seen_well @ by_row.mT)[None]
    y = upsample(lr, view, "bicubic")
    h = enforce(y, lr, view, "hard", MTF)
    spread = torch.full_like(seen_well, 0.1)

    def rms(mean, std, sample) -> list[float]:
        inside = slice(2 * margin_px(factor), -2 * margin_px(factor))
        found = support(y[0], h[0], mean, std, sample, factor)[:, 0, inside, inside]
        return found.mean((1, 2)).sqrt().tolist()

    measured, inferred, drawn = rms(h[0], spread, h[0])
    assert measured > 5 * inferred and inferred < 1e-4 and drawn == pytest.approx(0.1, rel=1e-3)
    assert (seen_well - h[0]).std() < (seen_well - y[0]).std()  # it is nearer to the truth, not made up
    measured_too, inferred, _ = rms(h[0] + 0.2 * unseen, spread, h[0])
    assert measured_too == pytest.approx(measured) and inferred == pytest.approx(0.2 * float(unseen.std()), rel=0.15)
    assert rms(h[0], spread, h[0] + 0.3 * unseen)[2] == pytest.approx(np.hypot(0.1, 0.3 * float(unseen.std())), rel=0.1)


def test_drawn_is_the_error_that_a_sample_is_expected_to_have():
    """Truth and samples from one distribution, whose width differs from place to place."""
    width = 0.2 * torch.exp(0.8 * noise(2, 8))
    draws = [width * noise(10 + k) for k in range(200)]
    mean = torch.zeros_like(width)
    zero = torch.zeros_like(width)
    drawn = torch.stack([support(zero, zero, mean, width, x, Fraction(4))[2, 0].sqrt() for x in draws[:100]])
    error = torch.stack([(truth - x)[0] for truth, x in zip(draws[100:], draws[:100], strict=True)])
    assert float(drawn.square().mean()) == pytest.approx(float(error.square().mean()), rel=0.03)
    worst = error.abs() > error.abs().quantile(0.75)
    ranks = drawn.flatten().argsort().argsort().double() + 1
    bad = worst.flatten()
    area = (ranks[bad].mean() - (bad.sum() + 1) / 2) / (~bad).sum()
    assert area > 0.8


def test_the_window_is_about_an_lr_pixel_and_no_wider_than_its_margin():
    for factor in (Fraction(4), Fraction(25, 2)):
        point = torch.zeros(1, 151, 151)
        point[0, 75, 75] = 1.0
        found = support(point * 0, point * 0, point * 0, point, point * 0, factor)[2, 0]
        assert float(found.sum()) == pytest.approx(1, rel=1e-4)
        reach = margin_px(factor)
        assert not found[:, : 75 - reach].any() and found[75, 75 - reach] > 0
        place = torch.arange(151.0) - 75
        assert float((found.sum(0) * place**2).sum().sqrt()) / float(factor) == pytest.approx(0.75, rel=0.06)
