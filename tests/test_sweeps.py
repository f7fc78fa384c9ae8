"""A sweep says a curve over NFE once: its points are arms, and the arms of a curve are known, not guessed."""

import pytest
import yaml

from crossres.errors import UserError
from crossres.settings.config import parse

SMALL = """
run: a
search: {lr: {kind: catalog, href: a}, hr: {kind: catalog, href: b}}
models:
  main: {}
  seed_1: {train: {seed: 1}}
  straight: {train: {path: straight}}
"""


def config(sweeps=None, arms=None):
    """Return a configuration of these sweeps and, where some are given, these arms alone."""
    sample = {"sweeps": sweeps or {}} | ({"arms": arms} if arms else {})
    return parse(yaml.safe_load(SMALL) | {"sample": sample})


def test_each_point_is_an_arm_whose_name_tells_model_start_and_nfe():
    made = config({"seeds": {"models": ["main", "seed_1"], "nfe": [2, 8]}}, {"lr_start": {"start": "bicubic"}})
    assert list(made.sample.arms) == [
        "lr_start", "main_lr_2", "main_lr_8", "main_noise_2", "main_noise_8",
        "seed_1_lr_2", "seed_1_lr_8", "seed_1_noise_2", "seed_1_noise_8",
    ]  # fmt: skip
    arm = made.sample.arms["seed_1_noise_8"]
    assert (arm.model, arm.start, arm.steps, arm.solver, arm.samples) == ("seed_1", "noise", 8, "ab2", 1)


def test_nfe_counts_evaluations_and_steps_follow_from_the_solver():
    made = config({"straight": {"models": ["straight"], "starts": ["lr"], "nfe": [2, 32]}})
    assert [made.sample.arms[f"straight_lr_{nfe}"].steps for nfe in (2, 32)] == [1, 16]
    assert made.sample.arms["straight_lr_2"].solver == "midpoint"


def test_a_point_that_an_arm_is_already_is_not_sampled_twice():
    made = config({"main": {"nfe": [2, 4]}}, {"lr_start": {"samples": 3}})
    assert list(made.sample.arms) == ["lr_start", "main_lr_4", "main_noise_2", "main_noise_4"]
    assert made.sample.arms["lr_start"].samples == 3
    assert made.sample.curves()["main"]["main"]["lr"] == {2: "lr_start", 4: "main_lr_4"}


def test_sweeps_of_one_model_that_differ_in_how_it_is_sampled_have_arms_of_their_own():
    made = config({"usual": {"nfe": [4]}, "other": {"starts": ["lr"], "nfe": [4], "solver": "midpoint", "sigma": 0.5}})
    assert made.sample.curves() == {
        "usual": {"main": {"lr": {4: "main_lr_4"}, "noise": {4: "main_noise_4"}}},
        "other": {"main": {"lr": {4: "main_lr_4_solver_midpoint_sigma_0.5"}}},
    }


def test_an_lr_start_is_held_against_the_noise_starts_of_other_sweeps():
    made = config({"ours": {"nfe": [2], "against": ["theirs"]}, "theirs": {"models": ["straight"], "nfe": [2]}})
    assert made.sample.against() == {"ours": ("theirs",), "theirs": ()}


def test_steps_even_in_the_angle_are_a_curve_of_their_own():
    made = config({"even": {"nfe": [4]}, "angle": {"starts": ["noise"], "nfe": [4], "spacing": "angle"}})
    assert made.sample.curves()["angle"] == {"main": {"noise": {4: "main_noise_4_spacing_angle"}}}


def test_the_name_of_a_point_is_one_of_a_folder():
    content = yaml.safe_load(SMALL) | {"models": {"main": {"train": {"path": "vp"}}}}
    content["sample"] = {"sweeps": {"other": {"nfe": [8], "solver": "dpm++2m", "starts": ["noise"]}}}
    assert "main_noise_8_solver_dpmpp2m" in parse(content).sample.arms


def test_a_configuration_that_was_written_down_is_the_same_when_it_is_read_again():
    made = config({"seeds": {"models": ["main", "seed_1"], "nfe": [2, 8]}, "more": {"nfe": [8, 16]}})
    assert parse(made.model_dump(mode="json")) == made


def test_arms_by_hand_make_a_curve_by_the_name_of_their_model():
    arms = {
        "lr_start": {}, "from_noise": {"start": "noise"}, "longer": {"start": "noise", "steps": 32},
        "straight": {"model": "straight"}, "halves": {"start": "noise", "steps": 4, "solver": "midpoint"},
        "one": {"start": "one-step"}, "bicubic": {"start": "bicubic"},
    }  # fmt: skip
    assert config(arms=arms).sample.curves() == {
        "main": {"main": {"lr": {2: "lr_start"}, "noise": {2: "from_noise", 32: "longer"}}},
        "main, solver midpoint": {"main": {"noise": {8: "halves"}}},
        "straight": {"straight": {"lr": {4: "straight"}}},
    }


def test_arms_by_hand_of_a_model_that_a_sweep_has_are_in_no_other_curve():
    made = config({"main": {"nfe": [2, 4]}}, {"lr_start": {}, "longer": {"start": "noise", "steps": 32}})
    assert list(made.sample.curves()) == ["main"]
    assert set(made.sample.curves()["main"]["main"]["noise"]) == {2, 4}


@pytest.mark.parametrize(
    ("sweeps", "arms", "message"),
    [
        (
            {"s": {"models": ["straight"], "nfe": [5]}},
            None,
            "sweeps.s.nfe: 5 is not a multiple of 2, the evaluations of",
        ),
        ({"s": {"models": ["other"], "nfe": [2]}}, None, "sweeps.s.models: 'other' is not one of models: main, "),
        (
            {"s": {"models": ["main", "straight"], "nfe": [2]}},
            None,
            "straight differs from main in more than train.seed",
        ),
        ({"straight": {"nfe": [2]}}, None, "sweeps.straight: has the name of a model that is not in it"),
        ({"s": {"nfe": [4]}}, {"lr_start": {}, "main_lr_4": {}}, "sample.arms.main_lr_4 is set otherwise"),
        ({"s": {"nfe": [2], "against": ["t"]}}, None, "sweeps.s.against: 't' is no sweep with a noise start"),
        (
            {"s": {"nfe": [2], "against": ["t"]}, "t": {"nfe": [2], "starts": ["lr"]}},
            None,
            "sweeps.s.against: 't' is no sweep with a noise start",
        ),
        (
            {"s": {"nfe": [2], "against": ["t"]}, "t": {"models": ["main", "seed_1"], "nfe": [2]}},
            None,
            "sweeps.s.against: t has 2 models and this sweep 1; give both as many seeds",
        ),
        (
            {"s": {"nfe": [2], "starts": ["noise"], "against": ["t"]}, "t": {"nfe": [2]}},
            None,
            "sweeps.s.against: this sweep has no LR start",
        ),
        ({"s": {"nfe": [4], "step": 2}}, None, "sample.sweeps.s.step: unknown key; the nearest known one is"),
        ({"s": {"nfe": []}}, None, "sample.sweeps.s.nfe: "),
        ({"s": {}}, None, "sample.sweeps.s.nfe: "),
    ],
)
def test_a_sweep_that_does_not_work_out_is_one_line_that_names_it(sweeps, arms, message):
    with pytest.raises(UserError) as error:
        config(sweeps, arms)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
