"""`compare`: several runs side by side: what was set differently, what came out, and the same places seen by each."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from crossres.errors import UserError
from crossres.evaluate.metrics.metric import METRICS, Metric, shown
from crossres.evaluate.metrics.scene_metrics import ALL_BANDS
from crossres.evaluate.pictures.same_crops import common_places
from crossres.evaluate.report.disclosure import public
from crossres.evaluate.report.html import render
from crossres.evaluate.report.tables import IMAGES
from crossres.evaluate.results.intervals import ahead, few, interval
from crossres.evaluate.results.summary import ALL_STRATA
from crossres.files import read_json, whole

REPLICATES = 4000
PLACES = 6


def compare(runs: list[Path], output: Path) -> None:
    """Write one self-contained page about several runs; the first is what the others are held against.

    `runs` are result folders whose evaluation is done. Each run is represented by its own product, `sample.primary`.
    Differences are paired over the pairs that all runs hold out; without any, runs stand side by side unpaired, and the
    page says so. Raises `UserError` for fewer than two runs, two of one name, or a run that is not evaluated.
    """
    names = [run.name for run in runs]
    if len(runs) < 2 or len(set(names)) < len(names):
        raise UserError(f"compare: name at least two runs, each once; these were named: {', '.join(names)}")
    summaries = [read_json(run / "evaluation/summary.json") for run in runs]
    configs = [_config(run) for run in runs]
    values = [_values(run, summary["primary"]) for run, summary in zip(runs, summaries)]
    common = sorted(set.intersection(*({str(s) for s in v.index.get_level_values("scene")} for v in values)))
    content = dict(
        runs=[
            {"name": name, "scenes": len(s["scenes"])} | {key: s[key] for key in ("primary", "lr_gsd_m", "hr_gsd_m")}
            for name, s in zip(names, summaries)
        ],
        differing=_differing(configs), tables=[_table(image, name, values, common) for image, name in IMAGES],
        common=common, few=few(len(common)),
        places=common_places(runs, [s["primary"] for s in summaries], common, PLACES),
    )  # fmt: skip
    with whole(output) as part:
        part.write_text(render("compare.html", **content), encoding="utf-8")


def _config(run: Path) -> dict[str, Any]:
    path = run / "config.yaml"
    if not path.exists():
        raise UserError(f"{path}: no such file; name result folders, such as results/demo")
    return public(yaml.safe_load(path.read_text(encoding="utf-8")))


def _differing(configs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the keys whose values are not the same in all runs, with each run's value."""
    flat = [dict(_leaves(config)) for config in configs]
    keys = sorted(set().union(*flat) - {"run"})
    rows = [dict(key=key, values=[f.get(key, "not set") for f in flat]) for key in keys]
    return [row for row in rows if any(v != row["values"][0] for v in row["values"][1:])]


def _leaves(node: Any, key: str = "") -> list[tuple[str, Any]]:
    if isinstance(node, dict) and node:
        return [leaf for name, child in node.items() for leaf in _leaves(child, f"{key}.{name}" if key else str(name))]
    return [(key, "null" if node is None else node)]


def _values(run: Path, primary: str) -> pd.DataFrame:
    """Return the product's metrics over all bands and land cover: a row per scene and image, a column per metric."""
    path = run / "evaluation/summary.parquet"
    if not path.exists():
        raise UserError(f"{path}: no such file; run the workflow for this run first")
    table = pd.read_parquet(path)
    if "stratum" not in table:
        raise UserError(f"{path}: is of an earlier version; run the workflow for this run again")
    chosen = table[(table.arm == primary) & (table.band == ALL_BANDS) & (table.stratum == ALL_STRATA)]
    return chosen.pivot(index=["scene", "image"], columns="metric", values="value")


def _table(image: str, name: str, values: list[pd.DataFrame], common: list[str]) -> dict[str, Any]:
    rows = []
    for metric in METRICS:
        columns = [_column(v, image, metric.key, common) for v in values]
        if not any(np.isfinite(c).any() for c in columns):
            continue
        cells = [_cell(metric, columns[0], column, bool(common), i) for i, column in enumerate(columns)]
        rows.append(dict(metric=metric, cells=cells))
    return dict(name=name, rows=rows)


def _column(values: pd.DataFrame, image: str, key: str, common: list[str]) -> np.ndarray:
    """Return a metric over the common scenes in their order, or over all of a run's scenes when none is common."""
    if key not in values:
        return np.array([np.nan])
    of_image = values.xs(image, level="image")[key]
    return of_image.reindex(common).to_numpy() if common else of_image.sort_index().to_numpy()


def _cell(metric: Metric, first: np.ndarray, column: np.ndarray, paired: bool, place: int) -> dict[str, Any]:
    found = interval(column, REPLICATES, 0)
    cell: dict[str, Any] = dict(text=shown(metric.key, found.mean if found else None, unit=False), range="", change="")
    if found and found.n > 1:
        cell["range"] = f"{shown(metric.key, found.low, unit=False)} to {shown(metric.key, found.high, unit=False)}"
    if paired and place and (difference := interval(column - first, REPLICATES, 0)):
        low, high = sorted(metric.gain(end) for end in (difference.low, difference.high))
        word = "better" if low > 0 else "worse" if high < 0 else "undecided"
        if few(difference.n):
            word = ahead(int((metric.gain(1.0) * (column - first) > 0).sum()), difference.n)
        cell["change"] = f"{shown(metric.key, difference.mean, signed=True, unit=False)}"
        cell["verdict"] = word if metric.better else ""
        cell["difference"] = asdict(difference)
    return cell
