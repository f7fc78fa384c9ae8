"""What the detail of a result rests on, pixel by pixel, without HR: measured, inferred or drawn.

Let y be the LR image, interpolated, and x a sample with the samples' mean m. The detail x - y has three parts:

- *measured*, h - y: what the LR image itself fixes. h is y drawn to it through its optics (`consistency`), so that this
  part lies in the range of the LR operator; all others but for errors lie in its null space, which it cannot see.
- *inferred*, m - h: what the samples agree on beyond that. The LR image tells it by what training has shown.
- *drawn*, x - m: where the samples part. The LR image does not tell it; it looks like the training pairs.

Amplitudes are root mean squares over about an LR pixel. The drawn one is the error that x is expected to have: HR is
as far from m as `std` says, whichever way x went, so that E (HR - x)² = std² + (x - m)².
"""

import math
from fractions import Fraction

import torch
import torch.nn.functional as F
from torch import Tensor

WIDTH_LR_PX = 0.75
"""Standard deviation of the window of a mean square, in LR pixels."""
WINDOW_WIDTHS = 2.5
"""How far the window goes, in standard deviations."""


def margin_px(factor: Fraction) -> int:
    """Return how far around a pixel its support looks, in fine pixels."""
    return math.ceil(WINDOW_WIDTHS * WIDTH_LR_PX * factor)


def support(interpolated: Tensor, seen: Tensor, mean: Tensor, std: Tensor, sample: Tensor, factor: Fraction) -> Tensor:
    """Return the (3, band, row, column) mean squares of the parts, in the order of `imagery.numbers.SUPPORT`.

    All images are (band, row, column) in the same units: y, h, m, the standard deviation of HR about m, and x.
    """
    squares = _smooth(torch.stack([seen - interpolated, mean - seen, std]) ** 2, factor)
    squares[2] += (sample - mean) ** 2
    return squares


def _smooth(images: Tensor, factor: Fraction) -> Tensor:
    """Return (image, band, row, column) values averaged with a Gaussian window."""
    reach = margin_px(factor)
    place = torch.arange(-reach, reach + 1, dtype=images.dtype, device=images.device)
    weights = torch.exp(-0.5 * (place / (WIDTH_LR_PX * float(factor))) ** 2)
    weights /= weights.sum()

    def smooth(image: Tensor) -> Tensor:
        wide = F.pad(image[None, None], (reach,) * 4, mode="replicate")
        return F.conv2d(F.conv2d(wide, weights[None, None, :, None]), weights[None, None, None])[0, 0]

    # One at a time: a convolution of one channel takes memory for each of the window's pixels.
    return torch.stack([smooth(image) for image in images.flatten(0, 1)]).view(images.shape)
