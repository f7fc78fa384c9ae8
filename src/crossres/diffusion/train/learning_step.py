"""One optimiser step: a batch through the network in as many parts as memory asks for."""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import torch
from torch import Tensor, nn

from crossres.diffusion.model.memory import is_out_of_memory, release
from crossres.diffusion.model.network import Network
from crossres.diffusion.model.standardise import Standard
from crossres.diffusion.model.upsample import View
from crossres.diffusion.paths.path import DiffusionPath, Draws, Example
from crossres.diffusion.train.data import Batch
from crossres.diffusion.train.processes import Processes
from crossres.diffusion.train.shift_tolerance import shift_tolerant_l1
from crossres.errors import UserError
from crossres.imagery.engine import each
from crossres.settings.train import TrainSettings

log = logging.getLogger(__name__)

CPU_CROPS = 6
"""Crops that a thread of a CPU takes at once: what a network remembers of more does not stay near the processor."""


@dataclass
class LearningStep:
    """Computes a step's gradients; the micro-batch shrinks when memory runs out and stays so."""

    settings: TrainSettings
    network: Network
    path: DiffusionPath
    example: Callable[[Batch, Draws], Example]
    """What the network learns from some crops."""
    factor: Fraction
    standard: Standard
    generator: torch.Generator
    """Draws for the whole batch, alike in every process, so that results do not depend on how it is divided."""
    processes: Processes
    autocast: bool
    """Whether the network computes in bfloat16."""
    micro: int
    """Crops that go through the network at once, in each process or, on a CPU, in each of its threads."""

    def gradients(self, batch: Batch) -> float:
        """Set the gradients of the mean loss over the clear pixels of the batch, and return that loss.

        `batch` is this process's part of it.

        Raises `UserError` when memory does not even hold a single crop.
        """
        own = self.processes.part(self.settings.batch)
        draws = self.path.draw(torch.Size((self.settings.batch, *batch.hr.shape[1:])), self.generator).part(own)
        batch = self._with_gains(batch, own)
        device = self.processes.device
        pixels = self.processes.sum(batch.weight.to(device).sum())
        count = (pixels * batch.hr.shape[1]).clamp(min=1)
        while True:
            self.network.zero_grad(set_to_none=True)
            loss = self._try(batch, draws, count)
            if not self.processes.any(loss is None):
                break
            if self.micro == 1:
                raise UserError("train: memory does not hold a single crop; lower train.crop_px or model.size")
            self.micro = -(-min(self.micro, len(batch.hr)) // 2)
            log.warning("out of memory: going on with %d crops at once, the batch and its result stay", self.micro)
        assert loss is not None
        parameters = [p.grad for p in self.network.parameters() if p.grad is not None]
        self.processes.sum_all([*parameters, loss])
        return float(loss)

    @property
    def _at_once(self) -> int:
        """Return how many parts are computed at once: in threads, where there is no GPU."""
        # A compiled network is one thread's.
        one = self.processes.device.type != "cpu" or self.settings.compile is True
        return 1 if one else self.processes.threads

    def _try(self, batch: Batch, draws: Draws, count: Tensor) -> Tensor | None:
        """Add up the gradients of the batch's parts, in their order; None when memory ran out."""
        parameters = list(self.network.parameters())

        def of_part(which: slice) -> tuple[Tensor, tuple[Tensor | None, ...]]:
            if count.device.type == "cpu":
                torch.set_num_threads(1)
            some = _to(part_of(batch, which), self.processes.device)
            with torch.autocast(count.device.type, torch.bfloat16, enabled=self.autocast):
                loss = self._loss(some, draws.part(which), count)
            return loss.detach(), torch.autograd.grad(loss, parameters, allow_unused=True)

        total: Tensor | None = None
        try:
            parts = list(_parts(len(batch.hr), self.micro))
            for first in range(0, len(parts), self._at_once):
                at_once = parts[first : first + self._at_once]
                for loss, gradients in each(of_part, at_once, at_a_time=len(at_once)):
                    total = loss if total is None else total + loss
                    _add(parameters, gradients)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            total = None
        if total is None:
            release(count.device)
        return total

    def _loss(self, batch: Batch, draws: Draws, count: Tensor) -> Tensor:
        """Return the path's loss plus the prior head's own |regression - x_1|_1, over `count` numbers."""
        network = self.network
        example = self.example(batch, draws)
        x = example.x.contiguous(memory_format=torch.channels_last)
        view = View.whole(self.factor, *batch.lr.shape[-2:])
        if network.prior is None:
            answer = network(x, batch.y, example.t, example.sigma)
            return self._distance(answer, example.target, example.hr_part, batch, count)
        features = network.prior(batch.lr)
        levels = network.prior.levels(features)
        answer = network(x, batch.y, example.t, example.sigma, levels, view, batch.shift)
        loss = self._distance(answer, example.target, example.hr_part, batch, count)
        regression = network.prior.regression(features, batch.y, view, batch.shift)
        if self.settings.shift_tolerance_px:
            own = self._distance(regression, batch.hr, batch.hr, batch, count)
        else:
            own = ((regression - batch.hr).abs() * batch.weight).sum() / count
        return loss + self.settings.regression_weight * own

    def _distance(self, a: Tensor, b: Tensor, hr_part: Tensor | None, batch: Batch, count: Tensor) -> Tensor:
        if self.settings.shift_tolerance_px and hr_part is not None:
            return shift_tolerant_l1(a, b, hr_part, batch.weight, self.settings.shift_tolerance_px) / count
        error = (a - b).abs() if self.path.loss == "l1" else (a - b).square()
        return (error * batch.weight).sum() / count

    def _with_gains(self, batch: Batch, own: slice) -> Batch:
        """Multiply the reflectance of each crop's bands by a random gain near 1, LR and HR alike."""
        most = self.settings.max_gain
        if not most:
            return batch
        shape = (self.settings.batch, batch.hr.shape[1], 1, 1)
        spread = torch.rand(shape, generator=self.generator, device=self.generator.device)[own].to(batch.hr.device)
        gain = 1 + most * (2 * spread - 1)
        # g (z std + mean) is standardised again: g z + (g - 1) mean / std.
        ratio = torch.tensor(self.standard.mean) / torch.tensor(self.standard.std)
        shift = (gain - 1) * ratio.to(gain)[:, None, None]
        lr, y, hr = (gain * values + shift for values in (batch.lr, batch.y, batch.hr))
        return replace(batch, lr=lr, y=y, hr=hr)


def part_of(batch: Batch, which: slice) -> Batch:
    """Return some examples of a batch."""
    shift = None if batch.shift is None else (batch.shift[0][which], batch.shift[1][which])
    return Batch(batch.lr[which], batch.y[which], batch.hr[which], batch.weight[which], shift)


def _add(parameters: list[nn.Parameter], gradients: Iterable[Tensor | None]) -> None:
    """Add these to the parameters' gradients."""
    for parameter, gradient in zip(parameters, gradients, strict=True):
        if gradient is None:
            continue
        if parameter.grad is None:  # laid out in memory as the parameter, which the optimiser counts on
            parameter.grad = torch.empty_like(parameter, requires_grad=False).copy_(gradient)
        else:
            parameter.grad.add_(gradient)


def _parts(count: int, size: int) -> Iterator[slice]:
    return (slice(first, min(first + size, count)) for first in range(0, count, size))


def _to(batch: Batch, device: torch.device) -> Batch:
    lr, y, hr, weight = (v.to(device, non_blocking=True) for v in (batch.lr, batch.y, batch.hr, batch.weight))
    return Batch(lr, y, hr, weight, batch.shift)
