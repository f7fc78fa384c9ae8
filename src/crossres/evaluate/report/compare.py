"""`compare`: several runs side by side: what was set differently, what came out, and the same places seen by each."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from crossres.errors import UserError
from crossres.evaluate.metrics.metric import ALL_BANDS, Image, Metric
from crossres.evaluate.metrics.registry import METRICS
from crossres.evaluate.pictures.same_crops import common_places
from crossres.evaluate.report.disclosure import public
from crossres.evaluate.report.html import render
from crossres.evaluate.report.tables import NAMES
from crossres.evaluate.results.intervals import difference, few, interval
from crossres.evaluate.results.summarise import read_table
from crossres.evaluate.results.summary import ALL_STRATA, Summary
from crossres.files import whole
from crossres.layout import RunFolder
from crossres.settings.sample import STARTS

PLACES = 6


@dataclass(frozen=True)
class Run:
    """One of the runs."""

    name: str
    scenes: int
    primary: str
    lr_gsd_m: float
    hr_gsd_m: float


@dataclass(frozen=True)
class Setting:
    """A key of the configuration that is not the same in all runs, with each run's value."""

    key: str
    values: list[Any]


@dataclass(frozen=True)
class Cell:
    """A metric of one run's product, and its difference to the first run's, if they share scenes."""

    text: str
    range: str
    change: str
    verdict: str


@dataclass(frozen=True)
class Row:
    """A metric of every run."""

    metric: Metric[Any]
    cells: list[Cell]


@dataclass(frozen=True)
class Table:
    """All metrics of the mean of samples, or of one sample."""

    name: str
    rows: list[Row]


def compare(runs: list[Path], output: Path) -> None:
    """Write one self-contained page about several runs; the first is what the others are held against.

    `runs` are result folders whose evaluation is done. Each run is represented by its own product, `sample.primary`.
    Differences are paired over the pairs that all runs hold out; without any, runs stand side by side unpaired, and the
    page says so. Raises `UserError` for fewer than two runs, two of one name, or a run that is not evaluated.
    """
    names = [run.name for run in runs]
    if len(runs) < 2 or len(set(names)) < len(names):
        raise UserError(f"compare: name at least two runs, each once; these were named: {', '.join(names)}")
    summaries = [Summary.read(RunFolder(run).summary) for run in runs]
    configs = [_config(run) for run in runs]
    settings = _differing(configs)
    once = [_drawn_once(config, summary.primary) for config, summary in zip(configs, summaries)]
    values = [_values(run, summary.primary) for run, summary in zip(runs, summaries)]
    common = sorted(set.intersection(*({str(s) for s in v.index.get_level_values("scene")} for v in values)))
    page = render(
        "compare.html",
        runs=[
            Run(name, len(s.scenes), s.primary, s.lr_gsd_m, s.hr_gsd_m) for name, s in zip(names, summaries)
        ],
        differing=settings, tables=_tables(values, common, once), common=common,
        once=[name for name, single in zip(names, once) if single],
        few=few(len(common)), places=common_places(runs, [s.primary for s in summaries], common, PLACES),
    )  # fmt: skip
    with whole(output) as part:
        part.write_text(page, encoding="utf-8")


def _config(run: Path) -> dict[str, Any]:
    path = RunFolder(run).config
    if not path.exists():
        raise UserError(f"{path}: no such file; name result folders, such as results/demo")
    return public(yaml.safe_load(path.read_text(encoding="utf-8")))


def _differing(configs: list[dict[str, Any]]) -> list[Setting]:
    flat = [dict(_leaves(config)) for config in configs]
    keys = sorted(set().union(*flat) - {"run"})
    rows = [Setting(key, [f.get(key, "not set") for f in flat]) for key in keys]
    return [row for row in rows if any(value != row.values[0] for value in row.values[1:])]


def _leaves(node: Any, key: str = "") -> list[tuple[str, Any]]:
    if isinstance(node, dict) and node:
        return [leaf for name, child in node.items() for leaf in _leaves(child, f"{key}.{name}" if key else str(name))]
    return [(key, "null" if node is None else node)]


def _values(run: Path, primary: str) -> pd.DataFrame:
    """Return the product's metrics over all bands and land cover: a row per scene and image, a column per metric."""
    table = read_table(RunFolder(run).table)
    chosen = table[(table.arm == primary) & (table.band == ALL_BANDS) & (table.stratum == ALL_STRATA)]
    return chosen.pivot(index=["scene", "image"], columns="metric", values="value")


def _drawn_once(config: dict[str, Any], primary: str) -> bool:
    """Return whether a run's product is one sample, by its config.yaml, which may be of an earlier version."""
    arm = config.get("sample", {}).get("arms", {}).get(primary, {})
    return arm.get("samples") == 1 and arm.get("start") in {*STARTS, "one-step"}


def _tables(values: list[pd.DataFrame], common: list[str], once: list[bool]) -> list[Table]:
    """Return a table of means, in which products that are drawn `once` have no value, and one of single samples."""
    none = [False] * len(once)
    means = [] if all(once) else [_table("mean", values, common, once)]
    return [*means, _table("sample", values, common, none)]


def _table(image: Image, values: list[pd.DataFrame], common: list[str], left_out: list[bool]) -> Table:
    rows = []
    for metric in METRICS:
        columns = [_column(v, image, metric.key, common) for v in values]
        columns = [c * np.nan if gone else c for c, gone in zip(columns, left_out, strict=True)]
        if not any(np.isfinite(c).any() for c in columns):
            continue
        paired = [None, *(column - columns[0] if common else None for column in columns[1:])]
        rows.append(Row(metric, [_cell(metric, *both) for both in zip(columns, paired)]))
    return Table(NAMES[image], rows)


def _column(values: pd.DataFrame, image: Image, key: str, common: list[str]) -> np.ndarray:
    """Return a metric over the common scenes in their order, or over all of a run's scenes when none is common."""
    if key not in values:
        return np.array([np.nan])
    of_image = values.xs(image, level="image")[key]
    return of_image.reindex(common).to_numpy() if common else of_image.sort_index().to_numpy()


def _cell(metric: Metric[Any], column: np.ndarray, apart: np.ndarray | None) -> Cell:
    found = interval(column)
    text = metric.text(found.mean if found else None, unit=False)
    ends = [metric.text(end, unit=False) for end in (found.low, found.high)] if found and found.n > 1 else []
    change = difference(apart, metric) if apart is not None else None
    return Cell(
        text=text, range=" to ".join(ends),
        change=metric.text(change.mean, signed=True, unit=False) if change else "",
        verdict=change.words(metric) if change and metric.better else "",
    )  # fmt: skip
