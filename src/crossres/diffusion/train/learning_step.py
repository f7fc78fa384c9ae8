"""One optimiser step: a batch through the network in as many parts as memory asks for."""

import logging
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import torch
from torch import Tensor, nn

from crossres.diffusion.model.memory import is_out_of_memory, release
from crossres.diffusion.model.network import Network
from crossres.diffusion.model.precision import in_bfloat16
from crossres.diffusion.model.upsample import View, compile_function
from crossres.diffusion.paths.path import DiffusionPath, Draws, Example
from crossres.diffusion.train.prepare import Batch, Preparation, RawBatch
from crossres.diffusion.train.processes import Processes
from crossres.diffusion.train.shift_tolerance import shift_tolerant_l1
from crossres.errors import UserError
from crossres.imagery.engine import each
from crossres.settings.train import GainSettings, TrainSettings

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
    prepare: Preparation
    generator: torch.Generator
    """Draws for the whole batch, alike in every process, so that results do not depend on how it is divided."""
    processes: Processes
    micro: int
    """Crops that go through the network at once, in each process or, on a CPU, in each of its threads."""

    def __post_init__(self) -> None:
        device = self.processes.device.type
        compiled = self.settings.compile is True or (self.settings.compile == "auto" and device == "cuda")
        self.half = in_bfloat16(self.settings.precision, self.processes.device)
        self.at_once = self.processes.threads if device == "cpu" and not compiled else 1
        """Parts of a batch that are computed at once: in threads, where there is no GPU. A compiled network is one
        thread's."""
        objective = Objective(self.network, self.settings, self.path.loss, self.prepare.factor)
        self.objective = compile_function(objective.__call__, dynamic=False) if compiled else objective

    def gradients(self, raw: RawBatch) -> Tensor:
        """Set the gradients of the mean loss over the clear pixels of the batch, and return that loss, on the device.

        `raw` is this process's part of the batch, on the device.

        Raises `UserError` when memory does not even hold a single crop.
        """
        count, bands, lr_bands = self.settings.batch, raw.hr.shape[1], self.prepare.lr_bands
        own = self.processes.part(count)
        draws = self.path.draw(torch.Size((count, bands, *self.prepare.hr_size(raw))), self.generator).part(own)
        gain = random_gain(self.settings.gain, (count, lr_bands, 1, 1), self.generator)
        while True:
            self.network.zero_grad(set_to_none=True)
            sums = self._try(raw, draws, None if gain is None else gain[own])
            if not self.processes.any(sums is None):
                break
            if self.micro == 1:
                raise UserError("train: memory does not hold a single crop; lower train.crop_px or model.size")
            self.micro = -(-min(self.micro, len(raw)) // 2)
            log.warning("out of memory: going on with %d crops at once, the batch and its result stay", self.micro)
        assert sums is not None
        gradients = [p.grad for p in self.network.parameters() if p.grad is not None]
        self.processes.sum_all([*gradients, sums])
        loss, pixels = sums
        numbers = (pixels * bands).clamp(min=1)
        torch._foreach_div_(gradients, numbers)
        return loss / numbers

    def _try(self, raw: RawBatch, draws: Draws, gain: Tensor | None) -> Tensor | None:
        """Add up the gradients of the batch's parts, in their order; return the sums of the loss and of clear pixels.

        None when memory ran out.
        """
        parameters = list(self.network.parameters())
        device = self.processes.device

        def of_part(which: slice) -> tuple[Tensor, tuple[Tensor | None, ...]]:
            if device.type == "cpu":
                torch.set_num_threads(1)
            batch = self.prepare(raw.part(which), None if gain is None else gain[which])
            # Nothing is cast twice: what autocast would keep of one thread another would find.
            with torch.autocast(device.type, torch.bfloat16, enabled=self.half, cache_enabled=False):
                loss = self.objective(self.example(batch, draws.part(which)), batch)
            found = torch.autograd.grad(loss, parameters, allow_unused=True)
            return torch.stack([loss.detach(), batch.weight.sum()]), found

        total: Tensor | None = None
        try:
            parts = list(_parts(len(raw), self.micro))
            for first in range(0, len(parts), self.at_once):
                at_once = parts[first : first + self.at_once]
                for sums, gradients in each(of_part, at_once, at_a_time=len(at_once)):
                    total = sums if total is None else total + sums
                    _add(parameters, gradients)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            total = None
        if total is None:
            release(device)
        return total


class Objective:
    """What a step lowers, as one function of tensors for a compiler to take whole."""

    def __init__(self, network: Network, settings: TrainSettings, loss: Literal["l1", "l2"], factor: Fraction) -> None:
        self.network, self.factor = network, factor
        self.loss = settings.loss or loss
        self.tolerance, self.regression = settings.shift_tolerance_px, settings.regression_weight

    def __call__(self, example: Example, batch: Batch) -> Tensor:
        """Return the path's loss plus the prior head's own |regression - x_1|_1, summed over clear pixels and bands."""
        network = self.network
        x = example.x.contiguous(memory_format=torch.channels_last)
        if network.prior is None:
            answer = network(x, batch.y, example.t, example.sigma)
            return self._distance(answer, example.target, example.hr_part, batch)
        view = View(self.factor, 0, 0, *batch.hr.shape[-2:])
        features = network.prior(batch.lr)
        levels = network.prior.levels(features)
        answer = network(x, batch.y, example.t, example.sigma, levels, view, batch.shift)
        loss = self._distance(answer, example.target, example.hr_part, batch)
        regression = network.prior.regression(features, batch.y, view, batch.shift)
        if self.tolerance:
            own = self._distance(regression, batch.hr, batch.hr, batch)
        else:
            own = ((regression - batch.hr).abs() * batch.weight).sum()
        return loss + self.regression * own

    def _distance(self, a: Tensor, b: Tensor, hr_part: Tensor | None, batch: Batch) -> Tensor:
        if self.tolerance and hr_part is not None:
            return shift_tolerant_l1(a, b, hr_part, batch.weight, self.tolerance)
        error = (a - b).abs() if self.loss == "l1" else (a - b).square()
        return (error * batch.weight).sum()


def random_gain(settings: GainSettings, shape: tuple[int, ...], generator: torch.Generator) -> Tensor | None:
    """Draw what multiplies the reflectance of (batch, band, 1, 1) crops, LR and HR alike; None where nothing does."""
    if not (settings.share or settings.band):
        return None
    shared = torch.rand((2, shape[0], 1, 1, 1), generator=generator, device=generator.device)
    low, high = math.log(settings.low), math.log(settings.high)
    gain = torch.where(shared[0] < settings.share, torch.exp(low + (high - low) * shared[1]), 1.0)
    spread = torch.rand(shape, generator=generator, device=generator.device)
    return gain * (1 + settings.band * (2 * spread - 1))


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
