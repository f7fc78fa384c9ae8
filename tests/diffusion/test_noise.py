"""Noise leaves no trace of how a scene was cut; what the network is given once for all evaluations."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from crossres.diffusion.model.network import Network
from crossres.diffusion.model.upsample import View, upsample
from crossres.diffusion.sample.noise import noise_window
from crossres.settings.model import ModelSettings


def test_any_window_of_the_noise_field_is_cut_from_the_same_field():
    whole = noise_window(3, 1, 2, -10, -70, 200, 230)
    part = noise_window(3, 1, 2, 55, 61, 40, 77)
    assert np.array_equal(part, whole[:, 65:105, 131:208])


def test_noise_is_standard_normal_and_differs_by_band_sample_and_seed():
    a = noise_window(0, 0, 2, 0, 0, 256, 256)
    assert a.mean() == pytest.approx(0, abs=0.02) and a.std() == pytest.approx(1, abs=0.02)
    for other in (a[1], noise_window(0, 1, 1, 0, 0, 256, 256)[0], noise_window(1, 0, 1, 0, 0, 256, 256)[0]):
        assert abs(np.corrcoef(a[0].ravel(), other.ravel())[0, 1]) < 0.02


def some_network(**settings) -> Network:
    """Return a network whose zero-initialised layers have been drawn as well, as if trained."""
    torch.manual_seed(0)
    network = Network(ModelSettings(**settings), 2)
    for p in network.parameters():
        if not p.any():
            torch.nn.init.normal_(p, std=0.1)
    return network.requires_grad_(False)


def test_an_untrained_network_changes_nothing_and_its_regression_is_bicubic():
    network = Network(ModelSettings(), 3)
    x = torch.randn(2, 3, 30, 26)
    t = torch.rand(2)
    assert torch.equal(network(x, x, t, t), torch.zeros_like(x))


@pytest.mark.parametrize("prior", ["module", "concat", "none"])
def test_what_is_given_once_for_all_steps_gives_the_same_velocity(prior):
    network = some_network(prior=prior)
    x, y = torch.randn(2, 2, 2, 32, 48, generator=torch.Generator().manual_seed(0))
    t, sigma = torch.rand(2), torch.rand(2)
    added = None
    if network.prior is not None:
        view = View.whole(Fraction(4), 8, 12)
        levels = network.prior.levels(network.prior(y[..., ::4, ::4]))
        added = [upsample(f, view, "bilinear", 2 ** (i + 1)) for i, f in enumerate(levels)]
    whole = network.velocity(x, y, t, sigma, added)
    assert whole.abs().max() > 0.01
    assert torch.allclose(network.velocity_given(x, network.given(y, added), t, sigma), whole, atol=1e-5)
