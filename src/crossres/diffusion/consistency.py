"""Agreement with the LR image: the result, seen through the LR sensor's optics, drawn towards what that sensor saw.

Back-projection (Irani and Peleg 1991): x <- x + w up(lr - down(x)), where `down` is a Gaussian with the sensor's MTF
sampled at the LR pixels' centres and `up` is bicubic. `hard` repeats it until the low frequencies are those of the LR
image; `soft` goes half of the way once, which leaves room for differences of gain between the sensors.
"""

import math
from fractions import Fraction
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from crossres.diffusion.upsample import View, upsample

HARD_ITERATIONS = 4


def enforce(image: Tensor, lr: Tensor, view: View, mode: Literal["none", "soft", "hard"], lr_mtf: float) -> Tensor:
    """Return the (sample, band, row, column) image drawn to the (1, band, row, column) LR image it is a view of.

    `lr_mtf` is the LR sensor's MTF at its Nyquist frequency. Values are in the same (standardised) units.
    """
    iterations, weight = {"none": (0, 0.0), "soft": (1, 0.5), "hard": (HARD_ITERATIONS, 1.0)}[mode]
    for _ in range(iterations):
        rows = mtf_weights(lr.shape[-2], view.factor, view.top, view.height, lr_mtf)
        cols = mtf_weights(lr.shape[-1], view.factor, view.left, view.width, lr_mtf)
        a, b = (torch.from_numpy(m).to(image) for m in (rows, cols))
        # LR pixels that the view does not cover have no row of weights, and no difference.
        covered = (a.sum(1)[:, None] * b.sum(1)).round()
        difference = (lr - a @ image @ b.mT) * covered
        image = image + weight * upsample(difference, view, "bicubic")
    return image


def mtf_weights(lr_count: int, factor: Fraction, start: int, count: int, lr_mtf: float) -> np.ndarray:
    """Return the (lr_count, count) matrix that sees fine pixels start .. start + count - 1 through the LR sensor.

    A Gaussian whose transform is `lr_mtf` at 1/2 cycle per LR pixel: sigma = sqrt(-2 ln MTF) / pi LR pixels. Rows sum
    to 1, or are 0 for LR pixels with no fine pixel.
    """
    sigma = math.sqrt(-2 * math.log(lr_mtf)) / math.pi
    fine = (start + np.arange(count) + 0.5) / float(factor) - 0.5
    distance = fine[None, :] - np.arange(lr_count)[:, None]
    inside = (np.abs(distance) <= 0.5).any(1, keepdims=True)
    matrix = np.where(inside & (np.abs(distance) < 4 * sigma), np.exp(-(distance**2) / (2 * sigma**2)), 0.0)
    return (matrix / np.maximum(matrix.sum(1, keepdims=True), 1e-12)).astype(np.float32)
