"""A small world in memory: fields, roads and roofs as an HR sensor sees them, and through a blurred LR sensor."""

import json
from fractions import Fraction
from pathlib import Path

import geopandas as gpd
import numpy as np
import zarr
from scipy.ndimage import gaussian_filter, uniform_filter
from shapely.geometry import box

from crossres.imagery.lr_dates import LrDate, date_numbers
from crossres.operators import through_mtf

BANDS = ("blue", "green", "red", "nir")
SPECTRA = np.array(
    [[.06, .09, .06, .45], [.10, .13, .16, .24], [.05, .06, .04, .03], [.22, .22, .23, .26],
     [.12, .12, .13, .15], [.30, .24, .20, .28], [.08, .12, .10, .32], [.35, .36, .38, .40]]
)  # fmt: skip
MIX = np.array([[.92, .06, .02, 0], [.05, .90, .05, 0], [.02, .06, .90, .02], [0, .01, .05, .94]])  # fmt: skip


def landscape(size: int, rng: np.random.Generator) -> np.ndarray:
    """Return (4, size, size) reflectance: fields with texture and rows, roads, roofs with shadows."""
    rows, cols = np.mgrid[:size, :size].astype(np.float32)
    seeds = rng.uniform(0, size, (max(6, size * size // 1600), 2))
    nearest = ((rows[..., None] - seeds[:, 0]) ** 2 + (cols[..., None] - seeds[:, 1]) ** 2).argmin(-1)
    kind = rng.integers(0, 7, len(seeds))[nearest]
    image = SPECTRA[kind]
    angle = rng.uniform(0, np.pi)
    furrows = np.sin((rows * np.sin(angle) + cols * np.cos(angle)) * 2 * np.pi / rng.uniform(5, 9))
    texture = uniform_filter(rng.normal(size=(size, size)), 3) * 3
    image = image * (1 + 0.1 * texture + 0.1 * furrows * (kind == 6))[..., None]
    for _ in range(max(1, size // 64)):
        a, c, width = rng.uniform(0, np.pi), rng.uniform(0, size), rng.uniform(1.5, 4)
        image[np.abs(rows * np.sin(a) + cols * np.cos(a) - c) < width] = SPECTRA[4] * rng.uniform(0.8, 1.2)
    for _ in range(size * size // 550):
        y, x = rng.integers(2, size - 20, 2)
        h, w = rng.integers(5, 18, 2)
        image[y + 2 : y + h + 3, x + 2 : x + w + 3] *= 0.45
        image[y : y + h, x : x + w] = SPECTRA[rng.choice([3, 5, 7])] * rng.uniform(0.7, 1.2)
    return np.clip(image, 0, 0.6).transpose(2, 0, 1).astype(np.float32)


def seen_by_lr(hr: np.ndarray, factor: Fraction, rng: np.random.Generator) -> np.ndarray:
    """Return HR reflectance through LR optics (MTF .25 at Nyquist), mixed bands, gains and noise."""
    h, w = (int(n / factor) for n in hr.shape[-2:])
    a, b = (through_mtf(n, factor, 0, side, 0.25).dense() for n, side in zip((h, w), hr.shape[-2:], strict=True))
    lr = np.einsum("ij,jhw->ihw", MIX, a @ gaussian_filter(hr, (0, 0.3, 0.3)) @ b.T)
    return (lr * rng.uniform(0.97, 1.03) + 0.002 * rng.normal(size=lr.shape)).astype(np.float32)


def further_date(hr: np.ndarray, factor: Fraction, rng: np.random.Generator) -> np.ndarray:
    """Return a further date as `lr_dates.date_numbers` does: off by whole HR pixels, some of it without data."""
    most = int(factor / 2)
    down, right = (int(n) for n in rng.integers(-most, most + 1, 2))
    values = seen_by_lr(np.roll(hr, (-down, -right), (1, 2)), factor, rng)
    offsets = np.broadcast_to(np.float32([[[down]], [[right]]]) / float(factor), (2, *values.shape[1:]))
    values[:, rng.random(values.shape[1:]) < 0.1] = np.nan
    return date_numbers(LrDate(values, offsets))


def write_dataset(
    folder: Path, factor: Fraction, lr_px: int, train: int, val: int, seed: int = 0, lr_dates: int = 1
) -> tuple[Path, Path, Path]:
    """Write a patch dataset of `train` + `val` patches; return the paths of dataset, index and summary."""
    rng = np.random.default_rng(seed)
    count, side = train + val, int(lr_px * factor)
    hr = np.stack([landscape(side, rng) for _ in range(count)])
    lr = np.stack([seen_by_lr(image, factor, rng) for image in hr])
    group = zarr.open_group(folder / "dataset.zarr", mode="w")
    further = [np.stack([further_date(image, factor, rng) for image in hr]) for _ in range(1, lr_dates)]
    for name, values in (("lr", lr), ("hr", hr)):
        dn = np.clip(np.rint((values + 0.1) * 1e4), 1, 65535).astype(np.uint16)
        dn = np.concatenate([dn, *further], 1) if name == "lr" else dn
        group.create_array(name, shape=dn.shape, dtype=dn.dtype, chunks=(1, *dn.shape[1:]))[:] = dn
    mask = np.zeros((count, lr_px, lr_px), np.uint8)
    group.create_array("mask", shape=mask.shape, dtype=mask.dtype, chunks=(1, lr_px, lr_px))[:] = mask
    split = ["train"] * train + ["val"] * val
    table = gpd.GeoDataFrame({"patch": range(count), "split": split}, geometry=[box(0, 0, 1, 1)] * count, crs=4326)
    table.to_parquet(folder / "index.parquet")
    seen = hr[:train].astype(np.float64)
    summary = {
        "bands": BANDS, "factor": f"{factor.numerator}/{factor.denominator}",
        "lr_gsd_m": 10.0, "hr_gsd_m": float(10 / factor),
        "statistics": {"hr_mean": seen.mean((0, 2, 3)).tolist(), "hr_std": seen.std((0, 2, 3)).tolist()},
    }  # fmt: skip
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder / "dataset.zarr", folder / "index.parquet", folder / "summary.json"
