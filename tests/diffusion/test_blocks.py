"""Blocks of a scene, each made from a window of it, are the scene as the network makes it whole: no seams, no blending.

In float64: what is left out shows, however little it is.
"""

from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import Tensor

from crossres.diffusion.model.dates import joined
from crossres.diffusion.model.network import SIZES, Network, Size
from crossres.diffusion.model.upsample import View, upsample
from crossres.diffusion.paths.path import Chain
from crossres.diffusion.paths.residual import Residual
from crossres.diffusion.paths.resshift import ResShift
from crossres.diffusion.paths.straight import Straight
from crossres.diffusion.paths.variance_preserving import VariancePreserving
from crossres.diffusion.sample.arms import Arm
from crossres.diffusion.sample.consistency import enforce
from crossres.diffusion.sample.large_views import given, upsample_large
from crossres.diffusion.sample.noise import noise_window
from crossres.diffusion.sample.windows import Window, cuts
from crossres.settings.model import ModelSettings
from crossres.settings.sample import ArmSettings, TilingSettings

BANDS = 2
TINY = ModelSettings(width=8, embedding=16)


def some_network(settings: ModelSettings = TINY, std: float = 0.2, lr_dates: int = 1) -> Network:
    """Return a network whose layers that start at zero have been drawn as well, as if trained."""
    torch.manual_seed(0)
    network = Network(settings, BANDS, lr_dates=lr_dates).requires_grad_(False).double()
    for p in network.parameters():
        if not p.any():
            torch.nn.init.normal_(p, std=std)
    return network


def some_lr(rows: int, cols: int) -> Tensor:
    return torch.randn(1, BANDS, rows, cols, generator=torch.Generator().manual_seed(1)).double()


def arm_of(network: Network, path, chain: Chain, block_px: int = 64, samples: int = 1, **tiling) -> Arm:
    settings = ArmSettings(steps=chain.steps, samples=samples)
    tiling = TilingSettings(block_px=block_px, precision="float32", **tiling)
    return Arm(settings, tiling, network, path, chain, lr_mtf=(0.3,) * BANDS)


@torch.inference_mode()
def in_blocks(arm: Arm, lr: Tensor, factor: Fraction, part: str = "sample") -> Tensor:
    """Return the (band, row, column) image of a scene block by block; of support (3, band, row, column)."""
    scene = Window(0, 0, *(int(n * factor) for n in lr.shape[-2:]))
    out = torch.full((*((3,) if part == "support" else ()), BANDS, *scene.shape), torch.nan, dtype=lr.dtype)
    for core in scene.cut(*(cuts(side, arm.tiling.block_px, arm.multiple) for side in scene.shape)):
        block = arm.block(core, scene, factor)
        pixels = lr[..., block.lr.top : block.lr.bottom, block.lr.left : block.lr.right]
        out[..., *core.of(scene)] = getattr(arm.run(pixels, block), part)
    return out


