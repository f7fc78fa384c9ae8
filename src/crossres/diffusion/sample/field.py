"""The network's output over a block, evaluation by evaluation, each over as much as the later ones look at.

Evaluation j of n runs over the block and n - j times the network's reach around it, so that what lies beyond a block's
side costs one reach for each evaluation, and the result is that of the whole scene. Where memory does not hold a window
it is halved, each half with the reach around it: the same result again.
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from crossres.diffusion.model.memory import is_out_of_memory, release
from crossres.diffusion.model.network import Network
from crossres.diffusion.sample.windows import Window

log = logging.getLogger(__name__)

SMALLER = 0.6
"""Share of the pixels that memory did not hold which is tried next."""


@dataclass
class Room:
    """How many pixels, of all samples together, go through the network at once; fewer once memory has run out."""

    pixels: float = math.inf


class Field:
    """The network's output for samples of one block; x is (sample, band, row, column) over `outer`."""

    def __init__(
        self,
        network: Network,
        given: Sequence[Tensor | None],
        inner: Window,
        outer: Window,
        evaluations: int,
        room: Room,
        spare: int = 0,
    ) -> None:
        """`given` is `Network.given` over `outer`, whose sides, as those of `inner`, are multiples of its `multiple`.

        After so many `evaluations` the samples are right over `inner`, and `spare` pixels around it for nothing: but
        for what lies in the last `spare` pixels of the network's reach.
        """
        self.network, self.given, self.inner, self.outer, self.room = network, given, inner, outer, room
        self.left, self.spare = evaluations, spare

    def __call__(self, x: Tensor, t: float, sigma: float) -> Tensor:
        """Return the velocity, zero where nothing that comes later looks; `MemoryError` when no window is held."""
        self.left -= 1
        out = torch.zeros_like(x)
        whole = self.inner.grown(self.left * self.network.reach_px, self.outer)
        kept = whole if self.left else whole.grown(self.spare, self.outer)
        waiting = [(slice(0, len(x)), whole)]
        while waiting:
            samples, window = waiting.pop()
            part = window.with_sides_of(whole, kept)
            velocity = self._within_memory(x[samples], window, part, t, sigma)
            if velocity is None:
                waiting += self._halves(samples, window)
            else:
                out[samples, :, *part.of(self.outer)] = velocity
        return out

    def _within_memory(self, x: Tensor, window: Window, kept: Window, t: float, sigma: float) -> Tensor | None:
        size = len(x) * window.pixels
        if size > self.room.pixels:
            return None
        try:
            return self._velocity(x, window, kept, t, sigma)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        release(x.device)
        self.room.pixels = min(self.room.pixels, SMALLER * size)
        log.warning("out of memory: going on with %.2g pixels at once, the result stays", self.room.pixels)
        return None

    def _velocity(self, x: Tensor, window: Window, kept: Window, t: float, sigma: float) -> Tensor:
        seen = window.grown(self.network.reach_px, self.outer)
        given = [
            None if level is None else level[..., *seen.of(self.outer, stride)]
            for level, stride in zip(self.given, self.network.strides, strict=True)
        ]
        time, noise = (torch.full((len(x),), value, device=x.device, dtype=x.dtype) for value in (t, sigma))
        pixels = x[..., *seen.of(self.outer)].contiguous(memory_format=torch.channels_last)
        return self.network.velocity_given(pixels, given, time, noise)[..., *kept.of(seen)]

    def _halves(self, samples: slice, window: Window) -> list[tuple[slice, Window]]:
        first, last = samples.start, samples.stop
        if last - first > 1:
            middle = (first + last) // 2
            return [(slice(first, middle), window), (slice(middle, last), window)]
        halves = window.halves(self.network.multiple)
        if len(halves) == 1:
            raise MemoryError
        return [(samples, half) for half in halves]
