"""The registration figure: what was matched on the LR image, and how far held-out tie points lie from the field."""

import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from rasterio.windows import Window

from crossres.align.registration.register import Registration
from crossres.drawing import BLUE, DPI, MUTED, ORANGE, caption, image, quiet, rgb, title

KEY_SHARE = 0.045
"""Share of the figure's height, at its foot, that is left to the key of the arrows."""
CAPTION_CHARACTERS, TITLE_CHARACTERS = 125, 58
GAP_SHARE = 0.02
"""The same, between the caption and what is below it."""
ARROW_SHARE = 0.05
"""Length of a typical arrow, as a share of the image's longer side."""


def registration_figure(
    lr: np.ndarray, bands: Sequence[str], frame: Window, found: Registration, report: dict[str, Any]
) -> Figure:
    """Draw the LR image with what was matched on it, and how far held-out tie points lie from the field."""
    engine = ConstrainedLayoutEngine(rect=(0, KEY_SHARE, 1, 1 - KEY_SHARE - GAP_SHARE))
    figure = Figure(figsize=(10.5, 5.6), layout=engine, dpi=DPI)
    left, right = figure.subplots(1, 2, width_ratios=(1.2, 1))
    _draw_map(figure, left, lr, bands, frame, found)
    _draw_residuals(right, found, report)
    state = report.get("statement") or (
        f"{report['model']} field: HR lay {in_words(report['shift_m'])} of LR, and was moved back by as much"
        if found.accepted
        else f"declined: {report['reason']}"
    )
    caption(figure, textwrap.fill(state, CAPTION_CHARACTERS), warns=not found.accepted)
    return figure


def in_words(shift_m: Sequence[float]) -> str:
    """Return a shift east and north in metres in words: `22.3 m west and 60.5 m north`."""
    east, north = shift_m
    return (
        f"{abs(east):.1f} m {'west' if east < 0 else 'east'} and {abs(north):.1f} m {'south' if north < 0 else 'north'}"
    )


def _draw_map(
    figure: Figure, axes: Axes, lr: np.ndarray, bands: Sequence[str], frame: Window, found: Registration
) -> None:
    points, kept = found.tie_points, found.tie_points.kept
    faded = 0.45 + 0.55 * rgb(lr, bands)
    axes.imshow(faded, extent=_extent(frame), interpolation="nearest")
    row, col = points.points.T
    axes.scatter(col[~kept], row[~kept], s=9, marker="x", linewidths=0.7, color=MUTED)
    image(axes)
    axes.set(xlim=_extent(frame)[:2], ylim=_extent(frame)[2:], anchor="NW")
    if kept.any():
        moved = points.displacement[kept]
        mean = moved.mean(axis=0)
        local = moved - mean
        typical = max(float(np.percentile(np.hypot(*local.T), 90)), 0.02)
        factor = ARROW_SHARE * max(frame.width, frame.height) / typical
        error = np.hypot(*found.standard_error[kept].T)
        known = error[np.isfinite(error)]
        limits = Normalize(0, max(0.05, float(np.percentile(known, 98))) if known.size else 0.05)
        arrows = axes.quiver(
            col[kept], row[kept], local[:, 1] * factor, local[:, 0] * factor, np.nan_to_num(error), cmap="viridis",
            norm=limits,
            angles="xy", scale_units="xy", scale=1, width=0.0032, headwidth=3.5,
        )  # fmt: skip
        key = _round_down(typical)
        axes.quiverkey(arrows, 0.03, KEY_SHARE / 2, key * factor, f"{key:g} LR px beyond the mean shift", labelpos="E",
                       coordinates="figure", fontproperties={"size": 8})  # fmt: skip
        bar = figure.colorbar(ScalarMappable(limits, "viridis"), ax=axes, shrink=0.6, pad=0.03)
        bar.set_label("standard error of the field, from half the pixels each [LR px]", fontsize=8)
        bar.ax.tick_params(labelsize=8)
    declined = ", ".join(f"{n} {why}" for why, n in sorted(Counter(points.reason[~kept].tolist()).items()))
    found_of = f"{int(kept.sum())} tie points of {int(points.usable.sum())} usable windows"
    title(axes, f"{found_of}\n{textwrap.fill('x: ' + (declined or 'none declined'), TITLE_CHARACTERS)}")


def _draw_residuals(axes: Axes, found: Registration, report: dict[str, Any]) -> None:
    residual = found.residual[np.isfinite(found.residual).all(axis=1)]
    length = np.hypot(*residual.T)
    quiet(axes)
    if not length.size:
        axes.text(0.5, 0.5, "no check windows", transform=axes.transAxes, ha="center", color=MUTED)
        image(axes)
        return
    top = max(0.1, float(np.percentile(length, 99)))
    axes.set_aspect("equal")
    axes.axhline(0, color=MUTED, lw=0.5)
    axes.axvline(0, color=MUTED, lw=0.5)
    axes.scatter(residual[:, 1], residual[:, 0], s=7, color=BLUE, alpha=0.45, linewidths=0)
    rmse, ce90 = report["rmse_held_out_px"], report["p90_held_out_px"]
    turn = np.linspace(0, 2 * np.pi, 100)
    for radius, style in ((rmse, "-"), (ce90, "--")):
        axes.plot(radius * np.cos(turn), radius * np.sin(turn), style, color=ORANGE, lw=1.2)
    words = f"— RMSE {rmse:.3f}\n- - CE90 {ce90:.3f} ({report['ce90_m']:.2g} m)"
    axes.text(0.02, 0.98, words, transform=axes.transAxes, va="top", fontsize=9, color=ORANGE)
    axes.set(xlim=(-top, top), ylim=(top, -top))
    axes.set(xlabel="held-out residual along columns [LR px]", ylabel="along rows [LR px]")
    title(axes, f"{len(length)} of {found.check_windows} check windows; the rest are outliers, not counted")


def _extent(frame: Window) -> tuple[float, float, float, float]:
    left, top = frame.col_off - 0.5, frame.row_off - 0.5
    return left, left + frame.width, top + frame.height, top


def _round_down(value: float) -> float:
    """Return the largest of 1, 2, 5 times a power of ten that does not exceed a positive value."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(max(m for m in (1, 2, 5) if m * power <= value) * power)
