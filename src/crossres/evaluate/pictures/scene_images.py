"""The pictures of one scene: which places are shown, and their layers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import dask
import dask.array as da
import numpy as np
from PIL import Image
from scipy.ndimage import uniform_filter

from crossres.evaluate.metrics.aligned_pair import AlignedPair, Arm
from crossres.evaluate.metrics.percentile import added
from crossres.evaluate.metrics.pixels import chosen
from crossres.evaluate.metrics.triplet import hallucination_map
from crossres.evaluate.pictures.crop_choice import (
    choose_places,
    detail_parts,
    gain_parts,
    rank_places,
    windows_apart,
    windows_of,
)
from crossres.evaluate.pictures.plates import Overview, lr_on_fine, save_crops, save_hallucination, save_overview
from crossres.evaluate.pictures.stretch import Stretch, stretch_from
from crossres.evaluate.results.arm_names import arm_label
from crossres.evaluate.results.scene_result import Pictures, Place, RankedPlace
from crossres.imagery.neighbourhood import Near, per_neighbourhood, whole
from crossres.imagery.numbers import SCALE, STD_DN, SUPPORT, Mask
from crossres.settings.evaluate import EvaluateSettings

OVERVIEW_PX = 800
DoubtName = Literal["drawn", "std"]


@dataclass(frozen=True)
class Pictured:
    """The arm that is shown, and what it is compared with; all on the HR grid."""

    name: str
    arm: Arm
    lr_up: da.Array
    """LR by bicubic."""
    hr: da.Array
    """HR, 0 where it does not count."""
    threshold: float
    """Of the triplet."""


@dataclass(frozen=True)
class Doubt:
    """Where a sample may be wrong, which is shown beside it: what is drawn or, where that is not known, std."""

    name: DoubtName
    numbers: da.Array
    """(band, row, column) whole numbers."""
    values: np.ndarray
    """The reflectance that each stands for."""


def save_pictures(
    settings: EvaluateSettings,
    pair: AlignedPair,
    pictured: Pictured,
    external: dict[str, da.Array],
    hr_on_lr: np.ndarray,
    folder: Path,
) -> Pictures:
    """Write all pictures of a scene; return the windows they show and what the layers are called.

    `external` holds the images of external arms, (band, row, column) reflectance, each a layer of its own; `hr_on_lr`
    is HR brought to the LR grid.
    """
    arm, up, doubt = pictured.arm, pictured.lr_up, _doubt(pictured.arm)
    step = max(1, -(-max(pair.clear.shape) // OVERVIEW_PX))
    many, one = (windows_of(pair.clear, side) for side in (settings.crop_px, settings.view_px))
    apart = windows_apart(pair.clear, settings.crop_px)
    width = max(3, round(2 * float(pair.factor)))
    share = partial(_shares, threshold=pictured.threshold, width=width, step=step)
    detail, first, gains, doubt_counts, hr, mean, shares = dask.compute(
        detail_parts(pair.hr, up, many), detail_parts(pair.hr, up, one),
        gain_parts(pictured.hr, up, arm.mean, pair.clear, apart),
        per_neighbourhood(_sums, 0, doubt.numbers, pair.clear),
        whole(pair.hr[:, ::step, ::step]), whole(arm.mean[:, ::step, ::step]),
        per_neighbourhood(share, width, arm.sample, pictured.hr, up, pair.clear, with_place=True),
    )  # fmt: skip
    stretch = stretch_from(pair.hr_counts, added(doubt_counts), doubt.values, pair.bands, len(doubt.numbers))
    labels = layer_labels(pair, doubt.name) | {name: arm_label(name) for name in external}
    crops, view = choose_places(detail, many, settings.crops), choose_places(first, one, 1)[0]
    ranked = rank_places(gains, apart)
    shown = dict.fromkeys([*crops, view, *(place for place, _ in ranked.values())])
    cut = dask.compute({
        place: {name: place.of(image) for name, image in _shown(pair, pictured, doubt, external).items()}
        for place in shown
    })[0]  # fmt: skip
    images = {
        place: layers(pair, found | {doubt.name: doubt.values[found[doubt.name]]}, stretch, place)
        for place, found in cut.items()
    }
    overview = Overview(step, hr, mean, _put_together(shares, pair.clear.shape, step))
    save_crops(folder / "crops.png", [images[p] for p in crops], labels, pair.hr_gsd_m, stretch)
    save_overview(folder / "overview.png", labels, pair, overview, stretch)
    save_hallucination(folder / "hallucination.png", pair, overview, stretch)
    save_layers(folder / "view", images[view])
    for i, place in enumerate(crops):
        save_layers(folder / "crops" / str(i), images[place])
    for name, (place, _) in ranked.items():
        save_layers(folder / "places" / name, images[place])
    return Pictures(
        labels=labels, doubt_high=stretch.doubt_high, view=view, crops=tuple(crops),
        places={
            name: RankedPlace(place.row, place.col, place.side, gain, *_disagreement(pair, hr_on_lr, place))
            for name, (place, gain) in ranked.items()
        },
    )  # fmt: skip


def _doubt(arm: Arm) -> Doubt:
    if arm.support is None:
        return Doubt("std", arm.std, arm.std_values)
    drawn = da.map_blocks(STD_DN.numbers, arm.support[SUPPORT.index("drawn") :], dtype=np.uint16)
    return Doubt("drawn", drawn, (np.arange(65536) * SCALE).astype(np.float32))


def _shown(
    pair: AlignedPair, pictured: Pictured, doubt: Doubt, external: dict[str, da.Array]
) -> dict[str, da.Array]:  # fmt: skip
    arm = pictured.arm
    images = dict(bicubic=pictured.lr_up, mean=arm.mean, sample=arm.sample, hr=pair.hr)
    return images | {doubt.name: doubt.numbers} | external


def _sums(numbers: np.ndarray, clear: np.ndarray) -> np.ndarray:
    """Return how many clear pixels have each sum over bands of whole numbers."""
    return np.bincount(chosen(numbers, clear).sum(axis=0, dtype=np.int64))


def _shares(
    near: Near, sr: np.ndarray, hr: np.ndarray, lr_up: np.ndarray, clear: np.ndarray, threshold: float, width: int,
    step: int,
) -> tuple[int, int, np.ndarray]:  # fmt: skip
    """Return hallucination averaged over `width` pixels at every `step`-th pixel of a block, and where these begin."""
    found = hallucination_map(sr, hr, lr_up, clear, threshold)
    share = uniform_filter(np.where(np.isfinite(found), found, 0).astype(np.float32), width)[near.inner]
    top, left = (-(-own.start // step) for own in near.own)
    rows, cols = near.own
    return top, left, share[top * step - rows.start :: step, left * step - cols.start :: step]


def _put_together(parts: Sequence[tuple[int, int, np.ndarray]], shape: tuple[int, ...], step: int) -> np.ndarray:
    share = np.zeros([-(-n // step) for n in shape], np.float32)
    for top, left, part in parts:
        share[top : top + part.shape[0], left : left + part.shape[1]] = part
    return share


def _disagreement(pair: AlignedPair, hr_on_lr: np.ndarray, place: Place) -> tuple[float, float]:
    """Return the share of a place that changed between the dates, and LR's RMSE to HR, on LR's grid, over the rest."""
    top, left, bottom, right = (
        round(n / pair.factor) for n in (place.row, place.col, place.row + place.side, place.col + place.side)
    )
    window = slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))
    difference = (hr_on_lr - pair.lr)[:, *window]
    counted = pair.clear_lr[window] & np.isfinite(difference).all(axis=0)
    squares = np.square(difference[:, counted], dtype=np.float64)
    changed = pair.mask[window] == Mask.CHANGED
    return float(changed.mean()), float(np.sqrt(squares.mean())) if squares.size else np.nan


def layers(pair: AlignedPair, cut: dict[str, np.ndarray], stretch: Stretch, place: Place) -> dict[str, np.ndarray]:
    """Return a window of the images to compare, (row, column, 3) uint8, all on the HR grid and at the same stretch.

    `cut` holds it of what is lazy, (band, row, column) reflectance.
    """
    rows, cols = (slice(start, start + place.side) for start in (place.row, place.col))
    return {
        "lr": stretch.colour(lr_on_fine(pair, rows, cols)),
        **{name: stretch.doubt(i) if name in get_args(DoubtName) else stretch.colour(i) for name, i in cut.items()},
    }


def save_layers(folder: Path, images: Mapping[str, np.ndarray]) -> None:
    """Write each layer of a place at native pixels as `<layer>.png`."""
    folder.mkdir(parents=True)
    for name, image in images.items():
        Image.fromarray(image).save(folder / f"{name}.png", optimize=True)


def layer_labels(pair: AlignedPair, doubt: DoubtName) -> dict[str, str]:
    """Return what each layer is called, that of doubt last."""
    return {
        "lr": f"LR, {pair.lr_gsd_m:g} m",
        "bicubic": "bicubic",
        "mean": "SR, mean",
        "sample": "SR, one sample",
        "hr": f"HR, {pair.hr_gsd_m:g} m",
        doubt: {"drawn": "drawn", "std": "std of samples"}[doubt],
    }
