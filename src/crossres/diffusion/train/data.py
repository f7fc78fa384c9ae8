"""Training examples: crops of patch pairs, with augmentations that the seed alone decides."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import zarr
from torch import Tensor

from crossres.diffusion.model.gaps import fill_nearest
from crossres.diffusion.model.standardise import Standard
from crossres.diffusion.model.upsample import Shift, View, upsample
from crossres.diffusion.train.cache import open_cache
from crossres.errors import UserError
from crossres.imagery.numbers import to_reflectance
from crossres.operators import area, nearest
from crossres.settings.train import IN_MEMORY_BYTES, LearningTarget

RESIDUAL_PATCHES = 2048


@dataclass(frozen=True)
class Batch:
    """Crops of patch pairs, standardised."""

    lr: Tensor
    """(batch, band, row, column) on the LR grid."""
    y: Tensor
    """(batch, band, row, column): LR on the HR grid, bicubic over the whole patch and then cropped."""
    hr: Tensor
    """(batch, band, row, column)."""
    weight: Tensor
    """(batch, 1, row, column): 1 where a pixel counts, 0 where it is masked."""
    shift: Shift | None
    """Rows and columns by which LR was moved, (batch,) HR pixels each; None when it was not."""


@dataclass(frozen=True)
class Augmentation:
    """What is done to the patches of a batch."""

    turn: int = 0
    """Symmetry of the square, as in `_turn`."""
    corners: tuple[np.ndarray, np.ndarray] | None = None
    """Top and left of each crop, in LR pixels; None keeps the patch whole."""
    size: tuple[int, int] | None = None
    """Rows and columns of the crops, in LR pixels."""
    shift: Shift | None = None
    """As in `Batch`."""


class Split:
    """The patches of one split of a dataset.

    `dataset` is the zarr or a training cache made from it: the same patches, read from a cache several times faster.
    From a zarr, a split of up to IN_MEMORY_BYTES is read once, a larger one patch by patch. `target` is
    `train.target`: with "detail", HR has its own detail and LR's tone (`own_detail`).
    """

    def __init__(
        self,
        dataset: Path,
        index: Path,
        split: str,
        factor: Fraction,
        standard: Standard,
        target: LearningTarget = "hr",
    ) -> None:
        table = pd.read_parquet(index, columns=["patch", "split"])
        self.rows = np.sort(table.loc[table["split"] == split, "patch"].to_numpy(np.int64))
        self.factor, self.standard, self.target = factor, standard, target
        self._at = self.rows
        cached = open_cache(dataset, index)
        self._arrays: dict[str, Any] = cached or _zarr_arrays(dataset)
        self.lr_shape: tuple[int, int] = self._arrays["lr"].shape[-2:]
        sizes = (len(self.rows) * int(np.prod(a.shape[1:])) * a.dtype.itemsize for a in self._arrays.values())
        if not cached and len(self.rows) and sum(sizes) <= IN_MEMORY_BYTES:
            self._arrays = {name: a.oindex[self.rows] for name, a in self._arrays.items()}
            self._at = np.arange(len(self.rows))

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, name: str, patches: np.ndarray) -> list[np.ndarray]:
        """Return patches of `lr`, `hr` or `mask`, by position within the split: views where that saves a copy."""
        array, at = self._arrays[name], self._at[patches]
        if isinstance(array, zarr.Array):
            rows, back = np.unique(at, return_inverse=True)
            return list(np.asarray(array.oindex[rows])[back])
        return [array[row] for row in at]

    def batch(self, patches: np.ndarray) -> Batch:
        """Return whole patches."""
        return self._batch(patches, Augmentation())

    def random_batch(
        self, patches: np.ndarray, crop_px: int, max_shift_px: float, rng: np.random.Generator, own: slice = slice(None)
    ) -> Batch:
        """Return patches cropped, turned and shifted at random; of these those of `own`, which are all that is read.

        A crop starts at an LR pixel that is also the start of an HR pixel, and is as large as whole LR and HR pixels
        let it be within `crop_px`. The turn, one of the eight symmetries of the square, is the same for the whole
        batch.
        """
        h, w = self.lr_shape
        turn = int(rng.integers(8)) if h == w else int(rng.integers(4))
        n, d = self.factor.numerator, self.factor.denominator
        side = max(1, crop_px // n) * d
        rows, cols = min(side, h // d * d), min(side, w // d * d)
        tops = rng.integers(0, (h - rows) // d + 1, len(patches)) * d
        lefts = rng.integers(0, (w - cols) // d + 1, len(patches)) * d
        shift = None
        if max_shift_px > 0:
            shift = (rng.uniform(-max_shift_px, max_shift_px, len(patches)),
                     rng.uniform(-max_shift_px, max_shift_px, len(patches)))  # fmt: skip
            shift = (shift[0][own], shift[1][own])
        return self._batch(patches[own], Augmentation(turn, (tops[own], lefts[own]), (rows, cols), shift))

    def _batch(self, patches: np.ndarray, how: Augmentation) -> Batch:
        lr_dn, hr_dn, mask = ([_turn(v, how.turn) for v in self.read(k, patches)] for k in ("lr", "hr", "mask"))
        standard = self.standard.forward(to_reflectance(np.stack(lr_dn)))
        clear = ((np.stack(mask) == 0) & np.isfinite(standard).all(1))[:, None]
        whole_lr = np.stack([fill_nearest(v) for v in standard])
        whole_view = View.whole(self.factor, *whole_lr.shape[-2:])
        # y is made from the whole patch, so that a crop's border is an interior like any other.
        whole_y = upsample(torch.from_numpy(whole_lr), whole_view, "bicubic", 1, how.shift).numpy()

        h, w = how.size or whole_lr.shape[-2:]
        tops, lefts = how.corners or (np.zeros(len(patches), np.int64), np.zeros(len(patches), np.int64))
        n, d = self.factor.numerator, self.factor.denominator
        hr_window = (tops * n // d, lefts * n // d, h * n // d, w * n // d)
        lr = _cut(whole_lr, tops, lefts, h, w)
        y = _cut(whole_y, *hr_window)
        if self.target == "hr":
            hr = self.standard.forward(to_reflectance(_cut(hr_dn, *hr_window)))
        else:
            whole_hr = self.standard.forward(to_reflectance(np.stack(hr_dn)))
            hr = _cut(own_detail(whole_hr, whole_lr, clear, whole_view), *hr_window)
        rows, cols = (nearest(side, self.factor, 0, side * n // d) for side in (h, w))
        clear = _cut(clear, tops, lefts, h, w)[:, :, rows][..., cols] & np.isfinite(hr).all(1, keepdims=True)
        lr_t, y_t, hr_t, weight = (torch.from_numpy(a) for a in (lr, y, np.nan_to_num(hr), clear.astype(np.float32)))
        return Batch(lr_t, y_t, hr_t, weight, how.shift)


def own_detail(hr: np.ndarray, lr: np.ndarray, clear: np.ndarray, view: View) -> np.ndarray:
    """Return HR - up(mean(HR - up(LR))): HR with the tone of LR, which is all that its means over LR pixels say.

    `hr` and `lr` are whole (patch, band, row, column) images, standardised, LR without gaps; `up` is bicubic. Where
    `clear` (patch, 1, row, column), on the LR grid, is not, the tone stays HR's. NaN where HR is.
    """
    filled, low = torch.from_numpy(np.stack([fill_nearest(v) for v in hr])), torch.from_numpy(lr)
    rows, cols = (torch.from_numpy(area(side, view.factor).dense()).to(low) for side in low.shape[-2:])
    tone = rows @ (filled - upsample(low, view, "bicubic")) @ cols.mT
    tone = tone * torch.from_numpy(clear)
    return np.where(np.isfinite(hr), (filled - upsample(tone, view, "bicubic")).numpy(), np.float32(np.nan))


def residual_rms(split: Split) -> float:
    """Return the RMS of HR (or its detail) - y over the clear pixels of a split, in HR standard deviations.

    A split of more than RESIDUAL_PATCHES patches is seen through that many of them, evenly spaced.
    """
    seen = min(len(split), RESIDUAL_PATCHES)
    chosen = np.arange(seen) * len(split) // seen
    total, count = 0.0, 0.0
    for patches in np.array_split(chosen, -(-seen // 32)):
        batch = split.batch(patches)
        total += float((((batch.hr - batch.y) ** 2) * batch.weight).sum(dtype=torch.float64))
        count += float(batch.weight.sum(dtype=torch.float64)) * batch.hr.shape[1]
    return (total / count) ** 0.5 if count else 0.0


def _zarr_arrays(dataset: Path) -> dict[str, Any]:
    group = zarr.open_group(dataset, mode="r")
    arrays = {name: group[name] for name in ("lr", "hr", "mask")}
    for name, array in arrays.items():
        if not isinstance(array, zarr.Array):
            raise UserError(f"{dataset}: {name} is not an array; build the dataset again")
    return arrays


def _turn(values: np.ndarray, turn: int) -> np.ndarray:
    """Return a view under symmetry 0..7: bit 0 and 1 flip columns and rows, bit 2 transposes."""
    if turn & 1:
        values = values[..., ::-1]
    if turn & 2:
        values = values[..., ::-1, :]
    return values.swapaxes(-1, -2) if turn & 4 else values


def _cut(values: Iterable[np.ndarray], tops: np.ndarray, lefts: np.ndarray, height: int, width: int) -> np.ndarray:
    return np.stack([
        v[:, i : i + height, j : j + width]
        for v, i, j in zip(values, tops.tolist(), lefts.tolist(), strict=True)
    ])  # fmt: skip
