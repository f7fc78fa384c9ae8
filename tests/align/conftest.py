"""A landscape whose every displacement is known, seen by two sensors."""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine
from scipy import ndimage

from crossres.rasters import Mask, Scene, write_mask, write_scene

BANDS = ("red", "nir")
LR_M, HR_M, SIDE_M = 10.0, 2.0, 1600.0
ORIGIN = (500_000.0, 4_000_000.0)


@cache
def landscape(seed: int, size: int) -> np.ndarray:
    """Return (band, row, column) reflectance with fields, edges and texture at all scales; bands partly independent."""
    rng = np.random.default_rng(seed)
    layers = []
    for _ in range(2):
        smooth = sum(
            s**0.6 * ndimage.gaussian_filter(rng.normal(size=(size, size)), s, mode="wrap") * s for s in (2, 5, 12, 30)
        )
        fields = ndimage.gaussian_filter(rng.normal(size=(size, size)), 18, mode="wrap")
        layers.append(0.05 * np.digitize(fields / fields.std(), (-1, -0.3, 0.4, 1.1)) + 0.02 * smooth / smooth.std())
    return np.stack([0.1 + layers[0], 0.2 + 0.6 * layers[1] - 0.4 * layers[0]]).astype(np.float32)


def write_folder(
    folder: Path,
    values: np.ndarray,
    gsd_m: float,
    offset_m: tuple[float, float] = (0, 0),
    mask: np.ndarray | None = None,
) -> Path:
    """Write a scene folder whose upper left corner is off by (east, north) metres."""
    grid = GeoBox(
        values.shape[1:], Affine(gsd_m, 0, ORIGIN[0] + offset_m[0], 0, -gsd_m, ORIGIN[1] + offset_m[1]), "EPSG:32650"
    )
    write_scene(folder / "reflectance.tif", Scene(values, grid, BANDS, {"sensor": "test"}))
    write_mask(folder / "mask.tif", np.full(values.shape[1:], Mask.CLEAR) if mask is None else mask, grid)
    return folder


def to_lr(hr: np.ndarray) -> np.ndarray:
    """Return what the LR sensor sees of an HR image: a Gaussian MTF of 0.25 at Nyquist, sampled at LR centres."""
    step = int(LR_M / HR_M)
    sigma = np.sqrt(-2 * np.log(0.25)) / np.pi * step
    blurred = ndimage.gaussian_filter(hr, (0, sigma, sigma), mode="nearest")
    return blurred[:, step // 2 :: step, step // 2 :: step]


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


@pytest.fixture
def real_data() -> Path:
    """Return the folder of real imagery; skip when it is not set."""
    root = os.environ.get("CROSSRES_REAL_DATA")
    if not root:
        pytest.skip("CROSSRES_REAL_DATA is not set: no real imagery to test on")
    return Path(root)
