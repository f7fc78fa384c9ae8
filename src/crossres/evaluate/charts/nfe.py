"""Quality over the number of function evaluations: what more steps buy, from each start."""

from collections.abc import Collection
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter, ScalarFormatter

from crossres.drawing import COLOURS, MARKERS, MUTED, chart, title
from crossres.evaluate.metrics.metric import Metric
from crossres.evaluate.metrics.registry import BY_KEY
from crossres.evaluate.results.arm_names import SAME_ODE
from crossres.evaluate.results.summary import Summary
from crossres.settings.sample import SampleSettings

CHARTED = ("swd", "spectrum_error", "psnr_db", "hallucination")


def series(
    sample: SampleSettings, measured: Collection[str], one_ode: Collection[str] = ()
) -> dict[str, list[tuple[int, str]]]:
    """Return (NFE, arm) in growing order for each curve of the `measured` arms, and for each one-step model.

    A label says the start and, where there are several, the kind of model and the model. The starts of kinds in
    `one_ode` solve the same equation.
    """
    curves = sample.curves()
    lines: dict[str, list[tuple[int, str]]] = {}
    for kind, models in curves.items():
        for model, starts in models.items():
            told = [kind] * (len(curves) > 1) + [model] * (len(models) > 1)
            for start, by_nfe in starts.items():
                name = SAME_ODE if start == "noise" and kind in one_ode else f"{start} start"
                lines[", ".join([name, *told])] = sorted(by_nfe.items())
    one_step = {name: arm for name, arm in sample.arms.items() if arm.start == "one-step"}
    for name, arm in one_step.items():
        lines[f"one-step, {arm.model}" if len(one_step) > 1 else "one-step"] = [(arm.nfe, name)]
    kept = {label: [(nfe, arm) for nfe, arm in found if arm in measured] for label, found in lines.items()}
    return {label: found for label, found in kept.items() if found}


def draw_nfe(summary: Summary, sample: SampleSettings, one_ode: Collection[str] = ()) -> Figure | None:
    """Return a chart of one sample's quality over NFE with intervals; None when no curve has two NFE.

    `one_ode` names kinds of model as `series` takes them.
    """
    ways = series(sample, summary.arm_order, one_ode)
    if not any(len(found) > 1 for found in ways.values()):
        return None
    figure, axes = chart(9.2, 5.6, 2, 2)
    ticks = sorted({nfe for found in ways.values() for nfe, _ in found})
    for ax, key in zip(axes, CHARTED):
        metric = BY_KEY[key]
        for i, (name, found) in enumerate(ways.items()):
            points = [(nfe, summary.arms[arm]["sample"][key]) for nfe, arm in found]
            points = [(nfe, value) for nfe, value in points if value]
            if not points:
                continue
            nfes, values = zip(*points)
            # side by side where they share an NFE, so that no interval hides another
            x = [nfe * 1.05 ** (i - (len(ways) - 1) / 2) for nfe in nfes]
            low, high = [abs(v.mean - v.low) for v in values], [abs(v.high - v.mean) for v in values]
            style: dict[str, Any] = dict(color=COLOURS[i % 8], marker=MARKERS[i % 8], ms=5.5, lw=1.3, capsize=2.5)
            ax.errorbar(x, [v.mean for v in values], (low, high), label=name, **style)
        over_nfe(ax, metric, ticks)
    axes[0].legend(frameon=False, fontsize=8, labelcolor=MUTED)
    return figure


def over_nfe(ax: Axes, metric: Metric[Any], ticks: list[int]) -> None:
    """Name the axes of a chart of a metric over NFE: logarithmic, with a tick at each of `ticks`."""
    if ticks:
        ax.set_xscale("log", base=2)
        ax.xaxis.set_major_locator(FixedLocator(ticks))
        ax.xaxis.set_major_formatter(ScalarFormatter())
        ax.xaxis.set_minor_formatter(NullFormatter())
    arrow = {"higher": "higher is better", "lower": "lower is better", None: ""}[metric.better]
    title(ax, metric.label)
    ax.set(xlabel="evaluations of the network", ylabel=", ".join(filter(None, (metric.unit, arrow))))
