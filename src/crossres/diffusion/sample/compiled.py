"""The network compiled for sampling: one graph for windows of all shapes."""

import threading
from collections.abc import Sequence

import torch
from torch import Tensor

from crossres.diffusion.model.network import Network
from crossres.diffusion.model.upsample import compile_function


class CompiledVelocity:
    """`Network.velocity_given` of a network, compiled when it is first called; threads may share it."""

    def __init__(self, network: Network) -> None:
        self._run = compile_function(network.velocity_given, dynamic=True)
        self._lock, self._ready = threading.Lock(), False

    def __call__(self, x: Tensor, given: Sequence[Tensor | None], t: Tensor, sigma: Tensor) -> Tensor:
        """Return the velocity, as the network itself does."""
        # A compiler tells parts of an array from whole ones and would compile for each kind of part.
        wholes = [None if level is None else level.clone(memory_format=torch.channels_last) for level in given]
        if self._ready:
            return self._run(x, wholes, t, sigma)
        with self._lock:  # or each thread would compile
            velocity = self._run(x, wholes, t, sigma)
            self._ready = True
        return velocity
