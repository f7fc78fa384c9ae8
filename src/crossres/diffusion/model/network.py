"""The network of every path: a U-Net of blocks on pixel-unshuffled input, conditioned on y, t and log sigma.

Nothing in its `blocks` looks further than a convolution. So it has a finite reach (`reach_px`), and windows of an image
that are cut so much larger agree exactly.
"""

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crossres.diffusion.model.blocks import BLOCKS, BlockKind, Stage
from crossres.diffusion.model.prior import Prior, zero
from crossres.diffusion.model.upsample import Shift, View, upsample
from crossres.settings.model import ModelSettings, NetworkSize


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
    kind: BlockKind = "naf"
    unshuffle: int = 2
    """Side of a pixel of the finest level, in HR pixels."""

    @property
    def strides(self) -> tuple[int, ...]:
        """Side of a pixel of each level from fine to coarse, in HR pixels."""
        return tuple(self.unshuffle * 2**i for i in range(len(self.encoder) + 1))


SIZES: dict[NetworkSize, Size] = {
    "demo": Size(40, (1,), 3, (2,), 64, 24, 3),
    # A block costs the same operations at every level, and most memory traffic at the finest: few blocks there, and
    # the parameters at the bottom.
    "base": Size(64, (0, 1, 1, 1), 1, (1, 1, 1, 1), 256, 64, 8),
    "large": Size(128, (2, 3, 4), 6, (2, 3, 4), 512, 128, 10),
    # On pixels of 4 x 4 HR pixels dense blocks made worse texture for the same time (docs/explanation/method.md).
    "dense-small": Size(64, (1,), 2, (1,), 64, 24, 3, "dense"),
    "dense": Size(128, (1, 1), 2, (1, 1), 512, 64, 8, "dense"),
}

FREQUENCIES = 16


class Network(nn.Module):
    """v(x_t, y, t, sigma) over the HR grid, with the prior's features where the settings have them."""

    def __init__(self, settings: ModelSettings, bands: int, lr_bands: int | None = None, lr_dates: int = 1) -> None:
        """Take how many bands HR has, and LR where it has more, and LR dates: what the prior module sees."""
        super().__init__()
        self.bands = bands
        size = SIZES[settings.size]
        size = replace(size, width=settings.width or size.width, embedding=settings.embedding or size.embedding)
        widths = tuple(size.width * 2**i for i in range(len(size.encoder) + 1))
        self.strides = size.strides
        """Side of a pixel of each level from fine to coarse, in HR pixels."""
        self.multiple = self.strides[-1]
        """Both sides of the input are padded to a multiple of this many HR pixels."""
        self.reach_px = reach_px(size)
        """How deep what lies beyond the sides of an input that starts and ends at multiples of `multiple` shows in the
        output, in HR pixels; a multiple of it, too."""

        def stage(count: int, width: int) -> Stage:
            return Stage(size.kind, count, width, size.embedding)

        self.embed = nn.Sequential(
            nn.Linear(4 * FREQUENCIES, size.embedding), nn.SiLU(), nn.Linear(size.embedding, size.embedding)
        )
        self.sees_y = settings.prior != "none"
        within = size.unshuffle**2
        self.entry = nn.Conv2d((2 if self.sees_y else 1) * within * bands, size.width, 3, padding=1)
        self.encoder = nn.ModuleList(stage(n, w) for n, w in zip(size.encoder, widths, strict=False))
        self.down = nn.ModuleList(nn.Conv2d(w, 2 * w, 2, stride=2) for w in widths[:-1])
        self.middle = stage(size.middle, widths[-1])
        self.up = nn.ModuleList(nn.Conv2d(2 * w, 4 * w, 1) for w in widths[:-1])
        self.decoder = nn.ModuleList(stage(n, w) for n, w in zip(size.decoder, widths, strict=False))
        self.exit = zero(nn.Conv2d(size.width, within * bands, 3, padding=1))
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
            added = [upsample(f, padded, "bilinear", n, shift) for f, n in zip(levels, self.strides, strict=True)]
        return self.velocity(x, y, t, sigma, added)[..., :rows, :cols]

    def velocity(self, x: Tensor, y: Tensor, t: Tensor, sigma: Tensor, added: list[Tensor] | None) -> Tensor:
        """Return the velocity for sides that are multiples of `multiple`; `added` is on the grid of each level."""
        h = self.entry(self._unshuffled(torch.cat([x, y], 1) if self.sees_y else x))
        return self._levels(h, [*added] if added else [None] * (len(self.encoder) + 1), t, sigma)

    def given(self, y: Tensor, added: list[Tensor] | None) -> list[Tensor | None]:
        """Return what each level gets that is the same at every solver step: y's part of the entry, `added`."""
        if not self.sees_y:
            return [*added] if added else [None] * (len(self.encoder) + 1)
        # A convolution of x and y is the sum of theirs.
        y = self._unshuffled(y)
        first = F.conv2d(y, self.entry.weight[:, y.shape[1] :], padding=1)
        return [first + added[0], *added[1:]] if added else [first, *[None] * len(self.encoder)]

    def velocity_given(self, x: Tensor, given: list[Tensor | None], t: Tensor, sigma: Tensor) -> Tensor:
        """Return the velocity as `velocity` does, from what `given` returned once for all steps."""
        x = self._unshuffled(x)
        h = F.conv2d(x, self.entry.weight[:, : x.shape[1]], self.entry.bias, padding=1)
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
        return F.pixel_shuffle(self.exit(h), self.strides[0])

    def _unshuffled(self, image: Tensor) -> Tensor:
        return F.pixel_unshuffle(image, self.strides[0])


def reach_px(size: Size) -> int:
    """Return `Network.reach_px`: that of the blocks of each level, and of a convolution at either end."""
    finest, *coarser = strides = size.strides
    block = BLOCKS[size.kind].reach
    reach = finest
    for stride, below, blocks in zip(strides, coarser, size.encoder, strict=False):
        # A pixel of the next level is spoilt as a whole by one that has seen beyond the sides.
        reach = -(-(reach + stride * blocks * block) // below) * below
    reach += sum(s * blocks * block for s, blocks in zip(strides, (*size.decoder, size.middle), strict=True)) + finest
    return -(-reach // strides[-1]) * strides[-1]


def embed_time_sigma(t: Tensor, sigma: Tensor) -> Tensor:
    """Return (batch, 4 FREQUENCIES) sines and cosines of time and log sigma, at frequencies from 1 to 1/1000."""
    frequency = torch.exp(torch.arange(FREQUENCIES, device=t.device) * (-math.log(1000) / FREQUENCIES))
    a = (2 * t - 1)[:, None] * 2 * frequency
    b = torch.log(sigma)[:, None] * frequency
    return torch.cat([a.sin(), a.cos(), b.sin(), b.cos()], 1)
