"""The claim's figure: each metric over NFE from both starts, and in words what follows."""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from crossres.drawing import COLOURS, INK, MARKERS, MUTED, chart
from crossres.evaluate.charts.nfe import over_nfe
from crossres.evaluate.metrics.registry import BY_KEY
from crossres.evaluate.results.arm_names import SAME_ODE
from crossres.evaluate.results.claim import QUALITIES, Judgement
from crossres.evaluate.results.claim_curves import KEYS, JudgedKind
from crossres.evaluate.results.speed_up import SpeedUp
from crossres.settings.sample import STARTS, Start


def draw_claim(
    kinds: Mapping[str, JudgedKind], beside: Mapping[str, pd.Series], one_ode: Collection[str] = ()
) -> Figure:
    """Draw each metric over NFE with its interval as a band; dashed is the best of the noise starts.

    `beside` holds the means, by metric, of images that take no steps; `one_ode` names the kinds whose starts solve the
    same equation.
    """
    judged = sum(found.judgement is not None for found in kinds.values())
    lines = len(_lines(kinds)) + 3 * judged  # of the legend and of what is said in words
    figure, axes = chart(9.2, 8.2 + 0.25 * max(0, lines - 9), 3, 2)
    ticks = sorted({nfe for found in kinds.values() for by_nfe in found.points.values() for nfe in by_nfe})
    for ax, key in zip(axes, KEYS):
        _draw_curves(ax, key, kinds, one_ode)
        for i, (name, means) in enumerate(beside.items()):
            if np.isfinite(means[key]):
                ax.axhline(means[key], color=MUTED, lw=0.8, ls=":")
                end, align = ((0, "left"), (1, "right"))[i % 2]  # two lines may be close
                place = ax.get_yaxis_transform()
                ax.text(end, means[key], name, transform=place, fontsize=7, color=MUTED, ha=align)
        over_nfe(ax, BY_KEY[key], ticks)
        if key in QUALITIES:  # beside what is not sampled, curves would lie on one another
            ax.set_yscale("log")
            ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
            ax.yaxis.set_minor_formatter(NullFormatter())
    axes[-1].axis("off")
    if kinds:
        handles, labels = axes[0].get_legend_handles_labels()
        axes[-1].legend(handles, labels, frameon=False, fontsize=8, labelcolor=MUTED, loc="upper left")
    words = [_in_words(kind, found.judgement, one_ode) for kind, found in kinds.items() if found.judgement]
    text = "\n".join(words or ["no model is sampled from both starts"])
    axes[-1].text(0, 0.05, text, transform=axes[-1].transAxes, fontsize=8, color=INK, va="bottom")
    return figure


def _draw_curves(ax: Axes, key: str, kinds: Mapping[str, JudgedKind], one_ode: Collection[str]) -> None:
    for i, (kind, found, start) in enumerate(_lines(kinds)):
        points = [(nfe, point) for nfe, point in found.points.get((start, key), {}).items() if point]
        if not points:
            continue
        nfes, values = zip(*points)
        name = "LR start" if start == "lr" else SAME_ODE if kind in one_ode else "noise start"
        colour, label = COLOURS[i % 8], f"{name}, {kind}"
        ax.plot(
            nfes, [v.mean for v in values], MARKERS[(i + i // 8) % 8] + "-", color=colour, ms=5, lw=1.4, label=label
        )
        ax.fill_between(nfes, [v.low for v in values], [v.high for v in values], color=colour, alpha=0.13, lw=0)
        if start == "lr" and key in QUALITIES and found.judgement:
            best = found.judgement.evidence[key].speed_up.tau
            ax.axhline(best, color=colour, lw=0.9, ls=(0, (4, 3)))


def _lines(kinds: Mapping[str, JudgedKind]) -> list[tuple[str, JudgedKind, Start]]:
    """Return the curves that there are: kind of model and start."""
    starts = ((kind, found, start) for kind, found in kinds.items() for start in STARTS)
    return [(kind, found, start) for kind, found, start in starts if (start, KEYS[0]) in found.points]


def _in_words(kind: str, judgement: Judgement, one_ode: Collection[str]) -> str:
    found = [
        f"{one.speed_up.value:.3g}{_ends(one.speed_up)} in {BY_KEY[quality].label}"
        for quality, one in judgement.evidence.items()
    ]
    swd = judgement.evidence["swd"]
    first = swd.matches[0]
    rivals = {swd.noise_of[first.noise_nfe]} if first.noise_nfe else set(judgement.against)
    noise = "with steps spaced as from noise" if rivals <= set(one_ode) else "from noise"
    takes = f"takes {first.noise_nfe} {noise}" if first.noise_nfe else f"is never reached {noise}"
    return f"{kind}: {judgement.verdict};\nspeed-up {', '.join(found)};\nwhat {first.lr_nfe} do from LR {takes} (SWD)"


def _ends(found: SpeedUp) -> str:
    return "" if found.low is None or found.high is None else f" ({found.low:.3g} to {found.high:.3g})"
