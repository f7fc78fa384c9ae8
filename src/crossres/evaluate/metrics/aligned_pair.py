"""What a scene is judged against, and what is judged: LR, HR, the arms, and the pixels that count.

HR and what lies on its grid is lazy, in blocks of whole blocks of its file; what lies on LR's grid, and masks, are not.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import dask
import dask.array as da
import numpy as np
from odc.geo.geobox import GeoBox

from crossres.errors import UserError
from crossres.evaluate.metrics.ensemble import Ensemble, read_ensemble
from crossres.evaluate.metrics.percentile import added
from crossres.evaluate.metrics.pixels import chosen
from crossres.files import remedy
from crossres.imagery.lazy import CHUNK_PX, lazy_raster
from crossres.imagery.neighbourhood import Near, chunks_of, per_neighbourhood
from crossres.imagery.numbers import PARTS, SUPPORT, Mask, to_dn
from crossres.imagery.raster import grid_of, open_raster, read_mask
from crossres.imagery.scene import open_scene
from crossres.operators import on_fine

LEAST_CHUNK_PX = 128
"""How far a block may look into its neighbours, each of which must be as large."""


@dataclass(frozen=True)
class Arm:
    """What one arm made of the LR scene; all on the HR grid."""

    mean: da.Array
    """(band, row, column) reflectance."""
    sample: da.Array
    std: da.Array
    """(band, row, column) whole numbers."""
    std_values: np.ndarray
    """Standard deviation of HR about the mean, in reflectance, that each of these numbers stands for."""
    ensemble: Ensemble
    single: bool
    """Whether the sample is the mean."""
    support: da.Array | None = None
    """(part, row, column) amplitudes of detail in reflectance, by `SUPPORT`; None where that is not known."""

    @property
    def one(self) -> da.Array:
        """One sample; of a single image the mean, so that it is read once."""
        return self.mean if self.single else self.sample


@dataclass(frozen=True)
class AlignedPair:
    """An aligned pair, its arms and its clear pixels."""

    lr: np.ndarray
    """(band, row, column) reflectance on the LR grid."""
    hr: da.Array
    """(band, row, column) reflectance on the HR grid, which has the same corners."""
    arms: dict[str, Arm]
    bands: tuple[str, ...]
    grid: GeoBox
    """The HR grid."""
    mask: np.ndarray
    """`Mask` codes on the LR grid."""
    clear_lr: np.ndarray
    clear: np.ndarray
    """HR pixels that count: clear by the mask, away from the border, and finite in LR, HR and every arm."""
    changed: np.ndarray
    """HR pixels whose land cover changed between the dates, with data in HR."""
    means: np.ndarray
    """(band,) mean of HR's clear pixels."""
    stds: np.ndarray
    """(band,) standard deviation of HR's clear pixels."""
    hr_counts: np.ndarray
    """(band, n) how many clear pixels of HR have each number, as `imagery.numbers` keeps reflectance."""
    lr_gsd_m: float
    hr_gsd_m: float
    lr_sensor: str | None
    dates: dict[str, str | None]

    @property
    def factor(self) -> Fraction:
        """LR pixel size over HR pixel size."""
        return Fraction(self.hr.shape[1], self.lr.shape[1])

    def mask_shares(self) -> dict[str, float]:
        """Return the share of LR pixels with each mask code, by name."""
        return {code.name.lower(): float(np.mean(self.mask == code)) for code in Mask}


