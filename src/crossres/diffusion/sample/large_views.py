"""Large views of an LR image: the same values as `upsample` gives, but for roundings, at a cost that grows with area.

The matrices of interpolation of a large view are nearly empty. Here they go along strips, each with the LR pixels that
it is made of.
"""

import torch
from torch import Tensor

from crossres.diffusion.model.network import Network
from crossres.diffusion.model.upsample import View
from crossres.operators import Kernel, Weights, interpolation

STRIP = 64
"""Pixels of the result along an axis that one matrix is for."""


def upsample_large(lr: Tensor, view: View, kernel: Kernel, stride: int = 1) -> Tensor:
    """Return (batch, band, row, column) LR values over a view, on pixels of `stride` fine pixels: see `upsample`."""
    rows = interpolation(lr.shape[-2], view.factor, view.top, -(-view.height // stride), kernel, stride)
    cols = interpolation(lr.shape[-1], view.factor, view.left, -(-view.width // stride), kernel, stride)
    return _along_columns(_along_columns(lr, rows).mT, cols).mT


def _along_columns(values: Tensor, weights: Weights) -> Tensor:
    """Return (..., n, column) sums of (..., row, column) values by the weights of n pixels."""
    parts = []
    for first in range(0, len(weights.at), STRIP):
        at, shares = (of[first : first + STRIP] for of in (weights.at, weights.values))
        low, high = int(at.min()), int(at.max()) + 1
        matrix = torch.from_numpy(Weights(at - low, shares, high - low).dense()).to(values.device, values.dtype)
        parts.append(matrix @ values[..., low:high, :])
    return torch.cat(parts, -2)


def given(network: Network, lr: Tensor, y: Tensor, view: View) -> list[Tensor | None]:
    """Return `Network.given` over a view: `y` is the upsampled LR image there, (1, band, row, column)."""
    added = None
    if network.prior is not None:
        features = network.prior(lr)
        # `Prior.levels` on the grid of each level in place of LR's, which is larger than most of them: that a
        # convolution of 1 x 1 commutes with interpolation serves both ways.
        added = [
            to_level(upsample_large(features, view, "bilinear", stride).contiguous(memory_format=torch.channels_last))
            for to_level, stride in zip(network.prior.to_level, network.strides, strict=True)
        ]
    return network.given(y.contiguous(memory_format=torch.channels_last), added)
