"""The blocks of the network: NAF blocks, which processors run well, and dense ones, which graphics cards do.

NAF blocks are those of NAFNet (Chen et al. 2204.04676) in the conditioned form of EDiffSR (Xiao et al. 2310.19288),
with one change: nothing in them looks further than a convolution. NAFNet's channel attention pools over the whole
input, which makes a tile's result depend on where the tile was cut and shows as seams; here it is left out, and
normalisation is per pixel over channels.

Dense blocks are residual blocks of two 3 x 3 convolutions over all channels, the parts of EDM2's (Karras et al.
2312.02696) without attention. They compute more for each number that they move, which is what a graphics card is made
for (docs/how-to/gpu.md).
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crossres.diffusion.model.prior import zero

STRIP_BYTES = 2**25
"""Size of a level's features that go through its blocks at once on a CPU: what a block makes of them stays small."""


class PixelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each pixel of a (batch, channel, row, column) tensor."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def gate(x: Tensor) -> Tensor:
    """Multiply one half of the channels by the other (NAFNet's SimpleGate)."""
    a, b = x.chunk(2, 1)
    return a * b


class NafBlock(nn.Module):
    """A NAF block; time and sigma scale and shift both of its normalised inputs."""

    reach = 1
    """How far it looks, in pixels of its level."""

    def __init__(self, width: int, embedding: int) -> None:
        super().__init__()
        self.norm1 = PixelNorm(width, elementwise_affine=False)
        self.norm2 = PixelNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(embedding, 4 * width)
        self.spread = nn.Conv2d(width, 2 * width, 1)
        self.depthwise = nn.Conv2d(2 * width, 2 * width, 3, padding=1, groups=2 * width)
        self.merge = zero(nn.Conv2d(width, width, 1))
        self.widen = nn.Conv2d(width, 2 * width, 1)
        self.narrow = zero(nn.Conv2d(width, width, 1))

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        scale1, shift1, scale2, shift2 = self.modulation(embedding)[..., None, None].chunk(4, 1)
        z = torch.addcmul(shift1, self.norm1(x), 1 + scale1)
        x = x + self.merge(gate(self.depthwise(self.spread(z))))
        z = torch.addcmul(shift2, self.norm2(x), 1 + scale2)
        return x + self.narrow(gate(self.widen(z)))


class DenseBlock(nn.Module):
    """x + conv(silu(conv(silu(x)))); time and sigma scale and shift what is between the two."""

    reach = 2
    """How far it looks, in pixels of its level."""

    def __init__(self, width: int, embedding: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.modulation = nn.Linear(embedding, 2 * width)
        self.second = zero(nn.Conv2d(width, width, 3, padding=1))

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        scale, shift = self.modulation(embedding)[..., None, None].chunk(2, 1)
        z = torch.addcmul(shift, self.first(F.silu(x)), 1 + scale)
        return x + self.second(F.silu(z))


BlockKind = Literal["naf", "dense"]
BLOCKS: dict[BlockKind, type[NafBlock] | type[DenseBlock]] = {"naf": NafBlock, "dense": DenseBlock}


class Stage(nn.Module):
    """Some blocks of one level, one after another."""

    def __init__(self, kind: BlockKind, count: int, width: int, embedding: int) -> None:
        super().__init__()
        block = BLOCKS[kind]
        self.blocks = nn.ModuleList(block(width, embedding) for _ in range(count))
        self.reach = count * block.reach
        """How far they look, in pixels of their level."""

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Return the features after all blocks; on a CPU that trains nothing in strips, which gives the same."""
        rows = x.shape[-2]
        if torch.compiler.is_compiling() or not self.blocks or x.device.type != "cpu" or torch.is_grad_enabled():
            return self._through(x, embedding)
        strip = max(STRIP_BYTES * rows // (x.numel() * x.element_size()), 8 * self.reach)
        if strip >= rows:
            return self._through(x, embedding)
        out = torch.empty_like(x)
        for top in range(0, rows, strip):
            first, end = max(top - self.reach, 0), min(top + strip, rows)
            seen = self._through(x[..., first : end + self.reach, :], embedding)
            out[..., top:end, :] = seen[..., top - first : end - first, :]
        return out

    def _through(self, x: Tensor, embedding: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x, embedding)
        return x
