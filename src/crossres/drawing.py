"""One quiet look for all figures: colours that colour-blind readers can tell apart, thin axes, no chart junk."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from crossres.files import whole

INK, MUTED, RULE = "#1d2327", "#6b747b", "#d9dee2"
COLOURS = ("#0072b2", "#e69f00", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#7f6f00", "#5b4a9c")
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")
BLUE, ORANGE = COLOURS[0], COLOURS[2]
DPI = 160


def chart(width: float, height: float, rows: int = 1, cols: int = 1) -> tuple[Figure, list[Axes]]:
    """Return a figure of `width` x `height` inches and its axes in reading order."""
    figure = Figure(figsize=(width, height), layout="constrained", dpi=DPI)
    axes = figure.subplots(rows, cols, squeeze=False).ravel().tolist()
    for ax in axes:
        quiet(ax)
    return figure, axes


def quiet(ax: Axes) -> None:
    """Take away what does not carry data."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(RULE)
    ax.tick_params(colors=MUTED, labelsize=8, length=3, color=RULE, which="both")
    ax.xaxis.label.set(color=MUTED, fontsize=8.5)
    ax.yaxis.label.set(color=MUTED, fontsize=8.5)
    ax.grid(True, color=RULE, linewidth=0.5, alpha=0.7)
    ax.set_axisbelow(True)


def title(ax: Axes, text: str) -> None:
    """Put a small title at the left."""
    ax.set_title(text, loc="left", fontsize=9.5, color=INK, pad=8)


def image(ax: Axes) -> None:
    """Take all axes from a panel that shows an image."""
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def caption(figure: Figure, text: str, warns: bool = False) -> None:
    """Say above a figure what it shows; in orange where that is not well."""
    figure.suptitle(text, fontsize=10, x=0.01, ha="left", color=ORANGE if warns else INK)


def save(figure: Figure, path: Path) -> None:
    """Write a PNG whose bytes depend on the content only."""
    with whole(path) as part:
        figure.savefig(part, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})


def rgb_bands(bands: Sequence[str]) -> list[int]:
    """Return the indices of the three bands that a picture shows: red, green and blue, or the first band alone."""
    names = ("red", "green", "blue") if {"red", "green", "blue"} <= set(bands) else (bands[0],) * 3
    return [list(bands).index(name) for name in names]


def rgb(values: np.ndarray, bands: Sequence[str], limits: tuple[np.ndarray, np.ndarray] | None = None) -> np.ndarray:
    """Return (row, column, 3) colours of a (band, row, column) image, between `limits`; NaN is white."""
    chosen = values[rgb_bands(bands)]
    low, high = limits or stretch(values, bands)
    scaled = np.clip((chosen - low[:, None, None]) / np.maximum(high - low, 1e-6)[:, None, None], 0, 1)
    return np.where(np.isfinite(chosen).all(axis=0), scaled, 1.0).transpose(1, 2, 0)


def stretch(values: np.ndarray, bands: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the 1 and 99 percentiles of the bands that `rgb` shows."""
    chosen = values[rgb_bands(bands)].reshape(3, -1)
    seen = chosen[:, np.isfinite(chosen).all(axis=0)]
    if not seen.size:
        return np.zeros(3), np.ones(3)
    low, high = np.percentile(seen, (1, 99), axis=1)
    return low, high
