"""Samples in antithetic pairs: the mean, and a spread that says how far HR is from it."""

import numpy as np
import pytest
import torch
from scipy.special import stdtrit

from crossres.diffusion.paths.ensemble import Ensemble
from crossres.diffusion.train.validation import LARGEST_FACTOR, std_factor

PIXELS = (1, 4, 300, 300)


def drawn(ensemble: Ensemble, seed: int, curved: float = 0.0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return mean, spread and first of samples of a standard normal, bent by `curved` times the square."""
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.randn(ensemble.samples, *PIXELS, generator=generator)

    def sample(k: int) -> torch.Tensor:
        number, sign = ensemble.noise(k)
        noise = sign * numbers[number]
        return noise + curved * (noise**2 - 1)

    return ensemble.summarise(map(sample, range(ensemble.samples)))


@pytest.mark.parametrize("antithetic", [False, True])
@pytest.mark.parametrize("samples", [2, 3, 4, 16])
def test_the_spread_of_perfect_samples_is_the_error_of_their_mean(samples, antithetic):
    ensemble = Ensemble(samples, antithetic)
    mean, spread, _ = drawn(ensemble, 1)
    truth = torch.randn(PIXELS, generator=torch.Generator().manual_seed(2))
    error = (truth - mean).abs().numpy()
    said = (ensemble.error * spread).numpy()
    assert np.sqrt((said**2).mean() / (error**2).mean()) == pytest.approx(1, abs=0.02)
    for share in (0.5, 0.683, 0.9, 0.954):
        within = stdtrit(ensemble.degrees_of_freedom, 0.5 + share / 2) * said
        assert (error <= within).mean() == pytest.approx(share, abs=0.01)
    assert std_factor(mean, spread, truth, torch.ones_like(truth[:, :1]), ensemble) == pytest.approx(1, abs=0.02)


def test_pairs_cancel_the_noise_of_the_mean_and_an_odd_number_is_not_paired():
    mean, _, first = drawn(Ensemble(4), 3, curved=0.1)
    independent = drawn(Ensemble(4, antithetic=False), 3, curved=0.1)
    assert mean.var() < 0.02 < 0.2 < independent[0].var()  # 0.1² x 2 / 2 pairs beside 1 / 4
    assert torch.equal(first, independent[2])
    assert not Ensemble(3).paired and [Ensemble(3).noise(k) for k in range(3)] == [(0, 1), (1, 1), (2, 1)]
    assert [Ensemble(4).noise(k) for k in range(4)] == [(0, 1), (0, -1), (2, 1), (2, -1)]


def test_one_sample_has_no_spread():
    mean, spread, first = drawn(Ensemble(1), 4)
    assert torch.equal(mean, first) and not spread.any()
    assert std_factor(mean, spread, mean + 1, torch.ones_like(mean), Ensemble(1)) == 1


def test_the_factor_mends_a_spread_that_is_too_small_and_sees_clear_pixels_only():
    ensemble = Ensemble(4)
    mean, spread, _ = drawn(ensemble, 5)
    truth = torch.randn(PIXELS, generator=torch.Generator().manual_seed(6))
    clear = torch.zeros(1, 1, *PIXELS[2:])
    clear[..., :200] = 1
    truth[..., 200:] = 50.0
    assert std_factor(mean, spread / 2, truth, clear, ensemble) == pytest.approx(2, abs=0.04)
    assert std_factor(mean, spread * 0, truth, clear, ensemble) == LARGEST_FACTOR
