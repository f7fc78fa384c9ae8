"""Batches: numbers of scenes until they are on the device, and there what they were before they were turned."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from small_world import write_dataset

from crossres.diffusion.model.standardise import Standard
from crossres.diffusion.model.upsample import View, _matrix, upsample
from crossres.diffusion.train.batches import batches, on_device
from crossres.diffusion.train.data import Split
from crossres.diffusion.train.learning_step import random_gain
from crossres.diffusion.train.prepare import turned
from crossres.imagery.numbers import to_reflectance
from crossres.operators import interpolation
from crossres.settings.train import GainSettings

CPU = torch.device("cpu")
STANDARD = Standard((0.1, 0.12, 0.1, 0.3), (0.05, 0.06, 0.08, 0.1))


@pytest.fixture(scope="module", params=[Fraction(4), Fraction(25, 2)], ids=str)
def split(request, tmp_path_factory) -> Split:
    folder = tmp_path_factory.mktemp("batches")
    dataset, index, _ = write_dataset(folder, request.param, 12, 5, 1)
    return Split(dataset, index, "train", request.param, STANDARD)


def test_what_goes_to_the_device_is_a_quarter_of_what_is_learnt_from(split):
    raw = split.random_batch(np.arange(4), 100, 0.5, np.random.default_rng(0))
    assert raw.lr.dtype == raw.hr.dtype == torch.uint16
    batch = split.preparation(CPU)(raw)
    assert 4 * raw.hr.nbytes == batch.hr.nbytes + batch.y.nbytes


def test_a_batch_is_the_patches_standardised(split):
    batch = split.batch(np.arange(5))
    for name, tensor in (("lr", batch.lr), ("hr", batch.hr)):
        expected = STANDARD.forward(to_reflectance(np.stack(split.read(name, np.arange(5)))))
        np.testing.assert_allclose(tensor, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("turn", range(8))
def test_a_turned_crop_is_the_turned_window_of_the_whole_also_where_lr_is_moved(split, turn):
    """Upsampling commutes with turns: so the shift that a network is told is the one of what it sees."""
    shift = np.array([[0.7, -1.3], [-0.4, 2.1]])
    corners = np.array([[2, 0], [0, 4]])
    prepare, n, d = split.preparation(CPU), split.factor.numerator, split.factor.denominator
    crop = prepare(split._raw(np.arange(2), corners, (8, 8), shift, turn))
    whole = prepare(split._raw(np.arange(2), 0 * corners, (12, 12), shift, 0))
    side = 8 * n // d
    for k, (top, left) in enumerate((corners * n // d).T):
        for name in ("y", "hr", "weight"):
            window = getattr(whole, name)[k : k + 1, :, top : top + side, left : left + side]
            assert torch.allclose(getattr(crop, name)[k : k + 1], turned(window, turn), atol=2e-5), name
    view = View.whole(split.factor, 8, 8)
    again, edge = upsample(crop.lr, view, "bicubic", 1, crop.shift), int(3 * split.factor)
    inner = (..., slice(edge, -edge), slice(edge, -edge))
    assert torch.allclose(again[inner], crop.y[inner], atol=2e-5)


def test_parts_of_a_batch_are_those_of_the_whole(split):
    raw = split.random_batch(np.arange(5), 100, 0.5, np.random.default_rng(0))
    prepare = split.preparation(CPU)
    whole, part = prepare(raw), prepare(raw.part(slice(1, 3)))
    assert torch.allclose(whole.y[1:3], part.y, atol=1e-6) and torch.equal(whole.hr[1:3], part.hr)


def test_loaders_and_the_way_to_the_device_change_nothing(split):
    one = list(batches(split, 3, 5, 100, 0.5, seed=0))
    other = list(on_device(batches(split, 3, 5, 100, 0.5, seed=0, workers=3), CPU))
    assert len(one) == len(other) == 5
    assert all(torch.equal(a, b) for x, y in zip(one, other) for a, b in zip(x.tensors(), y.tensors(), strict=True))


@pytest.mark.parametrize("kernel", ["bicubic", "bilinear"])
@pytest.mark.parametrize("stride", [1, 2])
def test_images_that_are_not_moved_are_interpolated_as_kept_matrices_do(kernel, stride):
    lr = torch.randn(2, 3, 9, 11, generator=torch.Generator().manual_seed(0))
    view = View(Fraction(25, 2), 5, 20, 90, 100)
    still = torch.zeros(2), torch.zeros(2)
    assert torch.allclose(upsample(lr, view, kernel, stride, still), upsample(lr, view, kernel, stride), atol=1e-5)
    rows = torch.from_numpy(interpolation(9, view.factor, 5, -(-90 // stride), kernel, stride).dense())
    cols = torch.from_numpy(interpolation(11, view.factor, 20, -(-100 // stride), kernel, stride).dense())
    assert torch.allclose(upsample(lr, view, kernel, stride), rows @ lr @ cols.mT, atol=1e-5)


def test_matrices_are_made_once_and_can_be_trained_with_when_sampling_made_them():
    lr, view = torch.ones(1, 1, 13, 17, requires_grad=True), View.whole(Fraction(3), 13, 17)
    with torch.inference_mode():
        upsample(lr, view, "bicubic")
    made = _matrix.cache_info().misses
    upsample(lr, view, "bicubic").sum().backward()
    assert _matrix.cache_info().misses == made and torch.allclose(lr.grad.sum(), torch.tensor(9.0 * 13 * 17))


def gains(**settings) -> torch.Tensor:
    found = random_gain(GainSettings(**settings), (4000, 4, 1, 1), torch.Generator().manual_seed(0))
    return found[..., 0, 0]


def test_a_wide_gain_is_one_for_all_bands_log_uniform_and_rare_as_asked():
    wide = gains(share=0.7, low=0.35, high=1.4)
    assert torch.equal(wide.min(1).values, wide.max(1).values)
    hit = wide[:, 0][wide[:, 0] != 1]
    assert len(hit) / len(wide) == pytest.approx(0.7, abs=0.03)
    assert hit.min() >= 0.35 and hit.max() <= 1.4
    assert hit.log().mean().item() == pytest.approx(np.log(0.35 * 1.4) / 2, abs=0.03)


def test_a_gain_of_bands_is_each_bands_own_and_without_any_nothing_is_drawn():
    band = gains(band=0.1)
    assert (band - 1).abs().max() <= 0.1 and abs(np.corrcoef(band.T.numpy())[0, 1]) < 0.05
    generator = torch.Generator().manual_seed(0)
    assert random_gain(GainSettings(), (4, 4, 1, 1), generator) is None
    assert torch.equal(generator.get_state(), torch.Generator().manual_seed(0).get_state())


def test_a_gain_multiplies_reflectance_of_lr_and_hr_alike(split):
    raw = split.random_batch(np.arange(3), 100, 0.0, np.random.default_rng(0))
    prepare = split.preparation(CPU)
    plain, bright = prepare(raw), prepare(raw, torch.full((3, 4, 1, 1), 1.3))
    for name in ("lr", "y", "hr"):
        before, after = (STANDARD.reflectance(getattr(batch, name)) for batch in (plain, bright))
        assert torch.allclose(after, 1.3 * before, atol=1e-5), name
