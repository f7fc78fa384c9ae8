"""The pictures of one scene: crops side by side, the whole scene, where hallucination is, and the viewer's layers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from PIL import Image
from scipy.ndimage import uniform_filter

from crossres.evaluate.pair import AlignedPair
from crossres.evaluate.places import Place
from crossres.evaluate.resampling import nearest
from crossres.evaluate.stretch import STD_MAP, Stretch
from crossres.evaluate.theme import INK, MUTED, save

OVERVIEW_PX = 800
LAYERS = ("lr", "bicubic", "mean", "sample", "hr", "std")
"""What is compared, in the order in which it is shown."""


@dataclass(frozen=True)
class Pictured:
    """The arm that is shown, beside what it is compared with; all on the HR grid."""

    arm: str
    lr_up: np.ndarray
    mean: np.ndarray
    sample: np.ndarray
    std: np.ndarray
    hallucination: np.ndarray
    """(row, column), of the sample."""


def layers(pair: AlignedPair, pictured: Pictured, stretch: Stretch) -> dict[str, np.ndarray]:
    """Return the images to compare, (row, column, 3) uint8, all on the HR grid and at the same stretch."""
    shape = pair.hr.shape[1], pair.hr.shape[2]
    return {
        "lr": stretch.colour(nearest(pair.lr, shape)),
        "bicubic": stretch.colour(pictured.lr_up),
        "mean": stretch.colour(pictured.mean),
        "sample": stretch.colour(pictured.sample),
        "hr": stretch.colour(pair.hr),
        "std": stretch.spread(pictured.std),
    }


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
    path: Path, images: Mapping[str, np.ndarray], labels: Mapping[str, str], places: list[Place], pair: AlignedPair,
    stretch: Stretch,
) -> None:  # fmt: skip
    """Draw a row per place and a column per layer."""
    side, gap, head, bar = 1.7, 0.05, 0.3, 0.75
    width = len(images) * (side + gap) + bar
    height = len(places) * (side + gap) + head
    figure = Figure(figsize=(width, height))
    for i, place in enumerate(places):
        bottom = 1 - (head + i * (side + gap) + side) / height
        for j, (name, image) in enumerate(images.items()):
            ax = figure.add_axes((j * (side + gap) / width, bottom, side / width, side / height))
            _show(ax, np.moveaxis(place.of(np.moveaxis(image, 2, 0)), 0, 2))
            if i == 0:
                ax.set_title(labels[name], fontsize=8.5, color=INK, pad=5)
            if j == 0:
                _scale_bar(ax, place.side, pair.hr_gsd_m)
    left = (len(images) * (side + gap) + 0.05) / width
    _std_bar(figure, figure.add_axes((left, 1 - (head + side) / height, 0.09 / width, side / height)), stretch)
    save(figure, path)


def save_overview(path: Path, images: Mapping[str, np.ndarray], labels: Mapping[str, str], pair: AlignedPair) -> None:
    """Draw the whole scene: LR, SR and HR side by side."""
    rows, cols = pair.clear.shape
    step = max(1, -(-max(rows, cols) // OVERVIEW_PX))
    figure = Figure(figsize=(10, 10 / 3 * rows / cols + 0.4), layout="constrained")
    axes = figure.subplots(1, 3)
    for ax, name in zip(axes, ("lr", "mean", "hr")):
        _show(ax, images[name][::step, ::step])
        ax.set_title(labels[name], fontsize=9, color=INK, pad=5)
    _scale_bar(axes[0], len(images["lr"][0, ::step]), pair.hr_gsd_m * step)
    save(figure, path)


def save_hallucination(path: Path, pair: AlignedPair, pictured: Pictured, stretch: Stretch) -> None:
    """Draw over a pale HR where SR's detail is in neither LR nor HR: shares averaged over two LR pixels."""
    rows, cols = pair.clear.shape
    step = max(1, -(-max(rows, cols) // OVERVIEW_PX))
    grey = stretch.colour(pair.hr).mean(axis=2)[::step, ::step]
    figure = Figure(figsize=(6.6, 5.7 * rows / cols + 0.4), layout="constrained")
    ax = figure.subplots()
    _show(ax, np.repeat((175 + 80 * grey / 255).astype(np.uint8)[..., None], 3, axis=2))
    width = max(3, round(2 * pair.factor))
    counted = np.isfinite(pictured.hallucination) & pair.clear
    share = uniform_filter(np.where(counted, pictured.hallucination, 0).astype(np.float32), width)[::step, ::step]
    alpha = np.where(pair.clear[::step, ::step], np.clip(1.6 * share, 0, 0.85), 0)
    shown = ax.imshow(np.clip(share, 0, 1), cmap="YlOrRd", vmin=0, vmax=1, alpha=alpha, interpolation="nearest")
    bar = figure.colorbar(shown, ax=ax, shrink=0.5, aspect=30, pad=0.02)
    bar.set_label("hallucination, share of the neighbourhood", fontsize=8.5, color=MUTED)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, colors=MUTED)
    _scale_bar(ax, grey.shape[1], pair.hr_gsd_m * step)
    save(figure, path)


def save_layers(folder: Path, images: Mapping[str, np.ndarray], place: Place) -> dict[str, Any]:
    """Write each layer's window at native pixels as `<layer>.png`; return where it is."""
    folder.mkdir(parents=True)
    for name, image in images.items():
        window = np.ascontiguousarray(np.moveaxis(place.of(np.moveaxis(image, 2, 0)), 0, 2))
        Image.fromarray(window).save(folder / f"{name}.png", optimize=True)
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
