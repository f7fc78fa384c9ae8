"""The noise of the LR start: as little as gives nearly the statistics of the best."""

from types import SimpleNamespace

import pytest

from crossres.diffusion.paths.straight import Straight
from crossres.diffusion.train.validation import NEAR_BEST, Validation

BEST = 0.05


@pytest.mark.parametrize(
    ("swd", "expected"),
    [
        ({0.2: 3 * BEST, 0.4: BEST, 0.8: BEST}, 0.4),
        ({0.2: 0.99 * NEAR_BEST * BEST, 0.4: BEST, 0.8: 2 * BEST}, 0.2),
        ({0.2: 1.01 * NEAR_BEST * BEST, 0.4: BEST, 0.8: 2 * BEST}, 0.4),
        ({}, 0.37),
    ],
    ids=["the best", "nearly the best", "not near enough", "no choice"],
)
def test_the_smallest_noise_of_nearly_the_best_statistics_is_chosen(swd, expected):
    path = SimpleNamespace(sigmas=tuple(swd), usual_sigma=0.37)
    measured = SimpleNamespace(path=path, network=lambda _, s: {"swd": swd[s]})
    assert Validation.best_sigma(measured, None) == expected


def test_no_noise_is_tried_that_training_has_not_seen():
    assert min(Straight(0.1, 0.25, 0.5).sigmas) >= 0.1
    assert Straight(0.3, 0.25, 0.5).sigmas == (0.32, 0.47, 0.68)
    assert Straight(0.9, 0.25, 0.5).sigmas == (0.9,)
    assert [Straight(0.1, 0.25, r).usual_sigma for r in (0.02, 0.4, 1.3)] == [0.1, 0.4, 1.0]