@torch.inference_mode()
def as_one(arm: Arm, lr: Tensor, factor: Fraction) -> Tensor:
    """Return the first sample of a scene as the network makes it in one go, without windows."""
    view = View.whole(factor, *lr.shape[-2:])
    height, width = (-(-n // arm.multiple) * arm.multiple for n in (view.height, view.width))
    padded = view.part(0, 0, height, width)
    y = upsample(lr[:, :BANDS], padded, "bicubic")
    features = arm.network.prior(lr)
    added = [
        to_level(upsample(features, padded, "bilinear", stride))
        for to_level, stride in zip(arm.network.prior.to_level, arm.network.strides, strict=True)
    ]

    def field(x, t, sigma):
        time, noise = (torch.full((1,), value, dtype=lr.dtype) for value in (t, sigma))
        return arm.network.velocity(x, y, time, noise, added)

    def noise(draw):
        return torch.from_numpy(noise_window(arm.tiling.seed, 0, BANDS, 0, 0, height, width, draw))[None].to(lr)

    image = arm.path.run(field, y, noise, arm.chain)[..., : view.height, : view.width]
    return enforce(image, lr[:, :BANDS], view, arm.tiling.consistency, arm.lr_mtf)[0]


RESIDUAL, STRAIGHT, VP, RESSHIFT = Residual(0.5), Straight(0.1, 0.25, 0.5), VariancePreserving(), ResShift()
CHAINS = [
    (RESIDUAL, Chain("lr", 2, "ab2", 0.5, 0.0)),
    (RESIDUAL, Chain("noise", 2, "midpoint", 1.0, 0.0)),
    (STRAIGHT, Chain("lr", 3, "euler", 0.3, 0.0)),
    (STRAIGHT, Chain("noise", 4, "ab2", 1.0, 0.0)),
    (VP, Chain("lr", 3, "ddim", 0.9, 1.0)),
    (VP, Chain("noise", 3, "dpm++2m", 1.0, 0.0)),
    (RESSHIFT, Chain("lr", 3, "ancestral", 1.0, 1.0)),
]


@pytest.mark.parametrize(("path", "chain"), CHAINS, ids=lambda v: getattr(v, "solver", getattr(v, "name", "")))
@pytest.mark.parametrize(("factor", "shape"), [(Fraction(4), (61, 47)), (Fraction(25, 2), (18, 14))])
def test_blocks_are_the_scene_that_the_network_makes_whole(path, chain, factor, shape):
    arm = arm_of(some_network(), path, chain)
    lr = some_lr(*shape)
    whole = as_one(arm, lr, factor)
    assert whole.std() > 0.1
    assert torch.allclose(in_blocks(arm, lr, factor), whole, atol=1e-12 * float(whole.std()))


@pytest.mark.parametrize(("factor", "shape"), [(Fraction(4), (61, 47)), (Fraction(25, 2), (22, 18))])
def test_blocks_of_several_lr_dates_are_the_whole_scene(factor, shape):
    arm = arm_of(some_network(lr_dates=3), *CHAINS[0], block_px=32)
    rng = torch.Generator().manual_seed(2)
    bands, offsets = (torch.randn(1, 2, n, *shape, generator=rng).double() for n in (BANDS, 2))
    valid = torch.rand(1, 2, 1, *shape, generator=rng) > 0.3
    lr = joined(some_lr(*shape), bands, offsets, valid)
    whole = as_one(arm, lr, factor)
    assert (whole - as_one(arm, lr[:, :BANDS], factor)).std() > 0.01 * whole.std()
    assert torch.allclose(in_blocks(arm, lr, factor), whole, atol=1e-12 * float(whole.std()))


@pytest.mark.parametrize(("size", "reach_px"), [("base", 96), ("dense", 64), ("coarse", 64)])
@pytest.mark.parametrize(("factor", "shape"), [(Fraction(4), (136, 104)), (Fraction(25, 2), (42, 34))])
def test_blocks_of_a_network_of_several_levels_are_the_whole_scene(monkeypatch, size, reach_px, factor, shape):
    if size == "coarse":  # whose finest pixels are not two HR pixels wide
        monkeypatch.setitem(SIZES, "demo", Size(16, (1,), 2, (1,), 16, 16, 1, "dense", unshuffle=4))
        size = "demo"
    arm = arm_of(some_network(ModelSettings(size=size, width=16)), RESIDUAL, CHAINS[0][1], block_px=160)
    lr = some_lr(*shape)
    assert arm.halo_px == 2 * reach_px
    whole = as_one(arm, lr, factor)
    assert torch.allclose(in_blocks(arm, lr, factor), whole, atol=1e-12 * float(whole.std()))


@pytest.mark.parametrize("size", ["demo", "base"])
@pytest.mark.parametrize(("factor", "shape"), [(Fraction(4), (136, 104)), (Fraction(25, 2), (42, 34))])
def test_support_leaves_no_trace_of_blocks_though_it_looks_a_little_beyond_them(size, factor, shape):
    network, lr = some_network(ModelSettings(size=size, width=16)), some_lr(*shape)
    blocks, whole = (
        in_blocks(arm_of(network, RESIDUAL, CHAINS[0][1], block_px=px, samples=2), lr, factor, "support").sqrt()
        for px in (160, 4096)
    )
    assert (blocks - whole).abs().max() < 1e-4 * float(whole.max()) and whole.std() > 0.01


def computed(arm: Arm, scene: Window, factor: Fraction) -> int:
    """Return how many pixels of a sample the network goes over, as windows are said to be cut."""
    total = 0
    for core in scene.cut(*(cuts(side, arm.tiling.block_px, arm.multiple) for side in scene.shape)):
        inner = arm._inner(core, scene, factor)
        outer = inner.grown(arm.halo_px, scene.aligned(arm.multiple))
        for left in range(arm.chain.nfe):
            seen = inner.grown(left * arm.network.reach_px, outer).grown(arm.network.reach_px, outer)
            total += seen.pixels
    return total


def test_the_network_goes_over_the_windows_that_are_counted(monkeypatch):
    arm = arm_of(some_network(ModelSettings(size="base", width=16)), RESIDUAL, CHAINS[0][1], block_px=160, samples=2)
    seen = []
    velocity = Network.velocity_given

    def counted(self, x, *args):
        seen.append(len(x) * x.shape[-2] * x.shape[-1])
        return velocity(self, x, *args)

    monkeypatch.setattr(Network, "velocity_given", counted)
    in_blocks(arm, some_lr(136, 104), Fraction(4))
    assert sum(seen) == 2 * computed(arm, Window(0, 0, 544, 416), Fraction(4))


@pytest.mark.parametrize(("size", "most"), [("base", 1.3), ("demo", 1.15), ("dense", 1.2), ("dense-small", 1.15)])
@pytest.mark.parametrize(("factor", "lr_px"), [(Fraction(4), 10980), (Fraction(25, 2), 2196)])
def test_of_a_large_scene_each_pixel_is_computed_about_once(size, most, factor, lr_px):
    with torch.device("meta"):
        network = Network(ModelSettings(size=size), 4)
    arm = Arm(ArmSettings(steps=2, samples=4), TilingSettings(), network, RESIDUAL, CHAINS[0][1])
    scene = Window(0, 0, int(lr_px * factor), int(lr_px * factor))
    assert 1 < computed(arm, scene, factor) / (arm.chain.nfe * scene.pixels) <= most


def test_agreement_with_the_lr_image_looks_beyond_a_block():
    """Its Gaussian and its bicubic end; what they leave out past OPTICS_LR_PX is below a count of the product."""
    arm = arm_of(some_network(), *CHAINS[0], consistency="hard")
    lr = some_lr(61, 47)
    assert (in_blocks(arm, lr, Fraction(4)) - as_one(arm, lr, Fraction(4))).abs().max() < 1e-3


@pytest.mark.parametrize("start", ["regression", "bicubic", "nearest"])
def test_images_without_samples_leave_no_trace_of_blocks_either(start):
    network, lr = some_network(), some_lr(61, 47)
    arms = [
        Arm(ArmSettings(start=start), TilingSettings(block_px=px, precision="float32"), network)
        for px in (64, 4096)
    ]  # fmt: skip
    blocks, whole = (in_blocks(arm, lr, Fraction(4)) for arm in arms)
    assert torch.allclose(blocks, whole, atol=1e-7) and blocks.std() > 0.1


@pytest.mark.parametrize("size", ["demo", "base", "large", "dense-small", "dense"])
def test_what_lies_beyond_a_window_shows_as_deep_as_the_stated_reach_and_no_deeper(size):
    network = some_network(ModelSettings(size=size, width=8, prior="concat"), std=0.5)
    reach, side = network.reach_px, network.reach_px + 4 * network.multiple
    x, y = torch.randn(2, 1, BANDS, 2 * side, network.multiple, generator=torch.Generator().manual_seed(0)).double()
    t = torch.tensor([0.5]).double()
    whole = network(x, y, t, t)[..., side:, :]
    cut = network(x[..., side:, :], y[..., side:, :], t, t)
    differs = (whole - cut).abs().amax((0, 1, 3)) > 1e-12
    assert not differs[reach:].any()
    if size != "large":  # whose outermost pixels tell less than a float64 can
        assert differs[reach - network.multiple : reach].any()


@pytest.mark.parametrize(("length", "side", "multiple"), [(2000, 2112, 32), (4300, 2112, 32), (100, 7, 4), (3, 64, 4)])
def test_blocks_are_about_equal_and_start_where_the_coarsest_pixels_do(length, side, multiple):
    sizes = cuts(length, side, multiple)
    largest = max(side // multiple, 1) * multiple
    assert sum(sizes) == length and max(sizes) <= largest and len(sizes) == -(-length // largest)
    assert all(start % multiple == 0 for start in np.cumsum(sizes)[:-1])


@pytest.mark.parametrize("factor", [Fraction(4), Fraction(25, 2), Fraction(25, 8)])
@pytest.mark.parametrize(("kernel", "stride"), [("bicubic", 1), ("bilinear", 2), ("bilinear", 16)])
def test_a_large_view_is_the_same_image(factor, kernel, stride):
    lr = some_lr(40, 56)
    view = View.whole(factor, 40, 56).part(-3, 5, 130, 171)
    assert torch.allclose(upsample_large(lr, view, kernel, stride), upsample(lr, view, kernel, stride), atol=1e-6)


@pytest.mark.parametrize("factor", [Fraction(4), Fraction(25, 2)])
@pytest.mark.parametrize("size", ["demo", "dense"])
def test_what_a_large_view_is_given_is_what_training_adds_to_each_level(size, factor):
    network, lr = some_network(TINY.model_copy(update={"size": size})), some_lr(16, 12)
    view = View.whole(factor, 16, 12)
    y = upsample(lr, view, "bicubic")
    levels = [
        upsample(level, view, "bilinear", stride)
        for level, stride in zip(network.prior.levels(network.prior(lr)), network.strides, strict=True)
    ]
    for found, expected in zip(given(network, lr, y, view), network.given(y, levels), strict=True):
        assert torch.allclose(found, expected, atol=1e-5) and found.std() > 0.01
