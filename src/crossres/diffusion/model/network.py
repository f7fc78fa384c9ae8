"""The network of every path: a U-Net of NAF blocks on pixel-unshuffled input, conditioned on y, t and log sigma.

NAF blocks are those of NAFNet (Chen et al. 2204.04676) in the conditioned form of EDiffSR (Xiao et al. 2310.19288),
with one change: nothing in them looks further than a convolution. NAFNet's channel attention pools over the whole
input, which makes a tile's result depend on where the tile was cut and shows as seams; here it is left out, and
normalisation is per pixel over channels. So the network has a finite reach (`reach_px`), and windows of an image that
are cut so much larger agree exactly.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crossres.diffusion.model.prior import Prior, zero
from crossres.diffusion.model.upsample import Shift, View, upsample
from crossres.settings.model import ModelSettings


@dataclass(frozen=True)
class Size:
    """Widths and depths of one network size."""

    width: int
    """Channels of the finest level; each level below has twice as many."""
    encoder: tuple[int, ...]
    """Blocks per level on the way down, from fine to coarse."""
    middle: int
    """Blocks at the bottom."""
    decoder: tuple[int, ...]
    """Blocks per level on the way up, from fine to coarse."""
    embedding: int
    """Channels of the embedding of t and sigma."""
    prior_width: int
    prior_blocks: int


SIZES: dict[Literal["demo", "base", "large"], Size] = {
    "demo": Size(40, (1,), 3, (2,), 64, 24, 3),
    # A block costs the same operations at every level, and most memory traffic at the finest: few blocks there, and
    # the parameters at the bottom.
    "base": Size(64, (0, 1, 1, 1), 1, (1, 1, 1, 1), 256, 64, 8),
    "large": Size(128, (2, 3, 4), 6, (2, 3, 4), 512, 128, 10),
}

FREQUENCIES = 16
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


class Stage(nn.Module):
    """Some blocks of one level, one after another."""

    def __init__(self, count: int, width: int, embedding: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(NafBlock(width, embedding) for _ in range(count))
        self.reach = count * NafBlock.reach

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Return the features after all blocks; on a CPU that trains nothing in strips, which gives the same."""
        rows = x.shape[-2]
        strip = max(STRIP_BYTES * rows // (x.numel() * x.element_size()), 8 * self.reach)
        if not self.blocks or strip >= rows or x.device.type != "cpu" or torch.is_grad_enabled():
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


class Network(nn.Module):
    """v(x_t, y, t, sigma) over the HR grid, with the prior's features where the settings have them."""

    def __init__(self, settings: ModelSettings, bands: int, lr_bands: int | None = None, lr_dates: int = 1) -> None:
        """Take how many bands HR has, and LR where it has more, and LR dates: what the prior module sees."""
        super().__init__()
        self.bands = bands
        size = SIZES[settings.size]
        size = replace(size, width=settings.width or size.width, embedding=settings.embedding or size.embedding)
        depth = len(size.encoder)
        widths = tuple(size.width * 2**i for i in range(depth + 1))
        self.multiple = 2 ** (depth + 1)
        """Both sides of the input are padded to a multiple of this many HR pixels."""
        self.reach_px = reach_px(size)
        """How deep what lies beyond the sides of an input that starts and ends at multiples of `multiple` shows in the
        output, in HR pixels; a multiple of it, too."""

        self.embed = nn.Sequential(
            nn.Linear(4 * FREQUENCIES, size.embedding), nn.SiLU(), nn.Linear(size.embedding, size.embedding)
        )
        self.sees_y = settings.prior != "none"
        self.entry = nn.Conv2d((8 if self.sees_y else 4) * bands, size.width, 3, padding=1)
        self.encoder = nn.ModuleList(Stage(n, w, size.embedding) for n, w in zip(size.encoder, widths, strict=False))
        self.down = nn.ModuleList(nn.Conv2d(w, 2 * w, 2, stride=2) for w in widths[:-1])
        self.middle = Stage(size.middle, widths[-1], size.embedding)
        self.up = nn.ModuleList(nn.Conv2d(2 * w, 4 * w, 1) for w in widths[:-1])
        self.decoder = nn.ModuleList(Stage(n, w, size.embedding) for n, w in zip(size.decoder, widths, strict=False))
        self.exit = zero(nn.Conv2d(size.width, 4 * bands, 3, padding=1))
        self.prior = None
        if settings.prior == "module":
            self.prior = Prior(lr_bands or bands, bands, size.prior_width, size.prior_blocks, widths, lr_dates > 1)

    def forward(
        self,
        x: Tensor,
        y: Tensor,
        t: Tensor,
        sigma: Tensor,
        levels: list[Tensor] | None = None,
        view: View | None = None,
        shift: Shift | None = None,
    ) -> Tensor:
        """Return the velocity, of the shape of `x`.

        `x` and `y` are (batch, band, row, column), standardised; `t` and `sigma` (batch,). `levels` are the prior's
        features on the LR grid (`Prior.levels`), `view` where x lies on that grid, `shift` as in `upsample`.
        """
        rows, cols = x.shape[-2:]
        pad = (0, -cols % self.multiple, 0, -rows % self.multiple)
        if any(pad):
            x, y = F.pad(x, pad, mode="replicate"), F.pad(y, pad, mode="replicate")
        added = None
        if levels is not None and view is not None:
            padded = view.part(0, 0, rows + pad[3], cols + pad[1])
            added = [upsample(f, padded, "bilinear", 2 ** (i + 1), shift) for i, f in enumerate(levels)]
        return self.velocity(x, y, t, sigma, added)[..., :rows, :cols]

    def velocity(self, x: Tensor, y: Tensor, t: Tensor, sigma: Tensor, added: list[Tensor] | None) -> Tensor:
        """Return the velocity for sides that are multiples of `multiple`; `added` is on the grid of each level."""
        h = self.entry(F.pixel_unshuffle(torch.cat([x, y], 1) if self.sees_y else x, 2))
        return self._levels(h, [*added] if added else [None] * (len(self.encoder) + 1), t, sigma)

    def given(self, y: Tensor, added: list[Tensor] | None) -> list[Tensor | None]:
        """Return what each level gets that is the same at every solver step: y's part of the entry, `added`."""
        if not self.sees_y:
            return [*added] if added else [None] * (len(self.encoder) + 1)
        # A convolution of x and y is the sum of theirs.
        weight = self.entry.weight[:, 4 * y.shape[1] :]
        first = F.conv2d(F.pixel_unshuffle(y, 2), weight, padding=1)
        return [first + added[0], *added[1:]] if added else [first, *[None] * len(self.encoder)]

    def velocity_given(self, x: Tensor, given: list[Tensor | None], t: Tensor, sigma: Tensor) -> Tensor:
        """Return the velocity as `velocity` does, from what `given` returned once for all steps."""
        weight = self.entry.weight[:, : 4 * x.shape[1]]
        h = F.conv2d(F.pixel_unshuffle(x, 2), weight, self.entry.bias, padding=1)
        return self._levels(h, given, t, sigma)

    def _levels(self, h: Tensor, added: list[Tensor | None], t: Tensor, sigma: Tensor) -> Tensor:
        """Return the velocity from the entry's features and what is `added` on each level's grid."""
        embedding = self.embed(embed_time_sigma(t, sigma).to(h.dtype))
        skips = []
        for stage, down, more in zip(self.encoder, self.down, added[:-1], strict=True):
            h = h if more is None else h + more
            h = stage(h, embedding)
            skips.append(h)
            h = down(h)
        h = h if added[-1] is None else h + added[-1]
        h = self.middle(h, embedding)
        for i in reversed(range(len(self.up))):
            h = self.decoder[i](F.pixel_shuffle(self.up[i](h), 2) + skips.pop(), embedding)
        return F.pixel_shuffle(self.exit(h), 2)


def reach_px(size: Size) -> int:
    """Return `Network.reach_px`: pixels of level i are 2^(i+1) HR pixels, and of convolutions at either end 2."""
    reach = 2
    for i, blocks in enumerate(size.encoder):
        # A pixel of the next level is spoilt as a whole by one that has seen beyond the sides.
        below = 2 ** (i + 2)
        reach = -(-(reach + 2 ** (i + 1) * blocks * NafBlock.reach) // below) * below
    reach += sum(2 ** (i + 1) * blocks * NafBlock.reach for i, blocks in enumerate((*size.decoder, size.middle))) + 2
    multiple = 2 ** (len(size.encoder) + 1)
    return -(-reach // multiple) * multiple


def embed_time_sigma(t: Tensor, sigma: Tensor) -> Tensor:
    """Return (batch, 4 FREQUENCIES) sines and cosines of time and log sigma, at frequencies from 1 to 1/1000."""
    frequency = torch.exp(torch.arange(FREQUENCIES, device=t.device) * (-math.log(1000) / FREQUENCIES))
    a = (2 * t - 1)[:, None] * 2 * frequency
    b = torch.log(sigma)[:, None] * frequency
    return torch.cat([a.sin(), a.cos(), b.sin(), b.cos()], 1)
