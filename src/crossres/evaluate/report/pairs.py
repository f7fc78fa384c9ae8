"""What the report says of the data: each pair, how it was registered, its split, and what the search declined."""

import csv
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import PlainValidator
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from crossres.evaluate.report.inputs import ReportInputs
from crossres.files import read_json
from crossres.records import read_record


@dataclass(frozen=True)
class Dataset:
    """What the dataset's summary says of its pairs and patches."""

    splits: dict[str, tuple[str, ...]]
    patches: dict[str, int] = field(default_factory=dict)
    """By split."""
    declined: tuple["DeclinedPair", ...] = ()
    left_out: dict[str, int] = field(default_factory=dict)
    """Patches by the reason why they are in no split."""
    folds: tuple[tuple[str, ...], ...] = ()
    """The pairs that each fold holds out, whole or in part; none where places are not held out in turn."""

    def split_of(self, pair: str) -> str:
        """Return the split that a pair is in; that of one which a fold holds out is test."""
        if self.folds_of(pair):
            return "test"
        return next((split for split, pairs in self.splits.items() if pair in pairs), "left out")

    def folds_of(self, pair: str) -> list[int]:
        """Return the folds that hold a pair out."""
        return [number for number, pairs in enumerate(self.folds) if pair in pairs]


@dataclass(frozen=True)
class DeclinedPair:
    """A pair that is not in the dataset."""

    pair: str
    reason: str


@dataclass(frozen=True)
class Registration:
    """How well a pair's images lie on each other; what is not known is None."""

    accepted: bool | None = None
    reason: str | None = None
    """Why it was not accepted."""
    model: str | None = None
    statement: str | None = None
    """What was assumed where nothing was measured."""
    shift_m: tuple[float, ...] | None = None
    """East, north."""
    rmse_held_out_px: float | None = None
    ce90_m: float | None = None
    """Radius that holds 90 % of the residuals at held-out check windows, in metres."""
    held_out_windows: int | None = None
    """How many these are."""
    rejected_check_share: float | None = None
    tie_points: int | None = None
    kept_share: float | None = None


@dataclass(frozen=True)
class Radiometry:
    """Whether the pair's images have one radiometry."""

    method: str | None = None
    """`normalise.method`."""
    accepted: bool | None = None
    reason: str | None = None
    """Why they were left as they are, or the pair was declined."""
    doubt: str | None = None
    """Which bands have a simpler relation than was asked for, because that was wrong."""
    summary: str = ""
    left: str = ""
    """What is left between the images, in a sentence."""

    @property
    def failed(self) -> str | None:
        """What to warn of."""
        return self.doubt or (None if self.method == "none" else self.reason)


@dataclass(frozen=True)
class FurtherDate(Registration):
    """A further LR date of a pair, and how well it lies on the first."""

    scene: str = ""
    datetime: str | None = None
    days_after_first: float | None = None
    clear_share: float | None = None
    """Share of what the pair shows that has values of this date."""


@dataclass(frozen=True)
class Dates:
    """The further LR dates of a pair."""

    dates: tuple[FurtherDate, ...] = ()


@dataclass(frozen=True)
class Found:
    """A pair as the search found it."""

    id: str
    lr: str
    hr: str
    date_gap_days: float
    overlap_km2: float
    overlap_cloud_percent: float | None = None
    overlap_cloud_source: str | None = None
    sun_difference_deg: float | None = None
    score: float | None = None
    geometry: Annotated[BaseGeometry, PlainValidator(shape)] | None = None
    """In degrees of longitude and latitude."""

    @property
    def cloud_of_whole_scene(self) -> bool:
        """Whether its cloud is that of the whole LR scene: over the overlap it is not known."""
        return self.overlap_cloud_source == "eo:cloud_cover"


@dataclass(frozen=True)
class Pair:
    """What is known of a pair."""

    found: Found
    split: str
    lr_date: str
    """Year, month and day; empty where that is not known."""
    hr_date: str
    registration: Registration
    radiometry: Radiometry = Radiometry()
    dates: tuple[FurtherDate, ...] = ()
    """Further LR dates, where a model sees several."""

    @property
    def id(self) -> str:
        """Its name."""
        return self.found.id


def read_pairs(inputs: ReportInputs, dataset: Dataset, lr_dates: int = 1) -> list[Pair]:
    """Return what is known of each pair, by id; further dates only where there are several (`search.lr_dates`)."""
    aligned = {folder.name: folder for folder in inputs.aligned}

    def pair(found: Found) -> Pair:
        folder = aligned.get(found.id)
        lr_date, hr_date = (day_of(inputs.items.scene(name)) for name in (found.lr, found.hr))
        registration = read_record(Registration, folder / "registration.json") if folder else Registration()
        radiometry = read_record(Radiometry, folder / "radiometry.json") if folder else Radiometry()
        dates = read_record(Dates, folder / "dates.json").dates if folder and lr_dates > 1 else ()
        return Pair(found, dataset.split_of(found.id), lr_date, hr_date, registration, radiometry, dates)

    return [pair(read_record(Found, path)) for path in sorted(inputs.items.pairs.glob("*.json"))]


def day_of(item: Path) -> str:
    """Return the day that a scene's item says, as YYYY-MM-DD; empty where it says none."""
    properties = read_json(item)["properties"] if item.exists() else {}
    return str(properties.get("datetime") or properties.get("start_datetime") or "")[:10]


@dataclass(frozen=True)
class DeclinedScene:
    """A scene that the search found and did not take."""

    id: str
    role: str
    reason: str


def read_declined(path: Path) -> list[DeclinedScene]:
    """Return the rows of declined.csv; none when the file is missing."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [DeclinedScene(row["id"], row["role"], row["reason"]) for row in csv.DictReader(file)]


@dataclass(frozen=True)
class Reason:
    """Why scenes of one role were declined, and how many."""

    role: str
    reason: str
    count: int


def reasons_in_short(declined: list[DeclinedScene]) -> list[Reason]:
    """Return how many scenes of each role were declined for the same reason, figures and names aside, most first."""
    counts: Counter[tuple[str, str]] = Counter()
    for scene in declined:
        reason = re.sub(r"^item \S+: ", "", scene.reason).partition(" (")[0].partition(": ")[0]
        words = ["…" if re.search(r"[\d_]", word) else word for word in reason.split(" ")]
        counts[scene.role, " ".join(words)] += 1
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return [Reason(role, reason, count) for (role, reason), count in ordered]
