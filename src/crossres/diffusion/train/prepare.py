"""From patches as they are kept to what a network learns from, on the device that it learns on.

Scenes keep uint16 (`imagery.numbers`): a quarter of what HR and y, standardised, would take on their way to a GPU.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

import torch
from torch import Tensor

from crossres.diffusion.model.dates import joined, turned_offsets
from crossres.diffusion.model.standardise import Standard
from crossres.diffusion.model.upsample import Shift, View, upsample
from crossres.imagery.lr_dates import OFFSETS, ZERO
from crossres.imagery.numbers import NODATA, OFFSET, SCALE
from crossres.operators import area, nearest
from crossres.settings.train import LearningTarget


@dataclass(frozen=True)
class RawBatch:
    """Patch pairs in the numbers of scenes, and which crops are to be made of them."""

    lr: Tensor
    """uint16 (batch, band, row, column), whole patches: the bands of HR and LR's others, without gaps, and what
    further dates have (`model.dates`)."""
    clear: Tensor
    """bool (batch, 1, row, column) on the LR grid: where a pixel counts."""
    hr: Tensor
    """uint16 (batch, band, row, column): the crops or, where they need it (`target`), whole patches."""
    corners: Tensor
    """int64 (2, batch): top and left of each crop, in LR pixels."""
    shift: Tensor | None
    """float64 (2, batch): rows and columns by which LR is to be moved, in HR pixels."""
    size: tuple[int, int]
    """Rows and columns of a crop, in LR pixels."""
    turn: int = 0
    """Symmetry of the square, 0 to 7, that the whole batch is put under: bit 0 and 1 flip columns and rows, bit 2
    transposes."""

    def __len__(self) -> int:
        return len(self.lr)

    def part(self, which: slice) -> "RawBatch":
        """Return some examples."""
        return self._each(lambda tensor: tensor[which], lambda tensor: tensor[:, which])

    def pinned(self) -> "RawBatch":
        """Return it in memory that a GPU reads by itself."""
        return self._each(Tensor.pin_memory, Tensor.pin_memory)

    def to(self, device: torch.device) -> "RawBatch":
        """Return it on a device; from pinned memory nobody waits for it."""
        return self._each(*[lambda tensor: tensor.to(device, non_blocking=True)] * 2)

    def tensors(self) -> list[Tensor]:
        """Return all that takes memory."""
        return [t for t in (self.lr, self.clear, self.hr, self.corners, self.shift) if t is not None]

    def _each(self, images: Callable[[Tensor], Tensor], places: Callable[[Tensor], Tensor]) -> "RawBatch":
        shift = None if self.shift is None else places(self.shift)
        lr, clear, hr = (images(tensor) for tensor in (self.lr, self.clear, self.hr))
        return replace(self, lr=lr, clear=clear, hr=hr, corners=places(self.corners), shift=shift)


@dataclass(frozen=True)
class Batch:
    """Crops of patch pairs, standardised."""

    lr: Tensor
    """(batch, band, row, column) on the LR grid; further dates follow the bands (`dates.joined`)."""
    y: Tensor
    """(batch, band, row, column): LR on the HR grid, bicubic over the whole patch and then cropped."""
    hr: Tensor
    """(batch, band, row, column)."""
    weight: Tensor
    """(batch, 1, row, column): 1 where a pixel counts, 0 where it is masked."""
    shift: Shift | None
    """Rows and columns by which LR was moved, (batch,) HR pixels each; None when it was not."""


class Preparation:
    """Makes batches of a dataset on a device, which all that stays the same from step to step is kept on."""

    def __init__(self, factor: Fraction, standard: Standard, target: LearningTarget, device: torch.device) -> None:
        self.factor, self.target, self.device = factor, target, device
        self.lr_bands = len(standard.mean)
        mean, std = (torch.tensor(v)[:, None, None] for v in (standard.mean, standard.std))  # of all LR bands
        self.scale, self.offset = (SCALE / std).to(device), ((OFFSET - mean) / std).to(device)
        self.mean_std = (mean / std).to(device)

    def hr_size(self, raw: RawBatch) -> tuple[int, int]:
        """Return rows and columns of a batch's crops, in HR pixels, before they are turned."""
        return int(raw.size[0] * self.factor), int(raw.size[1] * self.factor)

    def __call__(self, raw: RawBatch, gain: Tensor | None = None) -> Batch:
        """Return the crops; `gain` (batch, LR band, 1, 1) multiplies reflectance, LR and HR alike."""
        whole_lr = self._standardised(raw.lr[:, : self.lr_bands])
        hr_valid = raw.hr.float() != NODATA  # few kernels know uint16
        hr = self._standardised(raw.hr)
        corners = raw.corners * self.factor.numerator // self.factor.denominator
        size = self.hr_size(raw)
        # y is made from the whole patch, so that a crop's border is an interior like any other.
        down, right = -corners if raw.shift is None else raw.shift - corners
        common = whole_lr[:, : hr.shape[1]]
        if raw.shift is None and raw.size == tuple(raw.lr.shape[-2:]):
            y = upsample(common, View.whole(self.factor, *raw.size), "bicubic")
        else:
            y = upsample(common, View(self.factor, 0, 0, *size), "bicubic", 1, (down, right))
        if self.target == "detail":
            hr = _cut(own_detail(hr, hr_valid, common, raw.clear, self.factor), corners, size)
            hr_valid = _cut(hr_valid, corners, size)
        rows, cols = (_nearest(side, self.factor, self.device) for side in raw.size)
        clear = _cut(raw.clear, raw.corners, raw.size)[:, :, rows][..., cols] & hr_valid.all(1, keepdim=True)
        images = [_cut(whole_lr, raw.corners, raw.size), y, torch.where(hr_valid, hr, 0)]
        if gain is not None:
            images = [self._brighter(image, gain[:, : image.shape[1]]) for image in images]
        if raw.lr.shape[1] > self.lr_bands:
            images[0] = self._with_dates(images[0], raw, gain)
        lr, y, hr, weight = (turned(image, raw.turn) for image in (*images, clear.float()))
        lr = turned_offsets(lr, self.lr_bands, raw.turn)
        return Batch(lr, y, hr, weight, raw.shift if raw.shift is None else turned_shift(raw.shift, raw.turn))

    def _with_dates(self, first: Tensor, raw: RawBatch, gain: Tensor | None) -> Tensor:
        """Return the crops' first dates with their further ones."""
        numbers = _cut(raw.lr[:, self.lr_bands :].float(), raw.corners, raw.size)
        further = numbers.unflatten(1, (-1, self.lr_bands + len(OFFSETS)))
        bands, offsets = self._standardised(further[:, :, : self.lr_bands]), further[:, :, self.lr_bands :]
        if gain is not None:
            bands = self._brighter(bands, gain[:, None])
        offsets = offsets * SCALE + (OFFSET - ZERO)
        return joined(first, bands, offsets, (further != NODATA).all(2, keepdim=True))

    def _brighter(self, image: Tensor, gain: Tensor) -> Tensor:
        # g (z std + mean) is standardised again: g z + (g - 1) mean / std.
        return gain * image + (gain - 1) * self.mean_std[: image.shape[-3]]

    def _standardised(self, dn: Tensor) -> Tensor:
        bands = dn.shape[-3]
        return torch.addcmul(self.offset[:bands], dn.float(), self.scale[:bands])


