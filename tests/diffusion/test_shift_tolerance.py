"""The shift-tolerant loss does not see whole-pixel offsets, and sees everything else."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_world import landscape

from crossres.diffusion.paths.residual import Residual
from crossres.diffusion.paths.straight import Straight
from crossres.diffusion.train.from_data import train
from crossres.diffusion.train.shift_tolerance import shift_tolerant_l1
from crossres.settings.config import parse
from crossres.settings.model import ModelSettings
from crossres.settings.train import TrainSettings

WORLD = torch.from_numpy(landscape(60, np.random.default_rng(0)))[None] * 10
FULL = torch.ones(1, 1, 40, 40)


def place(down: float = 0, right: float = 0) -> torch.Tensor:
    return WORLD[..., 10 + down : 50 + down, 10 + right : 50 + right]


def plain(answer: torch.Tensor, target: torch.Tensor) -> float:
    return float((answer - target).abs().sum())


offsets = st.tuples(st.integers(-2, 2), st.integers(-2, 2))


@settings(max_examples=10, deadline=None)
@given(offsets, offsets, st.floats(-1, 1))
def test_an_answer_that_lies_off_within_the_window_costs_nothing(offset, start, level):
    hr, source = place(), level + place(*start)
    answer = place(*offset) - source  # a velocity that leads to HR, moved
    assert float(shift_tolerant_l1(answer, hr - source, hr, FULL, 2)) < 5e-3 * plain(place(1, 1), hr)


@settings(max_examples=10, deadline=None)
@given(offsets)
def test_which_of_the_offsets_it_is_does_not_matter(offset):
    # The same error over an offset answer: blur, which no offset explains.
    def loss(down: int, right: int) -> float:
        blurred = torch.nn.functional.avg_pool2d(place(down, right), 3, 1, 1)
        return float(shift_tolerant_l1(blurred, place(), place(), FULL, 2))

    assert loss(*offset) == pytest.approx(loss(0, 0), rel=0.15)
    assert loss(*offset) > 0.2 * plain(torch.nn.functional.avg_pool2d(place(), 3, 1, 1), place())


def test_an_offset_past_the_window_and_a_change_of_level_cost_what_they_do_without_tolerance():
    hr = place()
    assert float(shift_tolerant_l1(hr + 0.5, hr, hr, FULL, 1)) == pytest.approx(plain(hr + 0.5, hr), rel=0.05)
    assert float(shift_tolerant_l1(place(5, 5), hr, hr, FULL, 1)) > 0.5 * plain(place(5, 5), hr)


@pytest.mark.parametrize("path", [Residual(0.2), Straight(0.1, 0.25, 0.2)])
def test_a_paths_target_moves_with_hr_as_it_says(path):
    generator = torch.Generator().manual_seed(0)
    draws = path.draw(FULL.shape, generator)
    here, there = (path.example(place(3, 3), hr, draws) for hr in (place(), place(1, 2)))
    assert torch.allclose(there.target - here.target, there.hr_part - here.hr_part, atol=1e-5)
    assert (there.hr_part - here.hr_part).abs().max() > 0.1


def test_masked_pixels_count_for_nothing_and_an_example_without_others_costs_nothing():
    hr, weight = place().clone(), FULL.clone()
    weight[..., :12] = 0
    before = shift_tolerant_l1(hr + 0.1, hr, hr, weight, 1)
    hr[..., :12] = 99
    answer = place() + 0.1
    assert float(shift_tolerant_l1(answer, hr, hr, weight, 1)) == pytest.approx(float(before), rel=1e-5)
    assert float(shift_tolerant_l1(answer, hr, hr, 0 * weight, 1)) == 0


def test_training_with_it_runs_and_other_paths_refuse_it(small_dataset, tmp_path):
    few = {"steps": 2, "batch": 2, "crop_px": 32, "shift_tolerance_px": 1}
    train(parse(few, "train", TrainSettings), ModelSettings(width=8), *small_dataset, tmp_path / "model")
    assert (tmp_path / "model" / "model.safetensors").exists()
    with pytest.raises(Exception, match=r"shift_tolerance_px.*path straight"):
        parse(few | {"path": "vp"}, "train", TrainSettings)
