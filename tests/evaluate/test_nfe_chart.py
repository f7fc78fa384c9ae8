"""Which lines the chart of quality over NFE has, and what they are called."""

from crossres.evaluate.charts.nfe import series
from crossres.evaluate.results.arm_names import SAME_ODE
from crossres.settings.sample import ArmSettings, SampleSettings, Sweep

STARTS = {
    "once": ArmSettings(start="lr", steps=1, solver="euler"),
    "few": ArmSettings(start="noise", steps=4, solver="euler"),
    "many": ArmSettings(start="noise", steps=32, solver="euler", samples=1),
}
LINES = {"lr start": [(1, "once")], "noise start": [(4, "few"), (32, "many")]}


def test_a_line_for_each_start_of_what_was_measured():
    assert series(SampleSettings(arms=STARTS), ["many", "few", "once", "theirs"]) == LINES
    assert series(SampleSettings(arms=STARTS), ["few"]) == {"noise start": [(4, "few")]}


def test_a_start_from_noise_that_is_the_same_ode_is_called_so():
    sample = SampleSettings(arms=STARTS)
    assert sample.one_ode({"main": "residual"}) == {"main"} and not sample.one_ode({"main": "straight"})
    found = series(sample, STARTS, sample.one_ode({"main": "residual"}))
    assert found == {"lr start": LINES["lr start"], SAME_ODE: LINES["noise start"]}


def test_a_one_step_model_stands_beside_them_and_interpolation_does_not():
    arms = STARTS | {"fast": ArmSettings(start="one-step"), "bicubic": ArmSettings(start="bicubic")}
    assert series(SampleSettings(arms=arms), arms) == LINES | {"one-step": [(1, "fast")]}


def test_two_solvers_are_never_one_line():
    arms = STARTS | {"halves": ArmSettings(start="noise", steps=4, solver="midpoint")}
    found = series(SampleSettings(arms=arms), arms)
    assert found["noise start, main"] == LINES["noise start"]
    assert found["noise start, main, solver midpoint"] == [(8, "halves")]


def test_seeds_of_a_sweep_have_lines_of_their_own():
    seeds = Sweep(models=("main", "seed_1"), starts=("lr",), nfe=(2, 4))
    sample = SampleSettings(arms={"bicubic": ArmSettings(start="bicubic")}, sweeps={"seeds": seeds})
    whole = sample.whole({"main": "ab2", "seed_1": "ab2"})
    assert series(whole, whole.arms) == {
        "lr start, main": [(2, "main_lr_2"), (4, "main_lr_4")],
        "lr start, seed_1": [(2, "seed_1_lr_2"), (4, "seed_1_lr_4")],
    }
