"""Intervals hold what they promise, by simulation with a fixed seed; `benchmarks/coverage.py` is its long form."""

import numpy as np
import pytest
from scipy import stats

from crossres.evaluate.results.intervals import half_width, interval
from crossres.evaluate.results.speed_up import speed_up

REPETITIONS = 1500
ERROR = 3 * np.sqrt(0.95 * 0.05 / REPETITIONS)
"""Three standard errors of a share of so many."""


def lognormal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return values of mean 0, variance 1 and skewness 0.95."""
    spread = 0.3
    variance = (np.exp(spread**2) - 1) * np.exp(spread**2)
    return (np.exp(spread * rng.standard_normal(shape)) - np.exp(spread**2 / 2)) / np.sqrt(variance)


@pytest.mark.parametrize("law", [np.random.Generator.standard_normal, lognormal], ids=["normal", "skewed"])
@pytest.mark.parametrize(("seeds", "by_seed"), [(1, 0.0), (3, 0.0), (3, 0.3), (3, 1.0)])
@pytest.mark.parametrize("scenes", [4, 6, 12])
def test_an_interval_holds_the_truth_as_often_as_it_says(law, seeds, by_seed, scenes):
    rng = np.random.default_rng(12)
    shape = (REPETITIONS, seeds, scenes)
    values = law(rng, (REPETITIONS, 1, scenes)) + 0.3 * rng.standard_normal(shape)
    values = values + by_seed * rng.standard_normal((REPETITIONS, seeds, 1))
    held = np.mean([abs(table.mean()) <= half_width(table) for table in values])
    assert 0.93 - ERROR < held < 0.98 + ERROR


def test_seeds_averaged_away_would_promise_too_much():
    rng = np.random.default_rng(3)
    values = rng.standard_normal((REPETITIONS, 1, 8)) + rng.standard_normal((REPETITIONS, 3, 1))
    averaged = np.mean([abs(table.mean()) <= half_width(table.mean(axis=0, keepdims=True)) for table in values])
    both = np.mean([abs(table.mean()) <= half_width(table) for table in values])
    assert averaged < 0.85 and both > 0.95


def test_of_one_seed_it_is_students_t_and_of_seeds_alike_that_of_the_scenes_means():
    values = np.array([1.0, 2.0, 4.0, 3.0])
    found = interval(values)
    expected = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
    assert (found.low, found.high) == pytest.approx(expected) and (found.mean, found.n) == (2.5, 4)
    assert interval(np.array([values, values])) == found
    apart = interval(np.array([values - 1, values + 1]))
    assert apart.low < found.low and apart.mean == found.mean


def test_values_that_are_missing_are_left_out_and_one_scene_has_no_width():
    assert interval(np.array([np.nan])) is None
    assert interval(np.array([[1.0, np.nan], [3.0, 5.0]])) == interval(np.array([[1.0], [3.0]]))
    one = interval(np.array([2.0, np.nan]))
    assert (one.mean, one.low, one.high, one.n) == (2.0, 2.0, 2.0, 1)


@pytest.mark.parametrize(
    ("lr", "noise", "true"),
    [
        ((4.6, 3.9, 3.7, 3.6), (9.0, 7.0, 5.5, 4.0), 8.0),
        ((5.0, 3.9, 3.7, 3.6), (9.0, 7.0, 4.19, 4.0), 2.0),
        ((5.0, 4.21, 4.0, 4.0), (9.0, 7.0, 5.0, 4.0), 4.0),
        ((4.3, 4.21, 4.21, 4.21), (7.0, 5.0, 4.1, 4.0), 0.0),
    ],
    ids=["clear", "noise at the edge", "LR at the edge", "LR never"],
)
def test_a_speed_ups_interval_holds_the_truth_and_seldom_lies_above_it(lr, noise, true):
    rng = np.random.default_rng(5)
    nfe = (2, 4, 8, 32)

    def curve(truth):
        each = 0.02 * (rng.standard_normal((1, 6)) + rng.standard_normal((3, 1)))
        return {n: v * (1 + scene + each + 0.02 * rng.standard_normal((3, 6))) for n, v in zip(nfe, truth)}

    found = []
    for _ in range(400):
        scene = 0.2 * rng.standard_normal((1, 6))
        found.append(speed_up(curve(lr), curve(noise)))
    error = 3 * np.sqrt(0.95 * 0.05 / 400)
    assert np.mean([s.low <= true <= s.high for s in found]) > 0.95 - error
    assert np.mean([s.low > true for s in found]) < 0.025 + error
