"""The ways to make an HR image: sampling from an LR start or from noise, and what these are compared with."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

import torch
from torch import Tensor

from crossres.diffusion.model.network import Network
from crossres.diffusion.model.precision import in_bfloat16
from crossres.diffusion.paths.ensemble import Ensemble
from crossres.diffusion.paths.path import Chain, DiffusionPath
from crossres.diffusion.sample.consistency import enforce
from crossres.diffusion.sample.field import Field, Room
from crossres.diffusion.sample.large_views import given, upsample_large
from crossres.diffusion.sample.noise import noise_window
from crossres.diffusion.sample.support import margin_px, support
from crossres.diffusion.sample.windows import Block, Window, block_around, cuts
from crossres.errors import UserError
from crossres.imagery.engine import each
from crossres.operators import nearest
from crossres.settings.sample import ArmSettings, TilingSettings

HALO_LIMIT_PX = 256
"""Widest halo around a block, in fine pixels, or two reaches of the network: that of the usual two evaluations."""
OPTICS_LR_PX = 16
"""How far agreement with the LR image looks."""
TOGETHER = 4
"""Samples that go through the network together on a GPU."""
REGRESSION_PX = 512
"""Side of the windows that a regression is made in."""


@dataclass(frozen=True)
class Estimate:
    """What an arm says of the HR image: (band, row, column) each, standardised."""

    mean: Tensor
    std: Tensor
    """Standard deviation of HR about the mean: the samples' spread times `Arm.std_scale`; zero for one sample."""
    sample: Tensor
    """The first sample."""
    support: Tensor | None = None
    """(3, band, row, column) mean squares of what the detail of the sample rests on (`support`)."""


