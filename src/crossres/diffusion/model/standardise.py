"""Reflectance <-> what the network sees: zero mean and unit variance of the HR image, band by band."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Standard:
    """Band means and standard deviations over the training split, in reflectance: HR's, for LR and HR alike.

    After them come LR's own, of the bands that HR lacks. An image has all of them, or the first alone.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def forward(self, reflectance: np.ndarray) -> np.ndarray:
        """Standardise (..., band, row, column) reflectance; float32."""
        mean, std = (_column(values[: reflectance.shape[-3]]) for values in (self.mean, self.std))
        return ((reflectance - mean) / std).astype(np.float32)

    def reflectance(self, values: Tensor) -> Tensor:
        """Bring standardised (..., band, row, column) values back to reflectance."""
        mean = _column(self.mean[: values.shape[-3]])
        return values * self.spread(values) + torch.as_tensor(mean, device=values.device)

    def spread(self, values: Tensor) -> Tensor:
        """Return the (band, 1, 1) standard deviations on the device of `values`."""
        return torch.as_tensor(_column(self.std[: values.shape[-3]]), device=values.device)


def _column(values: Sequence[float]) -> np.ndarray:
    return np.asarray(values, np.float32)[:, None, None]
