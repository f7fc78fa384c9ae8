"""The claim from a run's own results: which arms make a curve over NFE, the judgement, its table and its figure."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from crossres.drawing import ARM_COLOURS, ARM_MARKERS, INK, MUTED, chart, save
from crossres.evaluate.charts.nfe import over_nfe
from crossres.evaluate.metrics.metric import BY_KEY
from crossres.evaluate.metrics.scene_metrics import ALL_BANDS
from crossres.evaluate.results.claim import GUARDS, QUALITIES, Curve, at_each_nfe, judge_claim
from crossres.evaluate.results.summary import ALL_STRATA
from crossres.files import whole, write_json
from crossres.settings.evaluate import EvaluateSettings
from crossres.settings.model import ModelVariant
from crossres.settings.sample import ArmSettings

KEYS = (*QUALITIES, *GUARDS)
STARTS = ("lr", "noise")
PLAIN = ("regression", "bicubic")
"""What stands beside the curves, at no number of steps."""


def claim(
    settings: EvaluateSettings, arms: Mapping[str, ArmSettings], models: Mapping[str, ModelVariant], table: Path,
    output: Path, output_table: Path, figure: Path,
) -> None:  # fmt: skip
    """Judge the claim for each kind of model that is sampled from both starts; write claim.json, a table and a figure.

    `table` is summarise's. Models that differ in their seed alone are one kind. The table has a row per kind, start,
    NFE and metric: mean over scenes and seeds, and the 95 % interval over scenes.
    """
    values = _one_sample(pd.read_parquet(table))
    judged, rows, panels = {}, [], {}
    for name, starts in curves(arms, models, values).items():
        judged[name] = judge_claim(starts["lr"], starts["noise"], settings.bootstrap, settings.seed)
        panels[name] = {
            (start, key): at_each_nfe(curve, key, settings.bootstrap, settings.seed)
            for start, curve in starts.items()
            for key in KEYS
        }
        rows += [
            dict(kind=name, start=start, nfe=nfe, metric=key, **asdict(found))
            for (start, key), by_nfe in panels[name].items()
            for nfe, found in by_nfe.items()
            if found
        ]
    write_json(output, dict(kinds=judged))
    columns = ["kind", "start", "nfe", "metric", "mean", "low", "high", "n"]
    with whole(output_table) as part:
        pd.DataFrame(rows, columns=columns).to_parquet(part, index=False)
    plain = {arm: values[arm] for arm, a in arms.items() if a.start in PLAIN and a.model == "main" and arm in values}
    with whole(figure) as part:
        save(_draw(panels, judged, {arm: v.mean() for arm, v in plain.items()}), part)


def curves(
    arms: Mapping[str, ArmSettings], models: Mapping[str, ModelVariant], values: Mapping[str, pd.DataFrame]
) -> dict[str, dict[str, Curve]]:
    """Return kind of model -> start -> curve, for kinds whose every seed has the same NFE from each of both starts.

    `values` holds a table per arm: a row per scene, a column per metric.
    """
    found: dict[str, dict[str, dict[str, dict[int, pd.DataFrame]]]] = {}
    for arm, settings in arms.items():
        if settings.start in STARTS and arm in values:
            seeds = found.setdefault(_kind(models[settings.model], settings), {})
            seeds.setdefault(settings.model, {}).setdefault(settings.start, {})[settings.nfe] = values[arm]
    result: dict[str, dict[str, Curve]] = {}
    for by_model in found.values():
        # A seed without both starts, or with other steps than the first, has no part in the kind's curves.
        steps = [{start: tuple(sorted(c)) for start, c in starts.items()} for starts in by_model.values()]
        if set(steps[0]) != set(STARTS):
            continue
        same = [starts for starts, s in zip(by_model.values(), steps) if s == steps[0]]
        scenes = sorted(set.intersection(*(set(t.index) for s in same for c in s.values() for t in c.values())))
        result[next(iter(by_model))] = {
            start: {
                nfe: {key: np.array([s[start][nfe].loc[scenes, key] for s in same], np.float64) for key in KEYS}
                for nfe in steps[0][start]
            }
            for start in STARTS
        }
    return result


def _kind(model: ModelVariant, arm: ArmSettings) -> str:
    """Return what is alike for all seeds of a kind of model sampled in one way."""
    train = {k: v for k, v in model.train.items() if k != "seed"}
    return json.dumps([model.model, train, arm.weights, arm.solver, arm.eta, arm.sigma], sort_keys=True)


def _one_sample(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    chosen = table[(table.band == ALL_BANDS) & (table.stratum == ALL_STRATA) & (table["image"] == "sample")]
    return {
        str(arm): rows.pivot(index="scene", columns="metric", values="value").reindex(columns=list(KEYS)).sort_index()
        for arm, rows in chosen.groupby("arm")
    }


def _draw(panels: dict[str, Any], judged: dict[str, Any], plain: dict[str, pd.Series]) -> Figure:
    """Draw each metric over NFE with its interval as a band; a dashed line where the noise start is at its best."""
    figure, axes = chart(9.2, 8.2, 3, 2)
    ticks = sorted({nfe for panel in panels.values() for by_nfe in panel.values() for nfe in by_nfe})
    lines = [(kind, start) for kind in panels for start in STARTS]
    for ax, key in zip(axes, KEYS):
        for i, (kind, start) in enumerate(lines):
            points = [(nfe, v) for nfe, v in panels[kind][start, key].items() if v]
            if not points:
                continue
            nfes, found = zip(*points)
            colour, label = ARM_COLOURS[i % 8], f"{start.upper() if start == 'lr' else start} start, {kind}"
            ax.plot(nfes, [v.mean for v in found], ARM_MARKERS[i % 8] + "-", color=colour, ms=5, lw=1.4, label=label)
            ax.fill_between(nfes, [v.low for v in found], [v.high for v in found], color=colour, alpha=0.13, lw=0)
            if start == "noise" and key in QUALITIES:
                ax.axhline(judged[kind]["speed_up"][key]["tau"], color=colour, lw=0.9, ls=(0, (4, 3)))
        for i, (name, means) in enumerate(plain.items()):
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
    if lines:
        handles, labels = axes[0].get_legend_handles_labels()
        axes[-1].legend(handles, labels, frameon=False, fontsize=8, labelcolor=MUTED, loc="upper left")
    words = [_in_words(kind, content) for kind, content in judged.items()] or ["no model is sampled from both starts"]
    axes[-1].text(0, 0.05, "\n".join(words), transform=axes[-1].transAxes, fontsize=8, color=INK, va="bottom")
    return figure


def _in_words(kind: str, content: dict[str, Any]) -> str:
    speed, first = content["speed_up"]["swd"], content["matches"]["swd"][0]
    takes = f"takes {first['noise_nfe']} from noise" if first["noise_nfe"] else "is never reached from noise"
    return (
        f"{kind}: speed-up {speed['value']:.3g} in SWD (95 % {speed['low']:.3g} to {speed['high']:.3g}), "
        f"{content['verdict']};\nwhat {first['lr_nfe']} do from LR {takes}"
    )
