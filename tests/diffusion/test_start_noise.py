"""The noise of the LR start: as little as gives nearly the statistics of the best."""

from types import SimpleNamespace

import pytest

from crossres.diffusion.validation import NEAR_BEST, Validation

BEST = 0.05


@pytest.mark.parametrize(
    ("swd", "least", "expected"),
    [
        ({0.2: 3 * BEST, 0.4: BEST, 0.8: BEST}, 0.1, 0.4),
        ({0.2: 0.99 * NEAR_BEST * BEST, 0.4: BEST, 0.8: 2 * BEST}, 0.1, 0.2),
        ({0.2: 1.01 * NEAR_BEST * BEST, 0.4: BEST, 0.8: 2 * BEST}, 0.1, 0.4),
        ({0.2: BEST, 0.4: 2 * BEST, 0.8: 1.5 * BEST}, 0.3, 0.8),
        ({0.2: BEST, 0.4: BEST}, 0.9, 0.9),
        ({}, 0.1, 1.0),
    ],
    ids=["the best", "nearly the best", "not near enough", "not below the least", "all below the least", "no choice"],
)
def test_the_smallest_noise_of_nearly_the_best_statistics_is_chosen(swd, least, expected):
    measured = SimpleNamespace(path=SimpleNamespace(sigmas=tuple(swd)), network=lambda _, s: {"swd": swd[s]})
    assert Validation.best_sigma(measured, None, least) == expected
