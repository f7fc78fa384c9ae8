"""The report's tables: every metric of every arm, land cover by land cover, and how honest the spread is."""

from dataclasses import dataclass
from typing import Any

from crossres.evaluate.metrics.metric import IMAGES, Image, Metric
from crossres.evaluate.metrics.registry import BY_KEY, METRICS
from crossres.evaluate.report.baselines import Arms, bicubic_of
from crossres.evaluate.results.intervals import Interval
from crossres.evaluate.results.summary import Summary

NAMES: dict[Image, str] = {"mean": "Mean of samples", "sample": "One sample"}
IN_STRATA = ("rmse", "psnr_db", "sam_deg", "ndvi_error", "omission", "hallucination")
OF_SAMPLE = frozenset({"omission", "hallucination"})
"""What the mean of samples, which leaves out what they disagree on, says nothing of."""


@dataclass(frozen=True)
class Cell:
    """A metric of one arm."""

    arm: str
    text: str
    best: bool
    """Whether no other arm is better."""
    interval: str


@dataclass(frozen=True)
class Against:
    """The product's difference to bicubic, and whether that is better, or in how many scenes it is."""

    text: str
    word: str


@dataclass(frozen=True)
class Row:
    """A metric of every arm."""

    metric: Metric[Any]
    cells: list[Cell]
    against: Against | None


@dataclass(frozen=True)
class Table:
    """All metrics of the mean of samples, or of one sample."""

    name: str
    rows: list[Row]


def metric_tables(summary: Summary, arms: Arms) -> list[Table]:
    """Return a table for the mean of samples and one for a single sample: a row per metric, a column per arm.

    A metric without any value, such as an index whose bands are missing, has no row. An arm that is drawn once has no
    value among means, and where all are there is no table of means.
    """
    bicubic = bicubic_of(summary, arms)
    once = {arm for arm in summary.arm_order if arm in arms and arms[arm].drawn_once}
    several = any(arm.samples > 1 for arm in arms.values())
    return [
        Table(
            NAMES[image],
            [
                row
                for metric in METRICS
                if (row := _row(summary, bicubic, image, metric, once if image == "mean" else set()))
            ],
        )
        for image in IMAGES
        if several or image == "sample" or not once
    ]


def _row(summary: Summary, bicubic: str | None, image: Image, metric: Metric[Any], once: set[str]) -> Row | None:
    found = {arm: None if arm in once else summary.arms[arm][image][metric.key] for arm in summary.arm_order}
    if not any(found.values()):
        return None
    gains = {arm: metric.gain(of.mean) for arm, of in found.items() if of and metric.better}
    best, worst = max(gains.values(), default=0.0), min(gains.values(), default=0.0)
    cells = [
        Cell(
            arm, metric.text(of.mean if of else None, unit=False), arm in gains and gains[arm] == best > worst,
            "drawn once: see one sample" if arm in once else _interval(metric, of),
        )
        for arm, of in found.items()
    ]  # fmt: skip
    compared = bicubic and metric.better and summary.primary not in once
    apart = summary.differences[bicubic][image][metric.key] if bicubic and compared else None
    against = Against(metric.text(apart.mean, signed=True, unit=False), apart.words(metric)) if apart else None
    return Row(metric, cells, against)


@dataclass(frozen=True)
class StratumRow:
    """One arm on one land cover."""

    stratum: str
    share: float
    arm: str
    cells: list[str]


@dataclass(frozen=True)
class StrataTable:
    """The product and bicubic by land cover."""

    rule: str
    columns: list[Metric[Any]]
    rows: list[StratumRow]


def strata_table(summary: Summary, arms: Arms) -> StrataTable:
    """Return the metrics of the product and of bicubic by land cover: of the mean, shares of detail of the sample."""
    strata, bicubic = summary.strata, bicubic_of(summary, arms)

    def found(arm: str, name: str, metric: Metric[Any]) -> Interval | None:
        return strata.arms[arm]["sample" if metric.key in OF_SAMPLE else "mean"][name][metric.key]

    compared = [summary.primary, *([bicubic] if bicubic else [])]
    shown = [(name, arm) for name in strata.names if strata.shares[name] > 0 for arm in compared]
    columns = [
        metric for metric in map(BY_KEY.__getitem__, IN_STRATA) if any(found(arm, name, metric) for name, arm in shown)
    ]
    rows = [
        StratumRow(
            name, strata.shares[name], arm,
            [metric.text(of.mean if (of := found(arm, name, metric)) else None, unit=False) for metric in columns],
        )
        for name, arm in shown
    ]  # fmt: skip
    return StrataTable(strata.rule, columns, rows)


def _interval(metric: Metric[Any], found: Interval | None) -> str:
    if not found:
        return "no value"
    if found.n == 1:
        return "1 scene, no interval"
    low, high = (metric.text(end, unit=False) for end in (found.low, found.high))
    return f"95 %: {low} to {high}, {found.n} scenes"
