"""The boundaries of one place: HR's, and which of them each image finds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import dask
import dask.array as da
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from crossres.drawing import COLOURS, INK, MUTED, image, rgb, save, stretch
from crossres.evaluate.metrics import boundaries
from crossres.evaluate.metrics.boundaries import AGREEING, MADE_UP, MISSED, Boundaries
from crossres.evaluate.metrics.downstream import Downstream
from crossres.evaluate.pictures.plates import scale_bar
from crossres.evaluate.results.scene_result import Place

COLUMNS = 3
PALE = 0.55
"""How far an image is brought to white, for lines to stand out on it."""
OF_HR = 9
"""Stands for a boundary of HR in its own image."""
STYLES = {
    OF_HR: (INK, "of HR"),
    AGREEING: (COLOURS[0], "found: of the image, within 1 px of one of HR"),
    MISSED: (COLOURS[2], "missed: of HR, none of the image near"),
    MADE_UP: (COLOURS[4], "made up: of the image, none of HR near"),
}
"""Colour and meaning of each kind of boundary."""


@dataclass(frozen=True)
class Traced:
    """An image and how its boundaries lie on HR's in the whole scene."""

    name: str
    image: da.Array
    """(band, row, column) reflectance on the HR grid."""
    found: Boundaries


def save_boundaries(
    path: Path, hr: da.Array, uses: Downstream, images: Sequence[Traced], bands: Sequence[str], place: Place,
    gsd_m: float,
) -> None:  # fmt: skip
    """Draw HR's boundaries at a place and, for each image at its best threshold, which it finds, misses and makes up.

    `hr` is (band, row, column) reflectance, of `bands` and with pixels of `gsd_m`.
    """
    edge = boundaries.REACH_PX
    height, width = hr.shape[1:]
    rows = slice(max(0, place.row - edge), min(height, place.row + place.side + edge))
    cols = slice(max(0, place.col - edge), min(width, place.col + place.side + edge))
    inner = np.s_[..., place.row - rows.start :, place.col - cols.start :]
    window = Place(0, 0, place.side)
    truth, *cuts = dask.compute(hr[:, rows, cols], *(one.image[:, rows, cols] for one in images))
    lines = uses.boundaries[rows, cols]
    limits = stretch(window.of(truth[inner]), bands)
    panels = -(-(len(images) + 2) // COLUMNS)
    figure = Figure(figsize=(9.2, 3.3 * panels), layout="constrained")
    axes = figure.subplots(panels, COLUMNS, squeeze=False).ravel().tolist()
    own = np.where(lines == boundaries.HERE | boundaries.COUNTED, OF_HR, 0)
    _panel(axes[0], "HR", rgb(window.of(truth[inner]), bands, limits), window.of(own[inner]))
    scale_bar(axes[0], place.side, gsd_m)
    for ax, one, cut in zip(axes[1:], images, cuts, strict=False):
        codes = boundaries.compared(cut, lines, uses.stds, uses.threshold * one.found.threshold[0])
        score = f"F {one.found.f_score[0]:.3f}" if np.isfinite(one.found.f_score[0]) else "no F"
        _panel(ax, f"{one.name}: {score}", rgb(window.of(cut[inner]), bands, limits), window.of(codes[inner]))
    for ax in axes[1 + len(images) :]:
        ax.set_axis_off()
    _legend(axes[1 + len(images)])
    save(figure, path)


def _panel(ax: Axes, name: str, picture: np.ndarray, codes: np.ndarray) -> None:
    shown = PALE + (1 - PALE) * picture
    for code, (colour, _) in STYLES.items():
        shown[codes == code] = to_rgb(colour)
    image(ax)
    ax.imshow(shown, interpolation="nearest")
    ax.set_title(name, loc="left", fontsize=9, color=INK, pad=4)


def _legend(ax: Axes) -> None:
    handles = [Line2D([], [], color=colour, lw=3, label=text) for colour, text in STYLES.values()]
    ax.legend(handles=handles, loc="upper left", frameon=False, fontsize=8, labelcolor=INK, borderaxespad=0)
    ax.text(0, 0.66, "F: F-score within 1 px, over the whole scene,\nat each image's best threshold",
            transform=ax.transAxes, fontsize=8, color=MUTED, va="top")  # fmt: skip
