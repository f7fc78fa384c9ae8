"""Published super-resolution networks, built from their papers' figures with random weights, to be timed only.

- ResShift x4 (Yue et al. 2307.12348): a U-Net of 118.6 million parameters with Swin blocks in place of attention, on
  the codes of a VQ autoencoder of factor 4 (55.3 million).
- LDSR-like (Rombach et al. 2112.10752, LDM-4 super-resolution, 169 million in all; LDSR-S2 is of the same build): a
  U-Net of 113.6 million on the same kind of codes.
- ESRGAN (Wang et al. 1809.00219): 23 RRDBs of 64 channels, 16.7 million.

Training-time parts (discriminators, codebook lookups' gradients, dropout) are left out; what runs at inference is here.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(32, channels)


class ResBlock(nn.Module):
    """norm, SiLU, conv, time, norm, SiLU, conv, and the input beside (Dhariwal and Nichol 2105.05233)."""

    def __init__(self, channels: int, out: int, embedding: int | None, scale_shift: bool = False) -> None:
        super().__init__()
        self.before = nn.Sequential(norm(channels), nn.SiLU(), nn.Conv2d(channels, out, 3, padding=1))
        self.norm = norm(out)
        self.after = nn.Sequential(nn.SiLU(), nn.Conv2d(out, out, 3, padding=1))
        self.time = nn.Linear(embedding, (2 if scale_shift else 1) * out) if embedding else None
        self.skip = nn.Conv2d(channels, out, 1) if channels != out else nn.Identity()
        self.scale_shift = scale_shift

    def forward(self, x: Tensor, embedding: Tensor | None = None) -> Tensor:
        h = self.before(x)
        if self.time is None or embedding is None:
            return self.skip(x) + self.after(self.norm(h))
        time = self.time(F.silu(embedding))[..., None, None]
        if self.scale_shift:
            scale, shift = time.chunk(2, 1)
            return self.skip(x) + self.after(self.norm(h) * (1 + scale) + shift)
        return self.skip(x) + self.after(self.norm(h + time))


class Attention(nn.Module):
    """Attention of every pixel to every other, in heads of some channels."""

    def __init__(self, channels: int, head: int) -> None:
        super().__init__()
        self.norm, self.heads = norm(channels), channels // head
        self.qkv, self.out = nn.Conv2d(channels, 3 * channels, 1), nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        q, k, v = self.qkv(self.norm(x)).reshape(b, 3, self.heads, c // self.heads, h * w).mT.unbind(1)
        return x + self.out(F.scaled_dot_product_attention(q, k, v).mT.reshape(b, c, h, w))


class SwinBlock(nn.Module):
    """Attention within windows of 8 x 8 pixels, shifted by half a window in every other block, and an MLP."""

    window = 8

    def __init__(self, width: int, heads: int, shifted: bool) -> None:
        super().__init__()
        self.norm1, self.norm2, self.heads, self.shifted = nn.LayerNorm(width), nn.LayerNorm(width), heads, shifted
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        b, h, w, c = x.shape
        n, half = self.window, self.window // 2
        z = torch.roll(self.norm1(x), (-half, -half), (1, 2)) if self.shifted else self.norm1(x)
        z = z.reshape(b, h // n, n, w // n, n, c).transpose(2, 3).reshape(-1, n * n, c)
        q, k, v = self.qkv(z).reshape(len(z), n * n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        z = self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(len(z), n * n, c))
        z = z.reshape(b, h // n, w // n, n, n, c).transpose(2, 3).reshape(b, h, w, c)
        x = x + (torch.roll(z, (half, half), (1, 2)) if self.shifted else z)
        return x + self.mlp(self.norm2(x))


class Swin(nn.Module):
    """ResShift's stand-in for attention: two Swin blocks of 192 channels between two 1 x 1 convolutions."""

    def __init__(self, channels: int, width: int = 192, head: int = 32) -> None:
        super().__init__()
        self.into, self.out = nn.Conv2d(channels, width, 1), nn.Conv2d(width, channels, 1)
        self.blocks = nn.Sequential(*(SwinBlock(width, width // head, bool(i % 2)) for i in range(2)))

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.blocks(self.into(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2))


class UNet(nn.Module):
    """The U-Net of guided diffusion: two ResBlocks a level on the way down, three on the way up."""

    def __init__(self, bands_in: int, bands_out: int, swin: bool) -> None:
        super().__init__()
        width, factors = 160, (1, 2, 2, 4)
        embedding = 4 * width
        self.embed = nn.Sequential(nn.Linear(width, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        self.entry = nn.Conv2d(bands_in, width, 3, padding=1)

        def stage(channels: int, out: int, level: int, number: int) -> nn.ModuleList:
            parts: list[nn.Module] = [ResBlock(channels, out, embedding, scale_shift=swin)]
            if swin and number == 0:
                parts.append(Swin(out))
            elif not swin and level == 3:
                parts.append(Attention(out, 32))
            return nn.ModuleList(parts)

        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        kept, at = [width], width
        for level, factor in enumerate(factors):
            for number in range(2):
                self.down.append(stage(at, factor * width, level, number))
                at = factor * width
                kept.append(at)
            if level < 3:
                self.down.append(nn.ModuleList([nn.Conv2d(at, at, 3, stride=2, padding=1)]))
                kept.append(at)
        self.middle = nn.ModuleList(
            [
                ResBlock(at, at, embedding, swin),
                Swin(at) if swin else Attention(at, 32),
                ResBlock(at, at, embedding, swin),
            ]
        )
        for level, factor in reversed(list(enumerate(factors))):
            for number in range(3):
                parts = stage(at + kept.pop(), factor * width, level, number)
                at = factor * width
                if level and number == 2:
                    parts.extend([nn.Upsample(scale_factor=2), nn.Conv2d(at, at, 3, padding=1)])
                self.up.append(parts)
        self.exit = nn.Sequential(norm(at), nn.SiLU(), nn.Conv2d(at, bands_out, 3, padding=1))

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        embedding = self.embed(time)

        def run(parts: nn.ModuleList, h: Tensor) -> Tensor:
            for part in parts:
                h = part(h, embedding) if isinstance(part, ResBlock) else part(h)
            return h

        h = self.entry(x)
        kept = [h]
        for parts in self.down:
            h = run(parts, h)
            kept.append(h)
        h = run(self.middle, h)
        for parts in self.up:
            h = run(parts, torch.cat([h, kept.pop()], 1))
        return self.exit(h)


class Encoder(nn.Module):
    """The VQ autoencoder's way in: 128 channels times 1, 2, 4, two ResBlocks a level, attention in the middle."""

    def __init__(self, bands: int, codes: int = 3) -> None:
        super().__init__()
        parts: list[nn.Module] = [nn.Conv2d(bands, 128, 3, padding=1)]
        at = 128
        for level, width in enumerate((128, 256, 512)):
            parts += [ResBlock(at, width, None), ResBlock(width, width, None)]
            parts += [nn.Conv2d(width, width, 3, stride=2, padding=1)] if level < 2 else []
            at = width
        parts += [ResBlock(at, at, None), Attention(at, at), ResBlock(at, at, None)]
        self.run = nn.Sequential(
            *parts, norm(at), nn.SiLU(), nn.Conv2d(at, codes, 3, padding=1), nn.Conv2d(codes, codes, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.run(x)


class Decoder(nn.Module):
    """The way back, three ResBlocks a level."""

    def __init__(self, bands: int, codes: int = 3) -> None:
        super().__init__()
        at = 512
        parts: list[nn.Module] = [nn.Conv2d(codes, codes, 1), nn.Conv2d(codes, at, 3, padding=1)]
        parts += [ResBlock(at, at, None), Attention(at, at), ResBlock(at, at, None)]
        for level, width in enumerate((512, 256, 128)):
            parts += [ResBlock(at, width, None), ResBlock(width, width, None), ResBlock(width, width, None)]
            parts += [nn.Upsample(scale_factor=2), nn.Conv2d(width, width, 3, padding=1)] if level < 2 else []
            at = width
        self.run = nn.Sequential(*parts, norm(at), nn.SiLU(), nn.Conv2d(at, bands, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return self.run(x)


class DenseBlock(nn.Module):
    """Five convolutions, each seeing all before it (RDB of ESRGAN)."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(64 + 32 * i, 32 if i < 4 else 64, 3, padding=1) for i in range(5))

    def forward(self, x: Tensor) -> Tensor:
        seen = [x]
        for conv in self.convs[:4]:
            seen.append(F.leaky_relu(conv(torch.cat(seen, 1)), 0.2))
        return x + 0.2 * self.convs[4](torch.cat(seen, 1))


class Rrdb(nn.Module):
    """ESRGAN's generator at x4."""

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.entry = nn.Conv2d(bands, 64, 3, padding=1)
        self.blocks = nn.ModuleList(nn.Sequential(DenseBlock(), DenseBlock(), DenseBlock()) for _ in range(23))
        self.body, self.up1, self.up2, self.high = (nn.Conv2d(64, 64, 3, padding=1) for _ in range(4))
        self.exit = nn.Conv2d(64, bands, 3, padding=1)

    def forward(self, lr: Tensor) -> Tensor:
        first = self.entry(lr)
        x = first
        for block in self.blocks:
            x = x + 0.2 * block(x)
        x = first + self.body(x)
        for conv in (self.up1, self.up2):
            x = F.leaky_relu(conv(F.interpolate(x, scale_factor=2)), 0.2)
        return self.exit(F.leaky_relu(self.high(x), 0.2))


def millions(*modules: nn.Module) -> float:
    return sum(p.numel() for module in modules for p in module.parameters()) / 1e6
