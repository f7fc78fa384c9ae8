"""The pictures of one scene: crops side by side, the whole scene, where hallucination is, and the viewer's layers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from PIL import Image
from scipy.ndimage import uniform_filter

from crossres.drawing import INK, MUTED, arm_label, save
from crossres.evaluate.metrics.aligned_pair import AlignedPair, Arm
from crossres.evaluate.metrics.percentile import added
from crossres.evaluate.metrics.pixels import chosen
from crossres.evaluate.metrics.triplet import hallucination_map
from crossres.evaluate.pictures.crop_choice import (
    Place,
    choose_places,
    detail_parts,
    gain_parts,
    rank_places,
    windows_apart,
    windows_of,
)
from crossres.evaluate.pictures.stretch import STD_MAP, Stretch, stretch_from
from crossres.imagery.neighbourhood import Near, per_neighbourhood, whole
from crossres.imagery.numbers import Mask
from crossres.operators import nearest
from crossres.settings.evaluate import EvaluateSettings

OVERVIEW_PX = 800


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
class Overview:
    """The whole scene with every `step`-th pixel; (band, row, column) reflectance."""

    step: int
    hr: np.ndarray
    mean: np.ndarray
    share: np.ndarray
    """(row, column) share of hallucination in the neighbourhood of each pixel."""


def save_pictures(
    settings: EvaluateSettings,
    pair: AlignedPair,
    pictured: Pictured,
    external: dict[str, da.Array],
    hr_on_lr: np.ndarray,
    folder: Path,
) -> dict[str, Any]:
    """Write all pictures of a scene; return the windows they show and what the layers are called.

    `external` holds the images of external arms, (band, row, column) reflectance, each a layer of its own; `hr_on_lr`
    is HR brought to the LR grid.
    """
    arm, up = pictured.arm, pictured.lr_up
    step = max(1, -(-max(pair.clear.shape) // OVERVIEW_PX))
    many, one = (windows_of(pair.clear, side) for side in (settings.crop_px, settings.view_px))
    apart = windows_apart(pair.clear, settings.crop_px)
    width = max(3, round(2 * float(pair.factor)))
    share = partial(_shares, threshold=pictured.threshold, width=width, step=step)
    detail, first, gains, std_counts, hr, mean, shares = dask.compute(
        detail_parts(pair.hr, up, many), detail_parts(pair.hr, up, one),
        gain_parts(pictured.hr, up, arm.mean, pair.clear, apart), per_neighbourhood(_std_sums, 0, arm.std, pair.clear),
        whole(pair.hr[:, ::step, ::step]), whole(arm.mean[:, ::step, ::step]),
        per_neighbourhood(share, width, arm.sample, pictured.hr, up, pair.clear, with_place=True),
    )  # fmt: skip
    stretch = stretch_from(pair.hr_counts, added(std_counts), arm.std_values, pair.bands)
    labels = layer_labels(pair) | {name: arm_label(name) for name in external}
    crops, view = choose_places(detail, many, settings.crops), choose_places(first, one, 1)[0]
    ranked = rank_places(gains, apart)
    shown = dict.fromkeys([*crops, view, *(place for place, _ in ranked.values())])
    cut = dask.compute({
        place: {name: place.of(image) for name, image in _shown(pair, pictured, external).items()} for place in shown
    })[0]  # fmt: skip
    images = {
        place: layers(pair, found | {"std": arm.std_values[found["std"]]}, stretch, place)
        for place, found in cut.items()
    }
    overview = Overview(step, hr, mean, _put_together(shares, pair.clear.shape, step))
    save_crops(folder / "crops.png", [images[p] for p in crops], labels, pair.hr_gsd_m, stretch)
    save_overview(folder / "overview.png", labels, pair, overview, stretch)
    save_hallucination(folder / "hallucination.png", pair, overview, stretch)
    return dict(
        labels=labels, std_high=stretch.std_high, view=save_layers(folder / "view", images[view], view),
        crops=[save_layers(folder / "crops" / str(i), images[place], place) for i, place in enumerate(crops)],
        places={
            name: save_layers(folder / "places" / name, images[place], place)
            | {"gain_db": gain, **_disagreement(pair, hr_on_lr, place)}
            for name, (place, gain) in ranked.items()
        },
    )  # fmt: skip


def _shown(pair: AlignedPair, pictured: Pictured, external: dict[str, da.Array]) -> dict[str, da.Array]:
    arm = pictured.arm
    return dict(bicubic=pictured.lr_up, mean=arm.mean, sample=arm.sample, hr=pair.hr, std=arm.std) | external


def _std_sums(std: np.ndarray, clear: np.ndarray) -> np.ndarray:
    """Return how many clear pixels have each sum over bands of std's numbers."""
    return np.bincount(chosen(std, clear).sum(axis=0, dtype=np.int64))


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


