"""Noise and tiles leave no trace of how a scene was cut."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from crossres.diffusion.model.network import Network
from crossres.diffusion.model.upsample import View, upsample
from crossres.diffusion.sample.noise import noise_window
from crossres.diffusion.sample.tiling import blend, overlap_for, plan
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


@pytest.mark.parametrize(
    ("height", "width", "tile", "overlap"), [(96, 160, 64, 16), (64, 64, 128, 32), (100, 44, 48, 0)]
)
def test_tiles_cover_the_image_start_on_the_grid_and_their_weights_sum_to_one(height, width, tile, overlap):
    tiles = plan(height, width, tile, overlap, 4, 4)
    total = np.zeros((height, width))
    for t in tiles:
        assert t.top % 4 == 0 and t.left % 4 == 0
        total[t.window] += t.weight_rows[:, None] * t.weight_cols
    assert total.min() > 0
    if overlap:
        assert len({(len(t.weight_rows), len(t.weight_cols)) for t in tiles}) == 1
    assert tiles[0].weight_rows[0] == 1 and tiles[0].weight_cols[0] == 1  # no ramp at the scene's border


def test_blending_what_does_not_change_gives_the_image_back():
    image = torch.randn(2, 3, 96, 132, generator=torch.Generator().manual_seed(0))
    tiles = plan(96, 132, 48, 20, 4, 4)
    assert torch.allclose(blend(image, tiles, 3, lambda pixels, _: pixels), image, atol=1e-6)


def some_network(**settings) -> Network:
    """Return a network whose zero-initialised layers have been drawn as well, as if trained."""
    torch.manual_seed(0)
    network = Network(ModelSettings(**settings), 2)
    for p in network.parameters():
        if not p.any():
            torch.nn.init.normal_(p, std=0.1)
    return network.requires_grad_(False)


def test_a_pixel_of_the_velocity_looks_no_further_than_the_stated_reach():
    network = some_network()
    x = torch.zeros(1, 2, 160, 160, requires_grad=True)
    v = network(x, torch.zeros(1, 2, 160, 160), torch.tensor([0.5]), torch.tensor([0.3]))
    (gradient,) = torch.autograd.grad(v[0, :, 80, 80].sum(), x)
    rows, cols = np.nonzero(gradient[0].abs().sum(0).numpy())
    reach = max(abs(rows - 80).max(), abs(cols - 80).max())
    assert network.reach_px / 2 < reach <= network.reach_px


def test_the_velocity_does_not_depend_on_the_tiles_when_their_overlap_covers_the_reach():
    network = some_network()
    x, y = torch.randn(2, 1, 2, 200, 172, generator=torch.Generator().manual_seed(0))

    def velocity(tile_px: int, batch: int) -> torch.Tensor:
        tiles = plan(200, 172, tile_px, overlap_for(network.reach_px), network.reach_px, network.multiple)

        def of_tiles(pixels, group):
            around = torch.cat([y[(..., *t.window)] for t in group])
            t = torch.full((len(pixels),), 0.5)
            return network(pixels, around, t, t)

        return blend(x, tiles, batch, of_tiles)

    whole = velocity(512, 1)
    for tile_px, batch in ((140, 1), (140, 5), (152, 2)):
        assert torch.allclose(velocity(tile_px, batch), whole, atol=1e-5)


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
