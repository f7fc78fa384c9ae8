"""Intervals over scenes: scenes, not pixels or patches, are what a result must generalise over."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from crossres.evaluate.metrics.metric import Metric

LEVEL = 0.95
MIN_SCENES = 6
"""With fewer, a percentile interval of the bootstrap is too narrow to be believed, and the summary says so."""

Verdict = Literal["better", "worse", "undecided"]
Standing = Literal[
    "better", "ahead in every scene", "ahead", "worse", "behind in every scene", "behind", "undecided", "mixed"
]
"""From good to doubtful: a verdict or, of too few scenes for one, what was seen in them."""


def few(scenes: int) -> bool:
    """Return whether so many scenes are too few to tell better from worse."""
    return scenes < MIN_SCENES


@dataclass(frozen=True)
class Interval:
    """A mean over scenes with its interval."""

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Difference(Interval):
    """A metric of one image minus that of another, paired by scene, and what follows from it."""

    ahead: int | None = None
    """In how many scenes the first image is better; None for a metric of which neither way is better."""

    @property
    def few(self) -> bool:
        """Whether the scenes are too few to tell better from worse."""
        return few(self.n)

    def verdict(self, metric: Metric[Any]) -> Verdict:
        """Say whether the first image is better: so it is when the whole interval is on the better side of 0.

        It is undecided when the interval holds 0, and with too few scenes for an interval.
        """
        if self.few:
            return "undecided"
        worst, best = sorted(metric.gain(end) for end in (self.low, self.high))
        return "better" if worst > 0 else "worse" if best < 0 else "undecided"

    def seen(self) -> str:
        """Say in how many of the scenes the first image is ahead: what was seen, not what would be elsewhere."""
        if self.n == 1:
            return "ahead" if self.ahead else "behind"
        return f"ahead in {self.ahead} of {self.n}"

    def standing(self, metric: Metric[Any]) -> Standing:
        """Return the verdict or, with too few scenes for one, whether the first image is ahead in all, some or none."""
        if not self.few:
            return self.verdict(metric)
        if self.n == 1:
            return "ahead" if self.ahead else "behind"
        return "ahead in every scene" if self.ahead == self.n else "mixed" if self.ahead else "behind in every scene"

    def words(self, metric: Metric[Any]) -> str:
        """Return the verdict or, with too few scenes for one, what was seen in them."""
        return self.seen() if self.few else self.verdict(metric)


def interval(values: np.ndarray, replicates: int, seed: int) -> Interval | None:
    """Return the mean over scenes and its 95 % percentile bootstrap interval; None without a finite value.

    The seed alone fixes the resampling, so all metrics of a run use the same resampled scenes. Source: Efron and
    Tibshirani 1993, chapter 13.
    """
    values = np.asarray(values, np.float64)
    values = values[np.isfinite(values)]
    if not values.size:
        return None
    draws = np.random.default_rng([seed, 2]).integers(0, len(values), (replicates, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(values.mean()), float(low), float(high), len(values))


def difference(apart: np.ndarray, metric: Metric[Any], replicates: int, seed: int) -> Difference | None:
    """Return what paired differences of a metric say, (scene,); None without a finite one."""
    found = interval(apart, replicates, seed)
    if found is None:
        return None
    ahead = int((metric.gain(1.0) * np.asarray(apart) > 0).sum()) if metric.better else None
    return Difference(**asdict(found), ahead=ahead)
