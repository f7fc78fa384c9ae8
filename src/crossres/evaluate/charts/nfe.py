"""Quality over the number of function evaluations: what more steps buy, from each start."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter, ScalarFormatter

from crossres.drawing import ARM_COLOURS, ARM_MARKERS, MUTED, chart, title
from crossres.evaluate.metrics.metric import BY_KEY, Metric
from crossres.settings.sample import SOLVERS, ArmSettings

CHARTED = ("swd", "spectrum_error", "psnr_db", "hallucination")
SAMPLED = ("lr", "noise", "one-step")
"""Starts whose arms take steps; interpolation and regression do not."""
PLAIN = {"solver": {solvers[0] for solvers in SOLVERS.values()}, "model": {"main"}}
"""What an arm's name need not say."""
STEPS_ASIDE = frozenset({"steps", "samples"})


def series(arms: dict[str, Any], order: list[str]) -> dict[str, list[tuple[int, str]]]:
    """Return (NFE, arm) in growing order for each way of sampling: arms that differ in steps alone are one.

    `arms` holds each arm's settings, its solver named.
    """
    ways: dict[str, list[tuple[int, str]]] = {}
    for arm in order:
        content = arms.get(arm, {})
        if content.get("start") not in SAMPLED:
            continue
        rest = {k: v for k, v in content.items() if k not in STEPS_ASIDE and v is not None}
        name = rest["start"] if rest["start"] == "one-step" else f"{rest['start']} start"
        extra = [f"{k} {v}" for k, v in sorted(rest.items()) if v not in PLAIN.get(k, ()) and k != "start"]
        ways.setdefault(", ".join([name, *extra]), []).append((ArmSettings.model_validate(content).nfe, arm))
    return {name: sorted(found) for name, found in ways.items()}


def draw_nfe(content: dict[str, Any], arms: dict[str, Any]) -> Figure | None:
    """Return a chart of one sample's quality over NFE with intervals; None when no way of sampling has two NFE.

    `content` is summary.json's.
    """
    ways = series(arms, content["arm_order"])
    if not any(len({nfe for nfe, _ in found}) > 1 for found in ways.values()):
        return None
    figure, axes = chart(9.2, 5.6, 2, 2)
    ticks = sorted({nfe for found in ways.values() for nfe, _ in found})
    for ax, key in zip(axes, CHARTED):
        metric = BY_KEY[key]
        for i, (name, found) in enumerate(ways.items()):
            points = [(nfe, content["arms"][arm]["sample"][key]) for nfe, arm in found]
            points = [(nfe, value) for nfe, value in points if value]
            if not points:
                continue
            nfes, values = zip(*points)
            # side by side where they share an NFE, so that no interval hides another
            x = [nfe * 1.05 ** (i - (len(ways) - 1) / 2) for nfe in nfes]
            low, high = ([abs(v["mean"] - v[end]) for v in values] for end in ("low", "high"))
            style: dict[str, Any] = dict(
                color=ARM_COLOURS[i % 8], marker=ARM_MARKERS[i % 8], ms=5.5, lw=1.3, capsize=2.5
            )
            ax.errorbar(x, [v["mean"] for v in values], (low, high), label=name, **style)
        over_nfe(ax, metric, ticks)
    axes[0].legend(frameon=False, fontsize=8, labelcolor=MUTED)
    return figure


def over_nfe(ax: Axes, metric: Metric, ticks: list[int]) -> None:
    """Name the axes of a chart of a metric over NFE: logarithmic, with a tick at each of `ticks`."""
    if ticks:
        ax.set_xscale("log", base=2)
        ax.xaxis.set_major_locator(FixedLocator(ticks))
        ax.xaxis.set_major_formatter(ScalarFormatter())
        ax.xaxis.set_minor_formatter(NullFormatter())
    arrow = {"higher": "higher is better", "lower": "lower is better", None: ""}[metric.better]
    title(ax, metric.label)
    ax.set(xlabel="function evaluations", ylabel=", ".join(filter(None, (metric.unit, arrow))))
