"""LR values on the fine grid: the same whatever window is asked for, at whole and fractional factors."""

from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter

from crossres.diffusion.model.gaps import fill_nearest
from crossres.diffusion.model.upsample import View, upsample
from crossres.diffusion.sample.consistency import enforce
from crossres.operators import nearest, through_mtf

FACTORS = [Fraction(2), Fraction(4), Fraction(25, 2), Fraction(25, 8)]


def lr_image(h: int, w: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(size=(1, 2, h, w)).astype(np.float32))


@pytest.mark.parametrize("factor", FACTORS)
def test_bicubic_is_that_of_keys_as_torch_has_it_away_from_the_border(factor):
    lr = lr_image(16, 24)
    ours = upsample(lr, View.whole(factor, 16, 24), "bicubic")
    theirs = F.interpolate(lr, size=ours.shape[-2:], mode="bicubic", antialias=True)
    edge = int(3 * factor)
    inner = (..., slice(edge, -edge), slice(edge, -edge))
    assert torch.allclose(ours[inner], theirs[inner], atol=2e-5)


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("kernel", ["bicubic", "bilinear"])
def test_a_window_is_cut_from_the_whole(factor, kernel):
    lr = lr_image(16, 24)
    view = View.whole(factor, 16, 24)
    part = upsample(lr, view.part(7, 11, 13, 18), kernel)
    assert torch.allclose(part, upsample(lr, view, kernel)[..., 7:20, 11:29], atol=1e-6)


@pytest.mark.parametrize("factor", FACTORS)
def test_a_ramp_stays_the_same_ramp(factor):
    ramp = torch.arange(16.0).expand(1, 1, 16, 16)
    fine = upsample(ramp, View.whole(factor, 16, 16), "bicubic")[0, 0, 0]
    expected = (torch.arange(len(fine)) + 0.5) / float(factor) - 0.5
    edge = int(3 * factor)
    assert torch.allclose(fine[edge:-edge], expected[edge:-edge], atol=1e-4)


def test_shifting_lr_by_one_hr_pixel_moves_the_upsampled_image_by_one_pixel():
    lr = lr_image(12, 12)
    view = View.whole(Fraction(4), 12, 12)
    moved = upsample(lr, view, "bicubic", 1, (torch.tensor([1.0]), torch.tensor([0.0])))
    assert torch.allclose(moved[..., 1:, :], upsample(lr, view, "bicubic")[..., :-1, :], atol=1e-5)


def test_every_fine_pixel_of_nearest_lies_in_its_lr_pixel():
    factor = Fraction(25, 2)
    at = nearest(8, factor, 0, 100)
    centres = (np.arange(100) + 0.5) / 12.5
    assert ((centres >= at) & (centres <= at + 1)).all()


def test_gaps_take_their_nearest_neighbour_and_valid_pixels_keep_their_value():
    values = np.arange(12, dtype=np.float32).reshape(1, 3, 4)
    holed = values.copy()
    holed[0, 1, 1:] = np.nan
    filled = fill_nearest(holed)
    assert np.isfinite(filled).all()
    assert np.array_equal(filled[0, [0, 2]], values[0, [0, 2]])


@pytest.mark.parametrize("factor", FACTORS)
def test_hard_consistency_makes_the_result_agree_with_lr_and_soft_goes_part_of_the_way(factor):
    lr = torch.from_numpy(gaussian_filter(lr_image(16, 16).numpy(), (0, 0, 1, 1)))
    view = View.whole(factor, 16, 16)
    image = upsample(lr, view, "bicubic") + 0.5
    down = torch.from_numpy(through_mtf(16, factor, 0, view.height, 0.25).dense())

    def error(mode):
        result = enforce(image, lr, view, mode, (0.25,) * lr.shape[1])
        return float((down @ result @ down.mT - lr).abs().mean())

    assert error("soft") < 0.7 * error("none")
    assert error("hard") < 0.1 * error("none")
