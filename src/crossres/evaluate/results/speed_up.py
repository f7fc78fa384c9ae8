"""How many times fewer evaluations of the network one start needs than the other: the definition, and its interval.

For a quality Q that is better when lower and numbers N of function evaluations (NFE), both starts are held against one
level, 5 % above the noise start's best, and each is given its smallest N there:

    tau = min over N of Q(noise start, N),   N_s = the smallest N of start s with Q(s, N) <= TOLERANCE tau,
    S = N_noise / N_LR, or 0 where the LR start never gets there.

Without the tolerance S would rest on differences that nobody sees: were the noise start 2 % better at 32 evaluations
than at 8, S would be four times as large as the other way round.

S jumps from one N to the next, so a bootstrap of S, or t, says nothing of it. Each point of the curves is tested
instead: is Q(s, N) - TOLERANCE Q(noise start, its best N) below 0, above, or undecided, by the 95 % interval of this
difference over scenes and seeds? A start's N lies between its first point that is not above and its first that is
below, and S between the quotients of these. `benchmarks/coverage.py` has what that interval holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from crossres.evaluate.results.intervals import interval

TOLERANCE = 1.05

Answer = Literal["yes", "no", "undecided"]
Tables = Mapping[int, np.ndarray]
"""NFE -> (seed, scene) values of one quality."""


@dataclass(frozen=True)
class SpeedUp:
    """How much sooner the LR start is as good as the noise start, for one quality."""

    tau: float
    best_nfe: int
    """Where the noise start is at its best, tau."""
    noise_nfe: int
    """Where the noise start first is within the tolerance of tau."""
    lr_nfe: int | None
    """Where the LR start first is; None when it never is."""
    value: float
    low: float | None
    """Ends of the 95 % interval of `value`; None of one scene."""
    high: float | None
    """As `low`."""


@dataclass(frozen=True)
class Match:
    """How long the noise start takes to what the LR start has after some evaluations, within the tolerance."""

    lr_nfe: int
    noise_nfe: int | None
    """None when it never gets there."""
    low: int | None
    """Ends of the 95 % interval of `noise_nfe`; None where that is never."""
    high: int | None
    """As `low`."""


def speed_up(lr: Tables, noise: Tables) -> SpeedUp:
    """Return S with its interval (see this module)."""
    means = {n: float(values.mean()) for n, values in noise.items()}
    best = min(sorted(means), key=lambda n: means[n])
    ours, theirs = _reaching(lr, noise[best]), _reaching(noise, noise[best])
    value = _quotient(theirs.at, ours.at)
    ends = _quotient(theirs.low, ours.high), _quotient(theirs.high or best, ours.low)
    low, high = (None, None) if noise[best].shape[1] == 1 else ends
    return SpeedUp(means[best], best, theirs.at or best, ours.at, value, low, high)


def matches(lr: Tables, noise: Tables) -> tuple[Match, ...]:
    """Return for each NFE of the LR start the smallest of the noise start that is as good, with its interval."""
    found = ((n, _reaching(noise, lr[n])) for n in sorted(lr))
    return tuple(Match(n, reaching.at, reaching.low, reaching.high) for n, reaching in found)


@dataclass(frozen=True)
class _Reaching:
    """Where a curve reaches a level first, and between which points; None for never."""

    at: int | None
    low: int | None
    high: int | None


def _reaching(curve: Tables, reference: np.ndarray) -> _Reaching:
    """Return where a curve first is within the tolerance of the reference's mean."""
    means, answers = {}, {}
    for nfe, values in sorted(curve.items()):
        apart = values - TOLERANCE * reference
        means[nfe] = float(apart.mean())
        answers[nfe] = below(apart)
    return _Reaching(
        at=next((n for n, mean in means.items() if mean <= 0), None),
        low=next((n for n, answer in answers.items() if answer != "no"), None),
        high=next((n for n, answer in answers.items() if answer == "yes"), None),
    )


def below(apart: np.ndarray) -> Answer:
    """Say whether the mean of (seed, scene) values is 0 or less, as far as its interval decides that."""
    found = interval(apart)
    if found is None:
        return "undecided"
    return "yes" if found.high <= 0 else "no" if found.low > 0 else "undecided"


def _quotient(noise: int | None, lr: int | None) -> float:
    return noise / lr if noise and lr else 0.0
