"""Training examples: crops of patch pairs, with augmentations that the seed alone decides."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import zarr

from crossres.diffusion.model.gaps import fill_nearest
from crossres.diffusion.model.standardise import Standard
from crossres.diffusion.train.cache import open_cache
from crossres.diffusion.train.prepare import Batch, Preparation, RawBatch
from crossres.errors import UserError
from crossres.imagery.lr_dates import OFFSETS, dates_in
from crossres.imagery.numbers import NODATA
from crossres.settings.train import IN_MEMORY_BYTES, LearningTarget

RESIDUAL_PATCHES = 2048
ALL_DATES = 0.5
"""Share of crops that keep all their further LR dates; of the others each has any number of them."""


class Split:
    """The patches of one split of a dataset.

    `dataset` is the zarr or a training cache made from it: the same patches, read from a cache several times faster.
    From a zarr, a split of up to IN_MEMORY_BYTES is read once, a larger one patch by patch. `target` is
    `train.target`: with "detail", HR has its own detail and LR's tone (`own_detail`). `lr_dates` is how many LR dates
    of a patch are learnt from at most; None: all that there are.
    """

    def __init__(
        self,
        dataset: Path,
        index: Path,
        split: str,
        factor: Fraction,
        standard: Standard,
        target: LearningTarget = "hr",
        lr_dates: int | None = None,
    ) -> None:
        table = pd.read_parquet(index, columns=["patch", "split"])
        self.rows = np.sort(table.loc[table["split"] == split, "patch"].to_numpy(np.int64))
        self.factor, self.standard, self.target = factor, standard, target
        self._at = self.rows
        cached = open_cache(dataset, index)
        self._arrays: dict[str, Any] = cached or _zarr_arrays(dataset)
        self.lr_shape: tuple[int, int] = self._arrays["lr"].shape[-2:]
        self.bands: int = self._arrays["hr"].shape[1]
        """Of HR, the first of LR."""
        self.lr_bands = len(standard.mean)
        there = dates_in(self._arrays["lr"].shape[1], self.lr_bands)
        self.lr_dates = min(there, lr_dates or there)
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
            found = list(np.asarray(array.oindex[rows])[back])
        else:
            found = [array[row] for row in at]
        seen = self.lr_bands + (self.lr_dates - 1) * (self.lr_bands + len(OFFSETS))
        return [values[:seen] for values in found] if name == "lr" else found

    def batch(self, patches: np.ndarray) -> Batch:
        """Return whole patches, ready to be looked at on the CPU."""
        corners = np.zeros((2, len(patches)), np.int64)
        return self.preparation(torch.device("cpu"))(self._raw(patches, corners, self.lr_shape, None, 0))

    def preparation(self, device: torch.device) -> Preparation:
        """Return what makes batches of this dataset on a device."""
        return Preparation(self.factor, self.standard, self.target, device)

    def random_batch(
        self, patches: np.ndarray, crop_px: int, max_shift_px: float, rng: np.random.Generator, own: slice = slice(None)
    ) -> RawBatch:
        """Return patches to be cropped, turned and shifted at random; those of `own`, which are all that is read.

        A crop starts at an LR pixel that is also the start of an HR pixel, and is as large as whole LR and HR pixels
        let it be within `crop_px`. The turn, one of the eight symmetries of the square, is the same for the whole
        batch. Of its further LR dates a crop keeps a random number, so that a model works with any.
        """
        h, w = self.lr_shape
        turn = int(rng.integers(8)) if h == w else int(rng.integers(4))
        n, d = self.factor.numerator, self.factor.denominator
        side = max(1, crop_px // n) * d
        rows, cols = min(side, h // d * d), min(side, w // d * d)
        last = np.array([[h - rows], [w - cols]]) // d
        corners = rng.integers(0, last + 1, (2, len(patches))) * d
        shift = rng.uniform(-max_shift_px, max_shift_px, (2, len(patches))) if max_shift_px > 0 else None
        kept = random_dates(self.lr_dates - 1, len(patches), rng)[own] if self.lr_dates > 1 else None
        moved = None if shift is None else shift[:, own]
        return self._raw(patches[own], corners[:, own], (rows, cols), moved, turn, kept)

    def _raw(
        self, patches: np.ndarray, corners: np.ndarray, size: tuple[int, int], shift: np.ndarray | None, turn: int,
        kept: np.ndarray | None = None,
    ) -> RawBatch:  # fmt: skip
        lr, hr, mask = (self.read(name, patches) for name in ("lr", "hr", "mask"))
        first = [values[: self.lr_bands] for values in lr]
        clear = np.stack([(m == 0) & (v != NODATA).all(0) for m, v in zip(mask, first, strict=True)])[:, None]
        if self.target == "hr":
            n, d = self.factor.numerator, self.factor.denominator
            height, width = (side * n // d for side in size)
            windows = (corners * n // d).T.tolist()
            hr = [v[:, i : i + height, j : j + width] for v, (i, j) in zip(hr, windows, strict=True)]
        whole_lr, images, places = np.stack([_without_gaps(v) for v in first]), np.stack(hr), np.array(corners)
        if self.lr_dates > 1:
            further = np.stack([values[self.lr_bands :] for values in lr])
            if kept is not None:
                further *= np.repeat(kept, self.lr_bands + len(OFFSETS), 1)[..., None, None]
            whole_lr = np.concatenate([whole_lr, further], 1)
        lr_t, clear_t, hr_t, corners_t = (torch.from_numpy(array) for array in (whole_lr, clear, images, places))
        return RawBatch(lr_t, clear_t, hr_t, corners_t, None if shift is None else torch.tensor(shift), size, turn)


def random_dates(further: int, crops: int, rng: np.random.Generator) -> np.ndarray:
    """Return which of its further dates each crop keeps, (crop, date): ALL_DATES all of them, the others any number."""
    order = rng.permuted(np.tile(np.arange(further), (crops, 1)), axis=1)
    some = rng.integers(0, further + 1, crops)
    return order < np.where(rng.random(crops) < ALL_DATES, further, some)[:, None]


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


def _without_gaps(dn: np.ndarray) -> np.ndarray:
    """Return (band, row, column) numbers of a scene with gaps filled by their nearest neighbours."""
    if (dn != NODATA).all():
        return dn
    return fill_nearest(np.where(dn == NODATA, np.float32(np.nan), dn)).astype(dn.dtype)
