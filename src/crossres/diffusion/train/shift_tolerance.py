"""A loss that forgives whole-pixel offsets between an answer and its HR image, which registration leaves.

The idea is that of PROBA-V's score (Maertens et al. 2019) brought to training: each example is compared with the HR
image at every offset of up to a few pixels, and a soft minimum over the offsets counts. Without it an offset that
differs from pair to pair teaches blur.
"""

from itertools import product

import torch
from torch import Tensor

SHARPNESS = 20.0
"""Of the soft minimum: an offset that is worse by 1 / SHARPNESS of the mean distance counts e times less."""


def shift_tolerant_l1(answer: Tensor, target: Tensor, hr: Tensor, weight: Tensor, shift_px: int) -> Tensor:
    """Return the sum over examples of the least |answer - target|_1 over offsets of `hr` within +-`shift_px`.

    `answer`, `target` and `hr` are (batch, band, row, column), and `target` is made of `hr` by adding what does not
    depend on it; `weight` (batch, 1, row, column) is 0 where a pixel is masked. As large as the plain sum over clear
    pixels: a margin of `shift_px`, where not every offset can be compared, counts as the rest does.
    """
    rows, cols = hr.shape[-2] - 2 * shift_px, hr.shape[-1] - 2 * shift_px

    def cut(values: Tensor, down: int = 0, right: int = 0) -> Tensor:
        top, left = shift_px + down, shift_px + right
        return values[..., top : top + rows, left : left + cols]

    error, clear = cut(answer - target + hr), cut(weight)
    means = []
    for offset in product(range(-shift_px, shift_px + 1), repeat=2):
        seen = clear * cut(weight, *offset)
        distance = ((error - cut(hr, *offset)).abs() * seen).sum((1, 2, 3))
        means.append(distance / (seen.sum((1, 2, 3)) * hr.shape[1]).clamp(min=1))
    stack = torch.stack(means)
    share = torch.softmax(-SHARPNESS * stack.detach() / stack.detach().mean(0).clamp(min=1e-12), 0)
    return ((share * stack).sum(0) * weight.sum((1, 2, 3)) * hr.shape[1]).sum()