def _disagreement(pair: AlignedPair, hr_on_lr: np.ndarray, place: Place) -> dict[str, float | None]:
    """Return the share of a place that changed between the dates, and LR's RMSE to HR, on LR's grid, over the rest."""
    top, left, bottom, right = (
        round(n / pair.factor) for n in (place.row, place.col, place.row + place.side, place.col + place.side)
    )
    window = slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))
    difference = (hr_on_lr - pair.lr)[:, *window]
    counted = pair.clear_lr[window] & np.isfinite(difference).all(axis=0)
    squares = np.square(difference[:, counted], dtype=np.float64)
    changed = pair.mask[window] == Mask.CHANGED
    return {
        "changed": float(changed.mean()),
        "references_rmse": float(np.sqrt(squares.mean())) if squares.size else None,
    }


def layers(pair: AlignedPair, cut: dict[str, np.ndarray], stretch: Stretch, place: Place) -> dict[str, np.ndarray]:
    """Return a window of the images to compare, (row, column, 3) uint8, all on the HR grid and at the same stretch.

    `cut` holds it of what is lazy, (band, row, column) reflectance.
    """
    rows, cols = (slice(start, start + place.side) for start in (place.row, place.col))
    known = ("bicubic", "mean", "sample", "hr")
    return {
        "lr": stretch.colour(_lr_on_fine(pair, rows, cols)),
        **{name: stretch.colour(cut[name]) for name in known},
        "std": stretch.spread(cut["std"]),
        **{name: stretch.colour(image) for name, image in cut.items() if name not in (*known, "std")},
    }


def _lr_on_fine(pair: AlignedPair, rows: slice, cols: slice) -> np.ndarray:
    """Return some rows and columns of LR's pixels on the HR grid, (band, row, column)."""
    at = [nearest(n, pair.factor, 0, fine) for n, fine in zip(pair.lr.shape[1:], pair.clear.shape, strict=True)]
    return pair.lr[:, at[0][rows][:, None], at[1][cols]]


def layer_labels(pair: AlignedPair) -> dict[str, str]:
    """Return what each layer is called."""
    return {
        "lr": f"LR, {pair.lr_gsd_m:g} m",
        "bicubic": "bicubic",
        "mean": "SR, mean",
        "sample": "SR, one sample",
        "hr": f"HR, {pair.hr_gsd_m:g} m",
        "std": "std of samples",
    }


def save_crops(
    path: Path, crops: list[dict[str, np.ndarray]], labels: Mapping[str, str], gsd_m: float, stretch: Stretch
) -> None:
    """Draw a row per place and a column per layer."""
    side, gap, head, bar = 1.7, 0.05, 0.3, 0.75
    columns = len(crops[0])
    width = columns * (side + gap) + bar
    height = len(crops) * (side + gap) + head
    figure = Figure(figsize=(width, height))
    for i, images in enumerate(crops):
        bottom = 1 - (head + i * (side + gap) + side) / height
        for j, (name, image) in enumerate(images.items()):
            ax = figure.add_axes((j * (side + gap) / width, bottom, side / width, side / height))
            _show(ax, image)
            if i == 0:
                ax.set_title(labels[name], fontsize=8.5, color=INK, pad=5)
            if j == 0:
                _scale_bar(ax, image.shape[1], gsd_m)
    left = (columns * (side + gap) + 0.05) / width
    _std_bar(figure, figure.add_axes((left, 1 - (head + side) / height, 0.09 / width, side / height)), stretch)
    save(figure, path)