@dataclass(frozen=True)
class Arm:
    """An arm ready to run: its settings, and the network where it needs one."""

    settings: ArmSettings
    tiling: TilingSettings
    network: Network | None = None
    path: DiffusionPath | None = None
    """What the network was trained on."""
    chain: Chain | None = None
    """How samples are drawn; None where none are."""
    std_factor: float = 1.0
    """What the card says that the samples' spread is to be multiplied by."""
    lr_mtf: tuple[float, ...] = ()
    """The LR sensor's MTF at its Nyquist frequency, one a band, which `tiling.consistency` goes by."""
    threads: int = 1
    """Samples that are drawn at once on a CPU."""
    room: Room = field(default_factory=Room)

    @property
    def ensemble(self) -> Ensemble:
        """The samples that there are."""
        return Ensemble(self.settings.samples if self.chain else 1, self.settings.antithetic)

    @property
    def supports(self) -> bool:
        """Whether it can say what its detail rests on: one sample does not tell what others would have drawn."""
        return self.ensemble.samples > 1

    @property
    def std_scale(self) -> float:
        """What the samples' spread is multiplied by."""
        return self.ensemble.error * self.std_factor if self.supports else 1.0

    @property
    def multiple(self) -> int:
        """Every window of the network starts, and ends, at a multiple of this many fine pixels."""
        return self.network.multiple if self.network else 1

    @property
    def halo_px(self) -> int:
        """How far a pixel of a sample looks, over all evaluations, in fine pixels; influence further off is left out.

        Past the limit, which only many evaluations come to, it is far below one count of the product.
        """
        if self.network is None or self.chain is None:
            return self.multiple
        reach = self.network.reach_px
        return min(self.chain.nfe * reach, max(HALO_LIMIT_PX, 2 * reach))

    def rim(self, core: Window, scene: Window, factor: Fraction) -> Window:
        """Return the window over which samples must be right for a core that is delivered: optics look beyond it."""
        optics = 0 if self._agreement == "none" else math.ceil(OPTICS_LR_PX * factor)
        return self._near(core, scene, factor).grown(optics, scene)

    def _near(self, core: Window, scene: Window, factor: Fraction) -> Window:
        """Return the window over which mean, std and sample must be right: support looks beyond the core."""
        return core.grown(margin_px(factor) if self.supports else 0, scene)

    def block(self, core: Window, scene: Window, factor: Fraction) -> Block:
        """Return a core of a scene with the LR pixels that it is made from."""
        seen = self._inner(core, scene, factor).grown(self.halo_px, scene)
        prior = self.network.prior.reach_lr_px if self.network and self.network.prior else 0
        return block_around(core, scene, factor, seen, 3 + max(prior, OPTICS_LR_PX if self.supports else 0))

    def _inner(self, core: Window, scene: Window, factor: Fraction) -> Window:
        """Return the window that the network goes over in the last evaluation; `rim` is `_spare` larger at most."""
        rim = self.rim(core, scene, factor)
        return rim.shrunk(self._spare(factor), core).aligned(self.multiple)

    def _spare(self, factor: Fraction) -> int:
        """How far support takes what the network says beyond its window, in fine pixels: a quarter of its reach.

        What it lacks there is far below one count of the product.
        """
        return min(margin_px(factor), self.network.reach_px // 4) if self.network and self.supports else 0

    @property
    def _agreement(self) -> Literal["none", "soft", "hard"]:
        return self.tiling.consistency if self.settings.has_network else "none"

    def run(self, lr: Tensor, block: Block) -> Estimate:
        """Make the HR image of a block from its LR pixels: standardised (1, band, row, column), without gaps.

        An arm with a network takes all LR bands of its model, HR's first.
        """
        whole_lr, lr = lr, lr[:, : self.network.bands if self.network else None]
        rim = self.rim(block.core, block.scene, block.factor)
        view = block.view(rim)
        images: Iterator[Tensor]
        if self.settings.start == "bicubic":
            images = iter([upsample_large(lr, view, "bicubic")])
        elif self.settings.start == "nearest":
            rows = nearest(lr.shape[-2], view.factor, view.top, view.height)
            cols = nearest(lr.shape[-1], view.factor, view.left, view.width)
            images = iter([lr[:, :, rows][..., cols]])
        elif self.network is None:
            raise UserError(
                f"sample.arms: start {self.settings.start!r} needs a model; give one or use bicubic or nearest"
            )
        elif self.path is None or self.chain is None:
            images = iter([self._regression(self.network, whole_lr, block, rim)])
        else:
            images = self._samples(self.network, self.path, self.chain, whole_lr, block, rim)
        near = self._near(block.core, block.scene, block.factor)
        inside = (..., *near.of(rim))
        mean, spread, first = self.ensemble.summarise(
            image[inside] for group in images for image in enforce(group, lr, view, self._agreement, self.lr_mtf)
        )
        return self._within(block, near, lr, mean, spread * self.std_scale, first)

    def _within(self, block: Block, near: Window, lr: Tensor, mean: Tensor, std: Tensor, sample: Tensor) -> Estimate:
        """Return what is said of the core of a block, from mean, std and sample of the window `near` it."""
        core = (..., *block.core.of(near))
        if not self.supports:
            return Estimate(mean[core], std[core], sample[core])
        wide = near.grown(math.ceil(OPTICS_LR_PX * block.factor), block.scene)
        interpolated = upsample_large(lr, block.view(wide), "bicubic")
        seen = enforce(interpolated, lr, block.view(wide), "hard", self.lr_mtf)
        inside = (0, ..., *near.of(wide))
        found = support(interpolated[inside], seen[inside], mean, std, sample, block.factor)
        return Estimate(mean[core], std[core], sample[core], found[core])

    def _autocast(self, device: torch.device) -> torch.autocast:
        half = in_bfloat16(self.tiling.precision, device)
        return torch.autocast(device.type, torch.bfloat16, enabled=half)

    def _samples(
        self, network: Network, path: DiffusionPath, chain: Chain, lr: Tensor, block: Block, rim: Window
    ) -> Iterator[Tensor]:
        """Yield (sample, band, row, column) groups of samples over `rim`, in their order."""
        inner = self._inner(block.core, block.scene, block.factor)
        outer = inner.grown(self.halo_px, block.scene.aligned(self.multiple))
        y = upsample_large(lr[:, : network.bands], block.view(outer), "bicubic")
        with self._autocast(lr.device):
            fixed = given(network, lr, y, block.view(outer))

        @torch.inference_mode()
        def draw(numbers: range) -> Tensor:
            if lr.device.type == "cpu":
                torch.set_num_threads(1)

            def noise(step: int) -> Tensor:
                drawn = [self.ensemble.noise(number) for number in numbers]
                fields = {n: self._noise(n, step, y, outer) for n in {n for n, _ in drawn}}
                return torch.stack([sign * fields[n] for n, sign in drawn])

            of_block = Field(network, fixed, inner, outer, chain.nfe, self.room, self._spare(block.factor))
            with self._autocast(lr.device):
                return path.run(of_block, y, noise, chain)[..., *rim.of(outer)]

        size = 1 if lr.device.type == "cpu" else TOGETHER
        count = self.ensemble.samples
        groups = [range(first, min(first + size, count)) for first in range(0, count, size)]
        for first in range(0, len(groups), self.threads):
            yield from each(draw, groups[first : first + self.threads], at_a_time=self.threads)

    def _noise(self, sample: int, step: int, y: Tensor, window: Window) -> Tensor:
        values = noise_window(self.tiling.seed, sample, y.shape[1], window.top, window.left, *window.shape, step)
        return torch.from_numpy(values).to(y)

    def _regression(self, network: Network, lr: Tensor, block: Block, rim: Window) -> Tensor:
        """Return the prior head's regression over `rim`; `UserError` when the network has no prior."""
        if network.prior is None:
            raise UserError(
                "sample.arms: start 'regression' needs the prior module; set model.prior or leave the arm out"
            )
        image = lr.new_empty(1, network.bands, *rim.shape)
        with self._autocast(lr.device):
            features = network.prior(lr)
            for piece in rim.cut(*(cuts(side, REGRESSION_PX, self.multiple) for side in rim.shape)):
                around = piece.aligned(self.multiple).grown(self.multiple, block.scene.aligned(self.multiple))
                view = block.view(around)
                y = upsample_large(lr[:, : network.bands], view, "bicubic")
                regression = network.prior.regression(features, y, view)
                image[..., *piece.of(rim)] = regression[..., *piece.of(around)]
        return image
