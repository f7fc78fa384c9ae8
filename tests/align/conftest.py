"""A landscape whose every displacement is known, seen by two sensors."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from align_scenes import HR_M, LR_M, SIDE_M, landscape, to_lr, write_folder
from scipy import ndimage

from crossres.imagery.numbers import Mask


@pytest.fixture
def make_pair(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """Write an LR and an HR scene folder: HR lies off by `shift_m` (east, north), or by a `warp` of HR indices."""

    def make(
        shift_m: tuple[float, float] = (0, 0),
        warp: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
        lr_seed: int = 0,
        hr_seed: int = 0,
        lr_mask: np.ndarray | None = None,
        gains: tuple[float, float] = (1, 1),
        offsets: tuple[float, float] = (0, 0),
        hr_hole: tuple[slice, slice] | None = None,
    ) -> tuple[Path, Path]:
        size = int(SIDE_M / HR_M)
        noise = np.random.default_rng([lr_seed, 9])
        lr = to_lr(landscape(lr_seed, size))
        hr = landscape(hr_seed, size).copy()
        if warp is not None:
            rows, cols = np.indices(hr.shape[1:], dtype=np.float64)
            d = warp(rows, cols)
            hr = np.stack([ndimage.map_coordinates(b, (rows + d[0], cols + d[1]), order=3, mode="nearest") for b in hr])
        hr = (hr - np.array(offsets)[:, None, None]) / np.array(gains)[:, None, None]
        hr = (hr + noise.normal(0, 0.002, hr.shape)).astype(np.float32)
        lr = (lr + noise.normal(0, 0.002, lr.shape)).astype(np.float32)
        if hr_hole is not None:
            hr[:, hr_hole[0], hr_hole[1]] = np.nan
        hr_mask = np.where(np.isfinite(hr).all(axis=0), Mask.CLEAR, Mask.NODATA)
        return (
            write_folder(tmp_path / "lr", lr, LR_M, mask=lr_mask),
            write_folder(tmp_path / "hr", hr, HR_M, shift_m, mask=hr_mask),
        )

    return make