def save_overview(path: Path, labels: Mapping[str, str], pair: AlignedPair, seen: Overview, stretch: Stretch) -> None:
    """Draw the whole scene: LR, SR and HR side by side."""
    rows, cols = pair.clear.shape
    every = slice(None, None, seen.step)
    images = {
        "lr": stretch.colour(_lr_on_fine(pair, every, every)),
        "mean": stretch.colour(seen.mean),
        "hr": stretch.colour(seen.hr),
    }
    figure = Figure(figsize=(10, 10 / 3 * rows / cols + 0.4), layout="constrained")
    axes = figure.subplots(1, 3)
    for ax, (name, image) in zip(axes, images.items()):
        _show(ax, image)
        ax.set_title(labels[name], fontsize=9, color=INK, pad=5)
    _scale_bar(axes[0], len(images["lr"][0]), pair.hr_gsd_m * seen.step)
    save(figure, path)


def save_hallucination(path: Path, pair: AlignedPair, seen: Overview, stretch: Stretch) -> None:
    """Draw over a pale HR where SR's detail is in neither LR nor HR: shares averaged over two LR pixels."""
    rows, cols = pair.clear.shape
    clear = pair.clear[:: seen.step, :: seen.step]
    grey = stretch.colour(seen.hr).mean(axis=2)
    figure = Figure(figsize=(6.6, 5.7 * rows / cols + 0.4), layout="constrained")
    ax = figure.subplots()
    _show(ax, np.repeat((175 + 80 * grey / 255).astype(np.uint8)[..., None], 3, axis=2))
    alpha = np.where(clear, np.clip(1.6 * seen.share, 0, 0.85), 0)
    shown = ax.imshow(np.clip(seen.share, 0, 1), cmap="YlOrRd", vmin=0, vmax=1, alpha=alpha, interpolation="nearest")
    bar = figure.colorbar(shown, ax=ax, shrink=0.5, aspect=30, pad=0.02)
    bar.set_label("hallucination, share of the neighbourhood", fontsize=8.5, color=MUTED)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, colors=MUTED)
    _scale_bar(ax, grey.shape[1], pair.hr_gsd_m * seen.step)
    save(figure, path)


def save_layers(folder: Path, images: Mapping[str, np.ndarray], place: Place) -> dict[str, Any]:
    """Write each layer of a place at native pixels as `<layer>.png`; return where it is."""
    folder.mkdir(parents=True)
    for name, image in images.items():
        Image.fromarray(image).save(folder / f"{name}.png", optimize=True)
    return {"row": place.row, "col": place.col, "side": place.side}


def _show(ax: Axes, image: np.ndarray) -> None:
    ax.imshow(image, interpolation="nearest")
    ax.set_axis_off()


def _scale_bar(ax: Axes, width_px: int, gsd_m: float) -> None:
    """Draw a bar of a round length, about a third of the image, at the lower left."""
    length_m = max(m for e in range(-1, 6) for d in (1, 2, 5) if (m := d * 10.0**e) <= 0.4 * width_px * gsd_m)
    fraction = length_m / (width_px * gsd_m)
    text = f"{length_m / 1000:g} km" if length_m >= 1000 else f"{length_m:g} m"
    common: dict[str, Any] = dict(transform=ax.transAxes, solid_capstyle="butt")
    ax.plot([0.05, 0.05 + fraction], [0.06, 0.06], color="black", linewidth=4, **common)
    ax.plot([0.05, 0.05 + fraction], [0.06, 0.06], color="white", linewidth=2, **common)
    ax.text(
        0.05, 0.09, text, transform=ax.transAxes, fontsize=7.5, color="white", va="bottom",
        bbox=dict(boxstyle="round,pad=0.15", facecolor="black", alpha=0.45, linewidth=0),
    )  # fmt: skip


def _std_bar(figure: Figure, ax: Axes, stretch: Stretch) -> None:
    bar = figure.colorbar(ScalarMappable(Normalize(0, stretch.std_high), STD_MAP), cax=ax)
    bar.set_label("std, reflectance", fontsize=8, color=MUTED)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=7.5, colors=MUTED)
