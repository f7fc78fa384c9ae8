"""The prior feature extraction module: what the LR image alone tells, drawn out once on the LR grid.

Residual channel-attention blocks (RCAN, Zhang et al. 1807.02758) without normalisation, but the attention pools over
a small window instead of the whole image, so that a feature does not depend on how large a piece of the scene is
looked at. The features reach every level of the U-Net through convolutions that start at zero (ControlNet, Zhang et
al. 2302.05543), and a head turns them into a regression of the HR image, trained beside the velocity.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from crossres.diffusion.model.upsample import Shift, View, upsample

POOL_PX = 7
"""Side of the window that channel attention pools over, in LR pixels."""


def zero(conv: nn.Conv2d) -> nn.Conv2d:
    """Set a convolution's weights and bias to zero, so that what it feeds starts without it."""
    nn.init.zeros_(conv.weight)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


class LocalChannelAttention(nn.Module):
    """Scale each channel by a gate made from the channels' means over a window around each pixel."""

    def __init__(self, width: int, reduction: int = 4) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(width, width // reduction, 1)
        self.excite = nn.Conv2d(width // reduction, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        mean = F.avg_pool2d(x, POOL_PX, stride=1, padding=POOL_PX // 2, count_include_pad=False)
        return x * self.excite(F.silu(self.squeeze(mean))).sigmoid()


class ResidualAttentionBlock(nn.Module):
    """x + attention(conv(silu(conv(x)))); reaches 2 + POOL_PX // 2 LR pixels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.attention = LocalChannelAttention(width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.attention(self.second(F.silu(self.first(x))))


class Prior(nn.Module):
    """LR image -> one feature map per U-Net level, and the regression's features, all on the LR grid.

    `levels` are the U-Net's widths from fine to coarse. The LR image has `lr_bands` bands, the HR image `bands`.
    """

    def __init__(self, lr_bands: int, bands: int, width: int, blocks: int, levels: tuple[int, ...]) -> None:
        super().__init__()
        self.entry = nn.Conv2d(lr_bands, width, 3, padding=1)
        self.blocks = nn.ModuleList(ResidualAttentionBlock(width) for _ in range(blocks))
        self.exit = nn.Conv2d(width, width, 3, padding=1)
        # A 1 x 1 convolution commutes with interpolation (whose weights sum to 1), so it runs on the small grid.
        self.to_level = nn.ModuleList(zero(nn.Conv2d(width, level, 1)) for level in levels)
        self.head = nn.Conv2d(width, width, 3, padding=1)
        self.head_out = zero(nn.Conv2d(width, 4 * bands, 3, padding=1))
        self.reach_lr_px = 2 + blocks * (2 + POOL_PX // 2)

    def forward(self, lr: Tensor) -> Tensor:
        """Return (batch, width, row, column) features of a standardised (batch, band, row, column) LR image."""
        first = self.entry(lr)
        x = first
        for block in self.blocks:
            x = block(x)
        return first + self.exit(x)

    def levels(self, features: Tensor) -> list[Tensor]:
        """Return what each U-Net level adds, still on the LR grid."""
        return [conv(features) for conv in self.to_level]

    def regression(self, features: Tensor, y: Tensor, view: View, shift: Shift | None = None) -> Tensor:
        """Return the HR image as the head sees it, a residual over `y` (batch, band, row, column) on the same view."""
        x = F.silu(upsample(self.head(features), view, "bilinear", 2, shift))
        residual = F.pixel_shuffle(self.head_out(x), 2)
        return y + residual[..., : y.shape[-2], : y.shape[-1]]