def read_pair(
    aligned: Path,
    bands: tuple[str, ...],
    arms: dict[str, Path],
    border_px: int,
    mask_path: Path | None = None,
    chunk_px: int = CHUNK_PX,
) -> AlignedPair:
    """Open an aligned pair; every arm is judged on the same pixels. Its own mask counts unless another is named.

    Images on the HR grid are in chunks of `chunk_px` pixels, a multiple of 16 of at least `LEAST_CHUNK_PX`. Raises
    `UserError` when a file is missing, an arm is on another grid, or nothing is clear.
    """
    lr, hr = (open_scene(aligned / f"{name}.tif", bands) for name in ("lr", "hr"))
    low = lr.reflectance.values
    mask_path = mask_path or aligned / "mask.tif"
    mask = read_mask(mask_path)
    if mask.shape != low.shape[1:]:
        raise UserError(f"{mask_path}: is not on the grid of lr.tif; {remedy(mask_path, 'name that of this pair')}")
    clear_lr = (mask == Mask.CLEAR) & np.isfinite(low).all(axis=0)
    rows, cols = (chunks_of(n, chunk_px, LEAST_CHUNK_PX) for n in hr.reflectance.shape[1:])
    pixels = open_scene(aligned / "hr.tif", bands, chunk_px=chunk_px).reflectance.data.rechunk((-1, rows, cols))
    opened = {arm: _open_arm(folder, bands, pixels, chunk_px) for arm, folder in arms.items()}
    factor = Fraction(pixels.shape[1], low.shape[1])
    clear, changed = on_fine(clear_lr, factor), on_fine(mask == Mask.CHANGED, factor)
    frame = np.zeros_like(clear)
    frame[border_px : frame.shape[0] - border_px, border_px : frame.shape[1] - border_px] = True
    images = [image for arm in opened.values() for image in (arm.mean, arm.sample, arm.std)]
    images += [arm.support for arm in opened.values() if arm.support is not None]
    survey = partial(_survey, std_values=[arm.std_values for arm in opened.values()])
    seen = dask.compute(per_neighbourhood(survey, 0, pixels, clear & frame, changed, *images, with_place=True))[0]
    for block in seen:
        clear[block.place], changed[block.place] = block.clear, block.changed
    if not (count := int(clear.sum())):
        raise UserError(f"{aligned}: no pixel is clear in LR, HR and every arm; leave this pair out of the test split")
    means, squares = np.sum([block.sums for block in seen], axis=0) / count
    single = np.all([block.same for block in seen], axis=0)
    return AlignedPair(
        lr=low, hr=pixels, arms={name: replace(opened[name], single=bool(one)) for name, one in zip(opened, single)},
        bands=bands, grid=hr.odc.geobox, mask=mask, clear_lr=clear_lr, clear=clear, changed=changed, means=means,
        stds=np.sqrt(np.maximum(squares - means**2, 0)), hr_counts=added([block.counts for block in seen]),
        lr_gsd_m=_gsd_m(lr.odc.geobox), hr_gsd_m=_gsd_m(hr.odc.geobox), lr_sensor=lr.attrs.get("sensor"),
        dates={"lr": lr.attrs.get("datetime"), "hr": hr.attrs.get("datetime")},
    )  # fmt: skip


@dataclass(frozen=True)
class _Survey:
    """What a block is, before it is judged."""

    place: tuple[slice, slice]
    clear: np.ndarray
    changed: np.ndarray
    same: list[bool]
    """Whether each arm's sample is its mean."""
    sums: np.ndarray
    """(2, band) sums of HR's clear pixels and of their squares."""
    counts: np.ndarray
    """(band, n) how many clear pixels of HR have each number."""


def _survey(
    near: Near, hr: np.ndarray, clear: np.ndarray, changed: np.ndarray, *images: np.ndarray,
    std_values: list[np.ndarray],
) -> _Survey:  # fmt: skip
    there = np.isfinite(hr).all(axis=0)
    clear = clear & there
    same = []
    arms, supports = images[: 3 * len(std_values)], images[3 * len(std_values) :]
    for mean, sample, std, values in zip(arms[::3], arms[1::3], arms[2::3], std_values, strict=True):
        clear &= np.isfinite(mean).all(axis=0)
        same.append(np.array_equal(mean, sample, equal_nan=True))
        if not same[-1]:
            clear &= np.isfinite(sample).all(axis=0)
        without = np.flatnonzero(~np.isfinite(values))
        if without.size:
            clear &= (std != without[0]).all(axis=0)
    for support in supports:
        clear &= np.isfinite(support).all(axis=0)
    pixels = chosen(hr, clear)
    sums = np.array([pixels.sum(axis=1, dtype=np.float64), np.square(pixels, dtype=np.float64).sum(axis=1)])
    numbers = to_dn(pixels)
    longest = int(numbers.max(initial=0)) + 1
    counts = np.stack([np.bincount(band, minlength=longest) for band in numbers])
    return _Survey(near.own, clear, changed & there, same, sums, counts)


def _open_arm(folder: Path, bands: tuple[str, ...], hr: da.Array, chunk_px: int) -> Arm:
    paths = {name: folder / f"{name}.tif" for name in PARTS}
    if (said := folder / "support.tif").exists():
        paths["support"] = said
    for path in paths.values():
        if (shape := grid_of(path).shape) != hr.shape[1:]:
            raise UserError(
                f"{path}: {tuple(shape)} pixels, but hr.tif has {hr.shape[1:]}; {remedy(path, 'make it again')}"
            )
    mean, sample = (
        open_scene(paths[name], bands, chunk_px=chunk_px).reflectance.data.rechunk(hr.chunks)
        for name in ("mean", "sample")
    )
    std, ensemble = lazy_raster(paths["std"], chunk_px=chunk_px), read_ensemble(folder)
    with open_raster(paths["std"]) as src:
        values = ((np.arange(65536) * src.scales[0] + src.offsets[0]) * ensemble.file_scale).astype(np.float32)
        if src.nodata is not None:
            values[int(src.nodata)] = np.nan
    support = None
    if said.exists():
        support = open_scene(said, SUPPORT, chunk_px=chunk_px).reflectance.data.rechunk((-1, *hr.chunks[1:]))
    return Arm(mean, sample, std.rechunk((-1, *hr.chunks[1:])), values, ensemble, single=False, support=support)


def _gsd_m(grid: GeoBox) -> float:
    return float(abs(grid.resolution.x))
