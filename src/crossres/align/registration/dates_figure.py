"""The figure of a pair's dates: the first, and each further one as it lies on it."""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from crossres.drawing import DPI, INK, ORANGE, image, rgb, stretch, title

FIGURE_PX = 400
"""Side of a picture, in LR pixels, at most."""
PANELS_A_ROW = 4
PANEL_INCHES = 2.8
CHARACTERS_A_LINE = 40


def dates_figure(
    first: np.ndarray, bands: Sequence[str], when: str, dates: Sequence[np.ndarray], reports: Sequence[dict[str, Any]]
) -> Figure:
    """Draw the first date, acquired `when`, and each further one with its shift or why it is declined.

    `first` and `dates` are (band, row, column) reflectance, NaN where there is none.
    """
    cols = min(PANELS_A_ROW, 1 + len(dates))
    rows = -(-(1 + len(dates)) // cols)
    height = PANEL_INCHES * max(0.5, min(2.0, first.shape[1] / first.shape[2])) + 0.7
    figure = Figure(figsize=(PANEL_INCHES * cols, height * rows), layout=ConstrainedLayoutEngine(h_pad=0.1), dpi=DPI)
    panels = figure.subplots(rows, cols, squeeze=False).ravel()
    for panel in panels:
        image(panel)
    limits = stretch(first, bands)
    panels[0].imshow(rgb(first, bands, limits), interpolation="nearest")
    title(panels[0], f"{when[:10]}\nthe first")
    for panel, values, report in zip(panels[1:], dates, reports, strict=False):
        said, colour = _said(report)
        if report["accepted"]:
            panel.imshow(rgb(values, bands, limits), interpolation="nearest")
        title(panel, f"{str(report['datetime'] or report['scene'])[:10]}\n{said}")
        panel.title.set(color=colour)
    return figure


def _said(report: dict[str, Any]) -> tuple[str, str]:
    if not report["accepted"]:
        return textwrap.fill(f"declined: {report['reason']}", CHARACTERS_A_LINE), ORANGE
    if "shift_m" not in report:
        return "taken as aligned", INK
    east, north = report["shift_m"]
    return f"{east:+.1f} m east, {north:+.1f} m north\n{report['clear_share']:.0%} clear", INK
