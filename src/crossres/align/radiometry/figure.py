"""The radiometry figure: both images before and after, what changed, and the relation of each band."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from crossres.align.radiometry.fit import PairRadiometry
from crossres.drawing import BLUE, DPI, INK, MUTED, ORANGE, caption, image, quiet, rgb, stretch, title
from crossres.imagery.numbers import Mask

DOTS = 4000
"""Most pixels drawn in a scatter plot."""


def radiometry_figure(
    bands: Sequence[str],
    found: PairRadiometry,
    before: tuple[np.ndarray, np.ndarray],
    after: tuple[np.ndarray, np.ndarray],
    mask: np.ndarray,
    pifs: np.ndarray,
    report: dict[str, Any],
) -> Figure:
    """Draw (LR, HR on the LR grid) reflectance `before` and `after`, the mask and the relations of the bands.

    `pifs` are the invariant pixels; all are on one grid, which may be a thinned one.
    """
    figure = Figure(figsize=(11, 6.2), layout="constrained", dpi=DPI)
    grid = figure.add_gridspec(2, 1, height_ratios=(1.25, 1))
    top, bottom = figure.add_subfigure(grid[0]), figure.add_subfigure(grid[1])
    limits = stretch(after[0], bands)
    images = {
        "LR": rgb(after[0], bands, limits),
        "HR before, own stretch": rgb(before[1], bands),
        "HR after, LR's stretch": rgb(after[1], bands, limits),
        f"changed: {report['changed_share']:.1%}": 0.5 + 0.5 * rgb(after[0], bands, limits),
    }
    for axes, (what, colours) in zip(top.subplots(1, 4), images.items(), strict=True):
        axes.imshow(colours, interpolation="nearest")
        image(axes)
        title(axes, what)
    axes.imshow(np.ma.masked_equal(mask == Mask.CHANGED, False), cmap=ListedColormap([ORANGE]))
    clear = mask == Mask.CLEAR
    x, y = (before[1], before[0]) if report["direction"] == "hr-to-lr" else before
    x = found.adjusted(x)
    names = ("HR at LR scale", "LR") if report["direction"] == "hr-to-lr" else ("LR", "HR at LR scale")
    for k, (axes, band) in enumerate(zip(np.atleast_1d(bottom.subplots(1, len(bands))), bands, strict=True)):
        _draw_relation(axes, found, k, x[k], y[k], (clear & ~pifs, clear & pifs))
        row = report["bands"][band]
        title(axes, f"{band}: gain {row['gain']:.3f} ({row['method']})")
        axes.set_xlabel(f"{names[0]} reflectance")
    bottom.axes[0].set_ylabel(f"{names[1]} reflectance")
    caption(figure, report["summary"], warns=not report["normalised"] or report["doubt"] is not None)
    return figure


def _draw_relation(
    axes: Axes, found: PairRadiometry, k: int, x: np.ndarray, y: np.ndarray, kinds: tuple[np.ndarray, np.ndarray]
) -> None:
    """Draw one band's pixels, those that are not invariant first, and the line that relates `x` to `y`."""
    clear = kinds[0] | kinds[1]
    quiet(axes)
    for chosen, color, label in zip(kinds, (MUTED, BLUE), ("clear", "invariant"), strict=True):
        thin = slice(None, None, max(1, int(chosen.sum()) // DOTS))
        axes.scatter(x[chosen][thin], y[chosen][thin], s=2, alpha=0.3, color=color, linewidths=0, label=label)
    if clear.any():
        (left, right), (low, high) = (np.percentile(v[clear], (0.2, 99.8)) for v in (x, y))
        along = np.linspace(min(left, low), max(right, high), 50)
        axes.plot(along, along, color=INK, lw=0.7, ls=(0, (4, 3)), label="equal")
        axes.plot(along, found.relations[k](along), color=ORANGE, lw=1.4, label="relation")
        axes.set(xlim=(left - 0.002, right + 0.002), ylim=(low - 0.002, high + 0.002))
    if k == 0:
        legend = axes.legend(fontsize=7, frameon=False, loc="upper left", markerscale=3)
        for handle in legend.legend_handles:
            if handle is not None:
                handle.set_alpha(1)
