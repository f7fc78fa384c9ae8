"""What the network sees of several LR dates.

The first date is the LR image: it gives the grid, y and the radiometry. In patches and scenes its L bands are followed
by L + 2 channels of each further date (`imagery.lr_dates`). The network sees L + 3 of each: bands, both offsets, and 1
where the date has data; where it has none all of them are 0.
"""

import numpy as np
import torch
from torch import Tensor

from crossres.diffusion.model.gaps import fill_nearest
from crossres.diffusion.model.standardise import Standard
from crossres.imagery.lr_dates import OFFSETS, ZERO

SEEN = len(OFFSETS) + 1
"""Channels of a further date beside its bands: offsets, and whether there are data."""
OFFSET_STD = 0.29
"""Standard deviation of an offset that lies evenly within a pixel, in LR pixels."""


def joined(first: Tensor, bands: Tensor, offsets: Tensor, valid: Tensor) -> Tensor:
    """Return what the network sees, (batch, L + D (L + 3), row, column).

    `first` is (batch, L, row, column) and `bands` (batch, D, L, row, column), standardised, `offsets` (batch, D, 2,
    row, column) in LR pixels, `valid` (batch, D, 1, row, column) bool. What is not valid may have any number.
    """
    further = torch.cat([bands, offsets / OFFSET_STD, torch.ones_like(bands[:, :, :1])], 2)
    return torch.cat([first, torch.where(valid, further, 0).flatten(1, 2)], 1)


def network_input(reflectance: np.ndarray, standard: Standard) -> Tensor:
    """Return what the network sees of (channel, row, column) reflectance, NaN where there is none; a batch of one.

    Gaps of the first date are filled by their nearest neighbours.
    """
    count = len(standard.mean)
    first = torch.from_numpy(standard.forward(fill_nearest(reflectance[:count])))[None]
    if len(reflectance) <= count:
        return first
    further = reflectance[count:].reshape(-1, count + len(OFFSETS), *reflectance.shape[1:])
    bands, offsets = standard.forward(further[:, :count]), further[:, count:] - np.float32(ZERO)
    valid = np.isfinite(further).all(1, keepdims=True)
    return joined(first, *(torch.from_numpy(values)[None] for values in (bands, offsets, valid)))


def by_date(seen: Tensor, lr_bands: int) -> list[Tensor]:
    """Return (batch, L + 3, row, column) channels of each date of what `joined` gave, the first among them."""
    first = seen[:, :lr_bands]
    own = torch.cat(
        [first, torch.zeros_like(first[:, :1]).expand(-1, len(OFFSETS), -1, -1), torch.ones_like(first[:, :1])], 1
    )
    size = lr_bands + SEEN
    return [own, *(seen[:, at : at + size] for at in range(lr_bands, seen.shape[1], size))]


def turned_offsets(seen: Tensor, lr_bands: int, turn: int) -> Tensor:
    """Return what the network sees after its image was put under a symmetry of the square (`RawBatch.turn`)."""
    if seen.shape[1] == lr_bands:
        return seen
    further = seen[:, lr_bands:].unflatten(1, (-1, lr_bands + SEEN))
    down, right = further[:, :, -3], further[:, :, -2]
    down, right = (-down if turn & 2 else down), (-right if turn & 1 else right)
    down, right = (right, down) if turn & 4 else (down, right)
    moved = torch.cat([further[:, :, :lr_bands], torch.stack([down, right], 2), further[:, :, -1:]], 2)
    return torch.cat([seen[:, :lr_bands], moved.flatten(1, 2)], 1).contiguous(memory_format=torch.channels_last)
