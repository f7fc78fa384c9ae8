"""The exponential moving average of the weights, which is what a checkpoint holds."""

import copy

import torch

from crossres.diffusion.model.network import Network


class Ema:
    """An averaged copy of a network; decay after n updates is min(decay, (1 + n) / (10 + n))."""

    def __init__(self, network: Network, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self, network: Network) -> None:
        """Move the average towards the network's present weights."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(list(self.network.parameters()), list(network.parameters()), 1 - decay)
        self.updates += 1
