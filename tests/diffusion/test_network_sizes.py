"""The sizes of the network: those of NAF blocks stay what they were, those of dense blocks train and go in strips."""

import hashlib
from fractions import Fraction

import pytest
import torch
from small_world import write_dataset

from crossres.diffusion.model import blocks
from crossres.diffusion.model.network import SIZES, Network
from crossres.diffusion.model.upsample import View
from crossres.diffusion.train.from_data import initialise, train
from crossres.settings.model import ModelSettings
from crossres.settings.train import TrainSettings

LR = (9, 11)


def some_network(size: str, **own) -> Network:
    network = Network(ModelSettings(size=size, **own), 4, 6).requires_grad_(False).eval()
    initialise(network, 0)
    return network


def answer(network: Network, t: float = 0.3) -> torch.Tensor:
    """Return the velocity over 9 x 11 LR pixels at x4, whose sides are no multiples of every network's."""
    generator = torch.Generator().manual_seed(1)
    lr = torch.randn(2, 6, *LR, generator=generator).double()
    x, y = torch.randn(2, 2, 4, *(4 * n for n in LR), generator=generator).double()
    time = torch.tensor([t, 0.9]).double()
    levels = network.prior.levels(network.prior(lr))
    return network(x, y, time, time, levels, View.whole(Fraction(4), *LR))


def drawn(network: Network, std: float = 0.1) -> Network:
    """Draw the layers that start at zero, too."""
    generator = torch.Generator().manual_seed(2)
    for p in network.parameters():
        if not p.any():
            p.copy_(std * torch.randn(p.shape, generator=generator))
    return network


@pytest.mark.parametrize(
    ("size", "state", "sizes"),
    [
        ("demo", "9314f557ba370d7b", (-1020.0136129810637, 17410.39096271533)),
        ("base", "7fce4ccf6b68353f", (3121.1515717869374, 25319.496749601392)),
    ],
)
def test_a_size_of_naf_blocks_stays_what_models_were_trained_with(size, state, sizes):
    network = some_network(size)
    digest = hashlib.sha256()
    for name, values in network.state_dict().items():
        digest.update(f"{name} {tuple(values.shape)}".encode() + values.numpy().tobytes())
    assert digest.hexdigest()[:16] == state
    velocity = answer(drawn(network).double())
    assert (float(velocity.sum()), float(velocity.abs().sum())) == pytest.approx(sizes, rel=1e-9)


@pytest.mark.parametrize("size", ["dense-small", "dense"])
def test_dense_blocks_start_as_nothing_and_time_counts_once_they_are_trained(size):
    assert SIZES[size].kind == "dense"
    network = some_network(size, width=16).double()
    assert not answer(network).any()
    drawn(network)
    assert (answer(network, 0.3) - answer(network, 0.6))[0].abs().max() > 0.01


@pytest.mark.parametrize("size", ["dense-small", "dense"])
def test_every_weight_of_a_dense_network_has_a_gradient(size):
    network = drawn(some_network(size, width=16)).double().requires_grad_(True)
    answer(network).square().sum().backward()
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == [name for name in without if name.startswith("prior.head")]


@pytest.mark.parametrize("kind", ["naf", "dense"])
def test_blocks_that_go_in_strips_give_the_same(kind, monkeypatch):
    torch.manual_seed(0)
    stage = blocks.Stage(kind, 2, 16, 8).double().requires_grad_(False)
    for p in stage.parameters():
        torch.nn.init.normal_(p, std=0.2)
    x, embedding = torch.randn(1, 16, 200, 12).double(), torch.randn(1, 8).double()
    through, parts = stage._through, []
    monkeypatch.setattr(blocks, "STRIP_BYTES", 1)
    monkeypatch.setattr(stage, "_through", lambda x, e: (parts.append(x.shape[-2]), through(x, e))[1])
    with torch.inference_mode():
        assert torch.allclose(stage(x, embedding), through(x, embedding), atol=1e-12)
    assert len(parts) > 3


@pytest.mark.parametrize("factor", [Fraction(4), Fraction(25, 2)])
def test_a_dense_network_learns(tmp_path, factor):
    dataset = write_dataset(tmp_path, factor, 16, 4, 1)
    settings = TrainSettings(steps=30, batch=4, crop_px=int(8 * factor), validate_every=99, warmup_steps=5)
    train(settings, ModelSettings(size="dense-small", width=16), *dataset, tmp_path / "model")
    loss = [float(row.split(",")[1]) for row in (tmp_path / "model" / "history.csv").read_text().splitlines()[1:]]
    assert sum(loss[-5:]) < 0.95 * sum(loss[:5])
