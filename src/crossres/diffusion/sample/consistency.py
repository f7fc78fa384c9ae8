"""Agreement with the LR image: the result, seen through the LR sensor's optics, drawn towards what that sensor saw.

Back-projection (Irani and Peleg 1991): x <- x + w up(lr - down(x)), where `down` is a Gaussian with the sensor's MTF
sampled at the LR pixels' centres and `up` is bicubic. `hard` repeats it until the low frequencies are those of the LR
image; `soft` goes half of the way once, which leaves room for differences of gain between the sensors.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from crossres.diffusion.model.upsample import View
from crossres.diffusion.sample.large_views import upsample_large
from crossres.operators import through_mtf

HARD_ITERATIONS = 4


def enforce(
    image: Tensor, lr: Tensor, view: View, mode: Literal["none", "soft", "hard"], lr_mtf: Sequence[float]
) -> Tensor:
    """Return the (sample, band, row, column) image drawn to the (1, band, row, column) LR image it is a view of.

    `lr_mtf` is the LR sensor's MTF at its Nyquist frequency, one a band. Values are in the same (standardised) units.
    """
    iterations, weight = {"none": (0, 0.0), "soft": (1, 0.5), "hard": (HARD_ITERATIONS, 1.0)}[mode]
    if not iterations:
        return image
    rows = [through_mtf(lr.shape[-2], view.factor, view.top, view.height, mtf).dense() for mtf in lr_mtf]
    cols = [through_mtf(lr.shape[-1], view.factor, view.left, view.width, mtf).dense() for mtf in lr_mtf]
    a, b = (torch.from_numpy(np.stack(weights)).to(image) for weights in (rows, cols))
    # LR pixels that the view does not cover have no row of weights, and no difference.
    covered = (a.sum(-1)[..., :, None] * b.sum(-1)[..., None, :]).round()
    for _ in range(iterations):
        difference = (lr - a @ image @ b.mT) * covered
        image = image + weight * upsample_large(difference, view, "bicubic")
    return image
