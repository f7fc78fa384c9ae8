"""What the report says of downstream use: a table of every image, and in words whether SR helps."""

from dataclasses import dataclass

from crossres.evaluate.metrics.metric import IMAGES, Image
from crossres.evaluate.metrics.registry import BY_KEY
from crossres.evaluate.report.baselines import Arms, bicubic_of
from crossres.evaluate.report.tables import NAMES
from crossres.evaluate.results.arm_names import arm_label
from crossres.evaluate.results.summary import Summary

TASKS = {
    "Boundaries": ("boundary_f_1px", "boundary_f_2px"),
    "Land cover": ("cover_accuracy", "cover_miou"),
    "NDVI of small parcels": ("parcel_ndvi_rmse",),
}
HELPS = {"better", "ahead", "ahead in every scene"}


@dataclass(frozen=True)
class UsesTable:
    """Every image, held against HR in each task."""

    columns: list[str]
    rows: list[tuple[str, list[str]]]
    words: list[str]


def uses_table(summary: Summary, arms: Arms) -> UsesTable:
    """Return every image's metrics, means and single samples apart, and the product's verdicts against bicubic."""
    keys = [key for task in TASKS.values() for key in task]
    rows = []
    for arm in summary.arm_order:
        single = summary.arms[arm]["mean"] == summary.arms[arm]["sample"]
        for image in IMAGES[:1] if single else IMAGES:
            name = arm_label(arm) if single else f"{arm_label(arm)}, {NAMES[image].lower()}"
            rows.append((name, [BY_KEY[key].text(summary.value(arm, image, key), unit=False) for key in keys]))
    bicubic = bicubic_of(summary, arms)
    words = [_words(summary, bicubic, task, image) for task in TASKS for image in IMAGES] if bicubic else []
    return UsesTable([BY_KEY[key].label for key in keys], rows, words)


def _words(summary: Summary, bicubic: str, task: str, image: Image) -> str:
    said = []
    for key in TASKS[task]:
        if apart := summary.differences[bicubic][image][key]:
            metric = BY_KEY[key]
            low, high = (metric.text(end, signed=True) for end in (apart.low, apart.high))
            said.append((
                summary.standing(bicubic, image, key) in HELPS,
                f"{metric.label} {metric.text(apart.mean, signed=True)} ({low} to {high}), {apart.words(metric)}",
            ))  # fmt: skip
    name = f"{task}, {NAMES[image].lower()}"
    if not said:
        return f"{name}: nothing can be said here."
    helps = [one for one, _ in said]
    verdict = "SR helps" if all(helps) else "SR helps in part" if any(helps) else "SR does not help here"
    return f"{name}: {verdict}. Against bicubic: {'; '.join(text for _, text in said)}."
