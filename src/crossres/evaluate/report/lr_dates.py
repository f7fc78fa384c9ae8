"""What LR dates add: arms that differ in nothing but how many LR dates their network is shown, or has learnt from."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from crossres.evaluate.metrics.metric import ALL_BANDS, Image
from crossres.evaluate.metrics.registry import BY_KEY
from crossres.evaluate.report.tables import NAMES
from crossres.evaluate.results.arm_names import arm_label
from crossres.evaluate.results.intervals import Interval, difference, interval
from crossres.evaluate.results.summary import ALL_STRATA
from crossres.settings.config import Config

COMPARED: tuple[tuple[str, Image], ...] = (
    ("psnr_db", "mean"),
    ("swd", "sample"),
    ("spectrum_error", "sample"),
    ("hallucination", "sample"),
)


@dataclass(frozen=True)
class DatesTable:
    """One way of making an image, with more and more LR dates."""

    columns: list[str]
    rows: list[tuple[str, list[str]]]
    """What stands in a row, and a cell for each column."""


def dates_tables(config: Config, values: Path) -> list[DatesTable]:
    """Return a table for each way that is there with several numbers of dates; `values` is summarise's table.

    What the others are compared with comes first: the fewest dates, of a model that has learnt from no more if there is
    one.
    """
    ways: dict[str, dict[tuple[int, int], str]] = {}
    for name, arm in config.sample.arms.items():
        model, train = config.variant(arm.model)
        learnt, shown = train.lr_dates or config.search.lr_dates, config.lr_dates_of(name)
        alike = (
            arm.model_copy(update={"lr_dates": None, "model": ""}),
            model,
            train.model_copy(update={"lr_dates": 1}),
        )
        way = "".join(part.model_dump_json() for part in alike)
        ways.setdefault(way, {}).setdefault((shown, learnt), name)
    several = [
        {name: shown for (shown, _), name in sorted(found.items())}
        for found in ways.values()
        if len({shown for shown, _ in found}) > 1
    ]
    if not several:
        return []
    table = pd.read_parquet(values)
    table = table[(table.band == ALL_BANDS) & (table.stratum == ALL_STRATA)]
    return [_table(config, found, table) for found in several]


def _table(config: Config, arms: dict[str, int], values: pd.DataFrame) -> DatesTable:
    """Return the table of some arms, with how many dates each is shown."""
    rows = []
    fewest, *more = arms
    for key, image in COMPARED:
        metric = BY_KEY[key]
        own = values[(values["image"] == image) & (values.metric == key)]
        of = own.pivot(index="scene", columns="arm", values="value").sort_index().reindex(columns=list(arms))
        means = [_cell(key, interval(of[arm].to_numpy())) for arm in arms]
        apart = [difference((of[arm] - of[fewest]).to_numpy(), metric) for arm in more]
        label = f"{metric.label}, {NAMES[image].lower()}"
        said = ["–", *(f"{_cell(key, d, signed=True)}: {d.words(metric)}" if d else "–" for d in apart)]
        rows += [(label, means), (f"{label}: against {arm_label(fewest)}", said)]
    return DatesTable([f"{_dates(count)} ({arm_label(arm)})" for arm, count in arms.items()], rows)


def _dates(count: int) -> str:
    return f"{count} date{'' if count == 1 else 's'}"


def _cell(key: str, found: Interval | None, signed: bool = False) -> str:
    metric = BY_KEY[key]
    if found is None:
        return "–"
    low, high = (metric.text(end, signed, unit=False) for end in (found.low, found.high))
    return f"{metric.text(found.mean, signed)} ({low} to {high})" if found.n > 1 else metric.text(found.mean, signed)
