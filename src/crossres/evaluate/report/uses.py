"""What the report says of downstream use: tables of every image, and in words whether SR helps."""

from dataclasses import dataclass

import pandas as pd

from crossres.evaluate.metrics.metric import IMAGES, Image
from crossres.evaluate.metrics.registry import BY_KEY
from crossres.evaluate.report.baselines import Arms, bicubic_of
from crossres.evaluate.report.tables import NAMES
from crossres.evaluate.results.intervals import Difference, difference
from crossres.evaluate.results.summarise import values_of
from crossres.evaluate.results.summary import Summary

TASKS = {
    "Boundaries": ("boundary_f_1px", "boundary_f_2px"),
    "Land cover": ("cover_accuracy", "cover_miou"),
    "NDVI of small parcels": ("parcel_ndvi_rmse",),
}
UNKNOWN = "Whether SR helps cannot be said: the run has no arm of bicubic interpolation beside its product."
KEYS = tuple(key for keys in TASKS.values() for key in keys)


@dataclass(frozen=True)
class UseCell:
    """A metric of one image."""

    value: str
    against: str
    """The difference to bicubic with its interval and verdict; empty for bicubic itself, and without it."""


@dataclass(frozen=True)
class UseRow:
    """One arm in each task."""

    arm: str
    cells: list[UseCell]


@dataclass(frozen=True)
class UseTable:
    """All arms: means of samples, or single samples."""

    name: str
    rows: list[UseRow]


@dataclass(frozen=True)
class Uses:
    """What images are good for, held against HR."""

    columns: list[str]
    tables: list[UseTable]
    words: list[str]
    """A sentence for each task and image of the product."""


def uses(summary: Summary, arms: Arms, values: pd.DataFrame) -> Uses:
    """Return how every arm does in each task, means and single samples apart, and whether the product helps.

    `values` is the table that `summarise` writes.
    """
    bicubic = bicubic_of(summary, arms)
    once = {arm for arm in summary.arm_order if arm in arms and arms[arm].drawn_once}
    means = summary.primary not in once
    tables = []
    for image in IMAGES:
        shown = [arm for arm in summary.arm_order if image == "sample" or arm not in once]
        if shown and (means or image == "sample"):
            tables.append(UseTable(NAMES[image], [_row(summary, values, bicubic, arm, image) for arm in shown]))
    images = IMAGES if means else IMAGES[1:]
    words = [_words(summary, bicubic, task, image) for task in TASKS for image in images] if bicubic else [UNKNOWN]
    return Uses([_label(key) for key in KEYS], tables, words)


def _label(key: str) -> str:
    metric = BY_KEY[key]
    return f"{metric.label} ({metric.better} is better)"


def _row(summary: Summary, values: pd.DataFrame, bicubic: str | None, arm: str, image: Image) -> UseRow:
    apart = None
    if bicubic and arm != bicubic:
        apart = values_of(values, arm, image) - values_of(values, bicubic, image)
    cells = []
    for key in KEYS:
        metric = BY_KEY[key]
        value = metric.text(summary.value(arm, image, key), unit=False)
        found = difference(apart[key].to_numpy(), metric) if apart is not None else None
        cells.append(UseCell(value, _against(key, found) if found else ""))
    return UseRow(arm, cells)


def _against(key: str, apart: Difference) -> str:
    metric = BY_KEY[key]
    mean, low, high = (metric.text(end, signed=True, unit=False) for end in (apart.mean, apart.low, apart.high))
    return f"{mean}{f' ({low} to {high})' if apart.n > 1 else ''}, {apart.words(metric)}"


def _words(summary: Summary, bicubic: str, task: str, image: Image) -> str:
    found = {key: apart for key in TASKS[task] if (apart := summary.differences[bicubic][image][key])}
    name = f"{task}, {NAMES[image].lower()}"
    if not found:
        return f"{name}: not measured here."
    verdict = _verdict([(BY_KEY[key].label, apart, apart.words(BY_KEY[key])) for key, apart in found.items()])
    return f"{name}: {verdict}."


def _verdict(found: list[tuple[str, Difference, str]]) -> str:
    """Say whether SR helps, of (metric, difference, words) of a task."""
    if any(apart.few for _, apart, _ in found):
        few = [f"{_few(apart)} ({label})" for label, apart, _ in found]
        never = not any(apart.ahead for _, apart, _ in found)
        return f"{', '.join(few)}: too few to say{'; here it did not help' if never else ''}"
    each = {
        verdict: [label for label, _, said in found if said == verdict] for verdict in ("better", "undecided", "worse")
    }
    listed = ", ".join(f"{verdict} ({label})" for verdict, labels in each.items() for label in labels)
    if each["worse"]:
        alone = not (each["better"] or each["undecided"])
        if alone:
            return "SR does not help; it is worse than bicubic" + (" in every figure" if len(found) > 1 else "")
        return f"SR {'helps in one figure and harms in another' if each['better'] else 'does not help'}: {listed}"
    if each["better"]:
        if each["undecided"]:
            return f"SR helps in part: {listed}"
        return "SR helps; it is better than bicubic" + (" in every figure" if len(found) > 1 else "")
    return "not shown that SR helps: its difference to bicubic may be chance"


def _few(apart: Difference) -> str:
    return f"ahead in {apart.ahead} of {apart.n} place{'' if apart.n == 1 else 's'}"