def own_detail(hr: Tensor, valid: Tensor, lr: Tensor, clear: Tensor, factor: Fraction) -> Tensor:
    """Return HR - up(mean(HR - up(LR))): HR with the tone of LR, which is all that its means over LR pixels say.

    `hr` and `lr` are whole (patch, band, row, column) images, standardised, LR without gaps; `up` is bicubic, and the
    mean over an LR pixel that of its `valid` part. Where `clear` (patch, 1, row, column), on the LR grid, is not, the
    tone stays HR's.
    """
    view = View.whole(factor, *lr.shape[-2:])
    rows, cols = (_area(side, factor, lr.device) for side in lr.shape[-2:])
    seen = rows @ valid.to(lr) @ cols.mT
    tone = rows @ torch.where(valid, hr - upsample(lr, view, "bicubic"), 0) @ cols.mT / seen.clamp(min=1e-6)
    return hr - upsample(tone * clear, view, "bicubic")


def turned(values: Tensor, turn: int) -> Tensor:
    """Return (batch, band, row, column) values under a symmetry of the square (`RawBatch.turn`).

    Laid out in memory alike whatever the turn, so that what is compiled for one serves all.
    """
    flipped = [axis for bit, axis in ((1, -1), (2, -2)) if turn & bit]
    values = values.flip(flipped) if flipped else values
    return (values.mT if turn & 4 else values).clone(memory_format=torch.channels_last)


def turned_shift(shift: Tensor, turn: int) -> Shift:
    """Return the shift of images that were turned after they had been moved by (rows, columns)."""
    down, right = shift
    right, down = (-right if turn & 1 else right), (-down if turn & 2 else down)
    return (right, down) if turn & 4 else (down, right)


@lru_cache
def _area(side: int, factor: Fraction, device: torch.device) -> Tensor:
    return torch.from_numpy(area(side, factor).dense()).to(device)


@lru_cache
def _nearest(side: int, factor: Fraction, device: torch.device) -> Tensor:
    return torch.from_numpy(nearest(side, factor, 0, int(side * factor))).to(device)


def _cut(values: Tensor, corners: Tensor, size: tuple[int, int]) -> Tensor:
    """Return a window of each (batch, band, row, column) image, by its (2, batch) top and left."""
    height, width = size
    if (height, width) == tuple(values.shape[-2:]):
        return values
    device = values.device
    each = torch.arange(len(values), device=device)[:, None, None]
    rows = corners[0][:, None, None] + torch.arange(height, device=device)[:, None]
    cols = corners[1][:, None, None] + torch.arange(width, device=device)
    return values.movedim(1, -1)[each, rows, cols].movedim(-1, 1)
