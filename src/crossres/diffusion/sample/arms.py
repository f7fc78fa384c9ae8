"""The ways to make an HR image: sampling from an LR start or from noise, and what these are compared with."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from crossres.diffusion.model.network import Network
from crossres.diffusion.model.upsample import View, upsample
from crossres.diffusion.paths.path import Chain, DiffusionPath
from crossres.diffusion.sample.consistency import enforce
from crossres.diffusion.sample.noise import noise_window
from crossres.diffusion.sample.tiled_field import Room, TiledField
from crossres.diffusion.sample.tiling import overlap_for, plan
from crossres.errors import UserError
from crossres.operators import nearest
from crossres.settings.sample import ArmSettings, TilingSettings


@dataclass(frozen=True)
class Estimate:
    """What an arm says of the HR image: (band, row, column) each, standardised."""

    mean: Tensor
    std: Tensor
    """Over the samples, with n - 1; zero for one sample."""
    sample: Tensor
    """The first sample."""


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
    lr_mtf: tuple[float, ...] = ()
    """The LR sensor's MTF at its Nyquist frequency, one a band, which `tiling.consistency` goes by."""
    threads: int = 1
    """Groups of tiles that go through the network at once."""

    @cached_property
    def room(self) -> "Room":
        """How many tiles go through the network at once."""
        return Room(self.tiling.batch)

    @property
    def multiple(self) -> int:
        """Every window starts at, and is padded to, a multiple of this many HR pixels."""
        return self.network.multiple if self.network else 1

    @property
    def reach_px(self) -> int:
        """How far in the HR image a pixel of the result looks, over all solver steps, in HR pixels."""
        if self.network is None or self.chain is None:
            return 0 if self.network is None else self.network.multiple
        return self.chain.nfe * self.network.reach_px

    @property
    def reach_lr_px(self) -> int:
        """How far in the LR image a pixel of the result looks beyond that, in LR pixels."""
        optics = 0 if self.tiling.consistency == "none" else 16
        prior = self.network.prior.reach_lr_px if self.network and self.network.prior else 0
        return 3 + prior + optics

    def run(self, lr: Tensor, view: View, top: int, left: int) -> Estimate:
        """Make the HR image of a view of a standardised (1, band, row, column) LR image without gaps.

        `top` and `left` say where the view starts in the whole scene, in HR pixels: the noise depends on it.
        """
        images: Iterator[Tensor]
        if self.settings.start == "bicubic":
            images = iter([upsample(lr, view, "bicubic")])
        elif self.settings.start == "nearest":
            rows = nearest(lr.shape[-2], view.factor, view.top, view.height)
            cols = nearest(lr.shape[-1], view.factor, view.left, view.width)
            images = iter([lr[:, :, rows][..., cols]])
        elif self.network is None:
            raise UserError(
                f"sample.arms: start {self.settings.start!r} needs a model; give one or use bicubic or nearest"
            )
        elif self.path is None or self.chain is None:
            images = iter([regression(self.network, lr, view)])
        else:
            images = self._samples(self.network, self.path, self.chain, lr, view, top, left)
        mode = self.tiling.consistency if self.settings.start not in {"bicubic", "nearest"} else "none"
        return _summarise(enforce(group, lr, view, mode, self.lr_mtf) for group in images)

    def _samples(
        self, network: Network, path: DiffusionPath, chain: Chain, lr: Tensor, view: View, top: int, left: int
    ) -> Iterator[Tensor]:
        """Yield (sample, band, row, column) groups of samples; few tiles leave room for several samples at once."""
        height, width = (-(-side // self.multiple) * self.multiple for side in (view.height, view.width))
        padded = view.part(0, 0, height, width)
        y = upsample(lr, padded, "bicubic")
        levels = network.prior.levels(network.prior(lr)) if network.prior else None
        overlap = self.tiling.overlap_px if self.tiling.overlap_px is not None else overlap_for(network.reach_px)
        tiles = plan(height, width, self.tiling.tile_px, overlap, network.reach_px, self.multiple)
        together = max(1, self.room.tiles // len(tiles))
        field = TiledField(network, y, levels, padded, tiles, self.room, self.threads)
        for first in range(0, self.settings.samples, together):
            numbers = range(first, min(first + together, self.settings.samples))

            def noise(draw: int, numbers: range = numbers) -> Tensor:
                windows = [
                    noise_window(self.tiling.seed, k, lr.shape[1], top, left, height, width, draw) for k in numbers
                ]
                return torch.from_numpy(np.stack(windows)).to(y.device)

            image = path.run(field, y, noise, chain)
            yield image[..., : view.height, : view.width]


def regression(network: Network, lr: Tensor, view: View) -> Tensor:
    """Return the prior head's regression of the HR image; `UserError` when the network has no prior."""
    if network.prior is None:
        raise UserError("sample.arms: start 'regression' needs the prior module; set model.prior or leave the arm out")
    return network.prior.regression(network.prior(lr), upsample(lr, view, "bicubic"), view)


def chain_of(name: str, arm: ArmSettings, path: DiffusionPath, sigma: float, distilled: bool) -> Chain:
    """Return how samples are drawn along the path that a model was trained on, from a start with noise `sigma`.

    Raises `UserError` when the arm's start or solver does not belong to that path, or when just one of the arm and the
    model is for one step (`distilled`).
    """
    if distilled != (arm.start == "one-step"):
        is_one = "is distilled to one step" if distilled else "is not distilled"
        raise UserError(
            f"sample.arms.{name}: model {arm.model!r} {is_one} and start {arm.start} does not fit it; "
            f"{'use start one-step' if distilled else 'distil it, with `crossres distill`'}"
        )
    start: Literal["lr", "noise"] = "noise" if arm.start == "noise" else "lr"
    solver = "euler" if arm.start == "one-step" else arm.solver or path.solvers[0]
    if start not in path.starts:
        raise UserError(
            f"sample.arms.{name}: model {arm.model!r} was trained on the path {path.name}, which has no {start} start; "
            f"use start {' or '.join(path.starts)}, or another model"
        )
    if solver not in path.solvers:
        raise UserError(
            f"sample.arms.{name}: solver {solver} does not fit model {arm.model!r}, trained on the path {path.name}; "
            f"use {' or '.join(path.solvers)}"
        )
    if arm.eta is not None and solver != "ddim":
        raise UserError(f"sample.arms.{name}: eta belongs to solver ddim, not {solver}; leave it out")
    eta = path.usual_eta(start) if arm.eta is None else arm.eta
    steps = 1 if arm.start == "one-step" else arm.steps
    return Chain(start, steps, solver, 1.0 if start == "noise" else arm.sigma or sigma, eta)


def _summarise(groups: Iterator[Tensor]) -> Estimate:
    """Return mean, std and first of (sample, band, row, column) groups, in one pass (Welford 1962)."""
    count = 0
    for group in groups:
        for image in group:
            count += 1
            if count == 1:
                first, mean, squares = image, image.clone(), torch.zeros_like(image)
                continue
            before = image - mean
            mean += before / count
            squares += before * (image - mean)
    return Estimate(mean, (squares / max(count - 1, 1)).sqrt(), first)
