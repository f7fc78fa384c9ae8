"""Intervals over scenes and seeds: these, not pixels or patches, are what a result must generalise over.

Of one model, Student's t over its n scenes. Of m models that are seeds of one training, scenes and seeds are both
drawn at random (a two-way layout without replication). With A, B and E the mean squares of scenes, of seeds and of
what neither explains,

    half a width = sqrt((t_A^2 A + t_B^2 max(B - E, 0)) / (n m)),   t_A = t(n - 1), t_B = t(m - 1)        (Howe 1974)

which is the t interval of the scenes' means where seeds do not differ, and that of the seeds' where scenes do not.
`benchmarks/coverage.py` has what such intervals hold: 95 to 98 % of means for normal effects, 94 % and more for
moderately skewed ones. Percentile intervals of the bootstrap, as were here before, held 79 % at four scenes and 85 %
at six, and with seeds averaged away down to 37 %. Bootstrap-t holds strongly skewed means of one seed better, but is
twice as wide at four scenes, and has no like for seeds.

An interval may leave the range of its metric; it is not clipped.
"""

from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from scipy import special  # not scipy.stats, which takes most of a second to load

from crossres.evaluate.metrics.metric import Metric

LEVEL = 0.95
MIN_SCENES = 6
"""With fewer no verdict is given, and the summary says so: t is right for normal effects at any number, but that scenes
are so cannot be seen in four or five of them, and one odd scene in five is no rare thing."""

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


def interval(values: np.ndarray) -> Interval | None:
    """Return the mean and its 95 % interval (equation of this module); None without a finite value.

    `values` are (scene,), or (seed, scene) of seeds of one training; scenes where one is not finite are left out. Both
    ends of one scene's are its mean: it has no interval.
    """
    table = np.atleast_2d(np.asarray(values, np.float64))
    table = table[:, np.isfinite(table).all(axis=0)]
    if not table.size:
        return None
    mean, half = float(table.mean()), half_width(table)
    return Interval(mean, mean - half, mean + half, table.shape[1])


def half_width(table: np.ndarray) -> float:
    """Return half the width of the 95 % interval of the mean of (seed, scene) values; 0 for one scene."""
    seeds, scenes = table.shape
    if scenes == 1:
        return 0.0
    by_scene, by_seed = table.mean(axis=0), table.mean(axis=1)
    square = _quantile(scenes) ** 2 * seeds * by_scene.var(ddof=1)
    if seeds > 1:
        rest = table - by_scene - by_seed[:, None] + table.mean()
        error = (rest**2).sum() / ((seeds - 1) * (scenes - 1))
        square += _quantile(seeds) ** 2 * max(scenes * by_seed.var(ddof=1) - error, 0.0)
    return float(np.sqrt(square / table.size))


@cache
def _quantile(count: int) -> float:
    """Return how many standard errors an interval of the mean of so many reaches on either side."""
    return float(special.stdtrit(count - 1, (1 + LEVEL) / 2))


def difference(apart: np.ndarray, metric: Metric[Any]) -> Difference | None:
    """Return what paired differences of a metric say, (scene,); None without a finite one."""
    found = interval(apart)
    if found is None:
        return None
    ahead = int((metric.gain(1.0) * np.asarray(apart) > 0).sum()) if metric.better else None
    return Difference(**asdict(found), ahead=ahead)
