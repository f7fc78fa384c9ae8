"""The plates of one scene: crops side by side, the whole scene, and where hallucination is."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from crossres.drawing import INK, MUTED, save
from crossres.evaluate.metrics.aligned_pair import AlignedPair
from crossres.evaluate.pictures.stretch import DOUBT_MAP, Stretch
from crossres.operators import nearest


@dataclass(frozen=True)
class Overview:
    """The whole scene with every `step`-th pixel; (band, row, column) reflectance."""

    step: int
    hr: np.ndarray
    mean: np.ndarray
    share: np.ndarray
    """(row, column) share of hallucination in the neighbourhood of each pixel."""


def lr_on_fine(pair: AlignedPair, rows: slice, cols: slice) -> np.ndarray:
    """Return some rows and columns of LR's pixels on the HR grid, (band, row, column)."""
    at = [nearest(n, pair.factor, 0, fine) for n, fine in zip(pair.lr.shape[1:], pair.clear.shape, strict=True)]
    return pair.lr[:, at[0][rows][:, None], at[1][cols]]


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
                scale_bar(ax, image.shape[1], gsd_m)
    left = (columns * (side + gap) + 0.05) / width
    ax = figure.add_axes((left, 1 - (head + side) / height, 0.09 / width, side / height))
    _doubt_bar(figure, ax, stretch, "drawn" if "drawn" in labels else "std")
    save(figure, path)


def save_overview(path: Path, labels: Mapping[str, str], pair: AlignedPair, seen: Overview, stretch: Stretch) -> None:
    """Draw the whole scene: LR, SR and HR side by side."""
    rows, cols = pair.clear.shape
    every = slice(None, None, seen.step)
    images = {
        "lr": stretch.colour(lr_on_fine(pair, every, every)),
        "mean": stretch.colour(seen.mean),
        "hr": stretch.colour(seen.hr),
    }
    figure = Figure(figsize=(10, 10 / 3 * rows / cols + 0.4), layout="constrained")
    axes = figure.subplots(1, 3)
    for ax, (name, image) in zip(axes, images.items()):
        _show(ax, image)
        ax.set_title(labels[name], fontsize=9, color=INK, pad=5)
    scale_bar(axes[0], len(images["lr"][0]), pair.hr_gsd_m * seen.step)
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
    scale_bar(ax, grey.shape[1], pair.hr_gsd_m * seen.step)
    save(figure, path)


def _show(ax: Axes, image: np.ndarray) -> None:
    ax.imshow(image, interpolation="nearest")
    ax.set_axis_off()


def scale_bar(ax: Axes, width_px: int, gsd_m: float) -> None:
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


def _doubt_bar(figure: Figure, ax: Axes, stretch: Stretch, name: str) -> None:
    bar = figure.colorbar(ScalarMappable(Normalize(0, stretch.doubt_high), DOUBT_MAP), cax=ax)
    bar.set_label(f"{name}, reflectance", fontsize=8, color=MUTED)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=7.5, colors=MUTED)
