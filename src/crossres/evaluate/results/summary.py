"""What is known of all held-out scenes together: summary.json."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from crossres.evaluate.metrics.metric import Image
from crossres.evaluate.metrics.registry import BY_KEY
from crossres.evaluate.results.intervals import Difference, Interval, Standing, Verdict
from crossres.evaluate.results.scene_result import Calibrations, Scene
from crossres.files import write_json
from crossres.records import Number, read_record

ALL_STRATA = "everywhere"
"""Stands in the table of values where a stratum's name would stand."""


@dataclass(frozen=True)
class Declined:
    """An arm that holds no image of a scene."""

    pair: str
    arm: str
    reason: str


@dataclass(frozen=True)
class StrataSummary:
    """Means by land cover, over the scenes whose strata are told by one rule."""

    rule: str
    scenes: int
    names: tuple[str, ...]
    shares: dict[str, Number]
    arms: dict[str, dict[Image, dict[str, dict[str, Interval | None]]]]
    """Arm -> image -> stratum -> metric."""


@dataclass(frozen=True)
class Summary:
    """All held-out scenes together; None stands where no scene has a value."""

    primary: str
    """The arm that is the product."""
    arm_order: tuple[str, ...]
    bands: tuple[str, ...]
    lr_gsd_m: Number
    hr_gsd_m: Number
    factor: Number
    """LR pixel / HR pixel."""
    level: Number
    """Of all intervals."""
    note: str | None
    """What to know of the intervals before they are read."""
    scenes: dict[str, Scene]
    """By pair."""
    declined: tuple[Declined, ...]
    arms: dict[str, dict[Image, dict[str, Interval | None]]]
    """Arm -> image -> metric."""
    differences: dict[str, dict[Image, dict[str, Difference | None]]]
    """Other arm -> image -> metric: the product minus that arm."""
    strata: StrataSummary
    calibration: Calibrations
    """Means over scenes."""

    def value(self, arm: str, image: Image, key: str) -> float | None:
        """Return a metric's mean over scenes."""
        found = self.arms[arm][image][key]
        return found.mean if found else None

    def verdict(self, other: str, image: Image, key: str) -> Verdict:
        """Say whether the product is better than another arm; see `Difference.verdict`."""
        found = self.differences[other][image][key]
        return found.verdict(BY_KEY[key]) if found else "undecided"

    def standing(self, other: str, image: Image, key: str) -> Standing:
        """Say how the product stands against another arm; see `Difference.standing`."""
        found = self.differences[other][image][key]
        return found.standing(BY_KEY[key]) if found else "undecided"

    def write(self, path: Path) -> None:
        """Write summary.json."""
        write_json(path, asdict(self, dict_factory=_without_empty_ahead))

    @classmethod
    def read(cls, path: Path) -> "Summary":
        """Read summary.json; `UserError` when it is missing or of another version."""
        return read_record(cls, path)


def _without_empty_ahead(items: list[tuple[str, Any]]) -> dict[str, Any]:
    """Leave `ahead` out of the differences of metrics of which neither way is better."""
    return {key: value for key, value in items if (key, value) != ("ahead", None)}
