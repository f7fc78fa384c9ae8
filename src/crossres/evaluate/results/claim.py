"""The claim: a start from the LR image reaches the noise start's best quality in fewer evaluations of the network.

For a quality Q that is better when lower, over numbers N of function evaluations, with one sample from each start:

    tau_Q = min over N of Q(noise start, N),   N_Q = the N where that is,
    NFE_Q = the smallest N of the LR start with Q <= tau_Q,   S_Q = N_Q / NFE_Q, or 0 where it never gets there.

Q is the mean over held-out scenes; a scene's value is its mean over the seeds of training. The claim holds when S of
the sliced Wasserstein distance is at least CLAIMED, and at those two N the LR start's PSNR and cPSNR are no lower and
its hallucination is no higher, all with 95 % intervals from resampled scenes.

Where both starts end at the same quality, tau is decided by chance and S says little. So the reverse is told beside it,
without a verdict: for each N of the LR start the smallest N of the noise start that is as good.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from crossres.evaluate.results.intervals import LEVEL, MIN_SCENES, Interval, interval

CLAIMED = 4.0
QUALITIES = ("swd", "spectrum_error")
GUARDS = {"psnr_db": "higher", "cpsnr_db": "higher", "hallucination": "lower"}
"""What speed must not be paid with, and which way is better."""

Answer = Literal["yes", "no", "undecided"]
Verdict = Literal["holds", "does not hold", "cannot be said"]
Curve = Mapping[int, Mapping[str, np.ndarray]]
"""NFE -> metric -> (seed, scene) values of one sample."""


@dataclass(frozen=True)
class SpeedUp:
    """How much sooner the LR start is as good as the noise start ever gets, for one quality."""

    tau: float
    noise_nfe: int
    """Where the noise start is at its best."""
    lr_nfe: int | None
    """Where the LR start first is as good; None when it never is."""
    value: float
    low: float | None
    """Ends of the 95 % interval of `value`; None without resampling."""
    high: float | None
    """As `low`."""


def speed_up(lr: Mapping[int, float], noise: Mapping[int, float]) -> SpeedUp:
    """Return S_Q from Q at each NFE of either start, without an interval."""
    noise_nfe = min(sorted(noise), key=lambda n: noise[n])
    tau = noise[noise_nfe]
    lr_nfe = next((n for n in sorted(lr) if lr[n] <= tau), None)
    return SpeedUp(tau, noise_nfe, lr_nfe, noise_nfe / lr_nfe if lr_nfe else 0.0, None, None)


@dataclass(frozen=True)
class Match:
    """How long the noise start takes to what the LR start has after some evaluations."""

    lr_nfe: int
    noise_nfe: int | None
    """None when it never gets there."""
    low: int | None
    """Ends of the 95 % interval of `noise_nfe`; None where that is never."""
    high: int | None
    """As `low`."""


def matches(lr: Mapping[int, float], noise: Mapping[int, float]) -> dict[int, float]:
    """Return for each NFE of the LR start the smallest of the noise start with as good a Q; inf where none has."""
    return {n: next((m for m in sorted(noise) if noise[m] <= lr[n]), np.inf) for n in sorted(lr)}


@dataclass(frozen=True)
class Compared:
    """The two numbers of evaluations at which the guards are compared."""

    lr_nfe: int
    """Where the LR start first is as good as the noise start ever is in SWD or, if never, at its own best."""
    noise_nfe: int
    """Where the noise start is at its best."""


@dataclass(frozen=True)
class Evidence:
    """What the curves of both starts say, over all seeds or of one."""

    speed_up: dict[str, SpeedUp]
    """By quality."""
    matches: dict[str, tuple[Match, ...]]
    """By quality: one for each NFE of the LR start."""
    compared: Compared
    differences: dict[str, Interval | None]
    """By guard: LR start minus noise start there."""
    answers: dict[str, Answer]
    """By condition of the claim: is it met?"""


@dataclass(frozen=True)
class Judgement(Evidence):
    """Whether the claim holds for one kind of model: the evidence over all its seeds, and what follows."""

    scenes: int
    seeds: int
    claimed: float
    """The speed-up that is asked for."""
    level: float
    """Of all intervals."""
    verdict: Verdict
    by_seed: tuple[Evidence, ...]


@dataclass(frozen=True)
class Claim:
    """What claim.json holds."""

    kinds: dict[str, Judgement]
    """By kind of model."""


def judge_claim(lr: Curve, noise: Curve, replicates: int, seed: int) -> Judgement:
    """Judge the claim over all seeds, with what each seed says.

    Both starts are of the same weights, solver and scenes. Scenes where a value is missing are left out.
    """
    seeds = len(next(iter(lr.values()))["swd"])
    lr, noise = (_kept(curve, complete_scenes(lr, noise)) for curve in (lr, noise))
    scenes = next(iter(lr.values()))["swd"].shape[1]
    each = tuple(_evidence(_seed(lr, i), _seed(noise, i), replicates, seed) for i in range(seeds))
    pooled = _evidence(_pooled(lr), _pooled(noise), replicates, seed)
    return Judgement(
        **vars(pooled), scenes=scenes, seeds=seeds, claimed=CLAIMED, level=LEVEL,
        verdict=verdict(pooled.answers, scenes), by_seed=each,
    )  # fmt: skip


def verdict(answers: Mapping[str, Answer], scenes: int) -> Verdict:
    """Return what follows from the single answers; fewer than MIN_SCENES scenes have no interval to be believed."""
    if scenes < MIN_SCENES:
        return "cannot be said"
    if "no" in answers.values():
        return "does not hold"
    return "holds" if set(answers.values()) == {"yes"} else "cannot be said"


def _evidence(lr: Curve, noise: Curve, replicates: int, seed: int) -> Evidence:
    """Return speed-ups, guards and answers from (1, scene) values."""
    means = {q: _means(lr, noise, q, replicates, seed) for q in QUALITIES}
    speed = {q: _speed_up(*both) for q, both in means.items()}
    swd = speed["swd"]
    # Where the LR start never gets there, it is compared at its own best.
    chosen = swd.lr_nfe or min(sorted(lr), key=lambda n: float(lr[n]["swd"].mean()))
    apart = {key: interval((lr[chosen][key] - noise[swd.noise_nfe][key])[0], replicates, seed) for key in GUARDS}
    fast = _at_least(swd.low, swd.high, CLAIMED)
    return Evidence(
        speed_up=speed,
        matches={q: _matches(*both) for q, both in means.items()},
        compared=Compared(chosen, swd.noise_nfe),
        differences=apart,
        answers={"swd": fast} | {key: _no_worse(apart[key], better) for key, better in GUARDS.items()},
    )


_Means = tuple[dict[int, float], dict[int, float]]
"""A quality by NFE, mean over scenes: of the LR start, of the noise start."""


def _means(lr: Curve, noise: Curve, quality: str, replicates: int, seed: int) -> tuple[_Means, list[_Means]]:
    """Return the means over all scenes and those over each resampling of the scenes."""
    values = [{n: metrics[quality][0] for n, metrics in curve.items()} for curve in (lr, noise)]
    scenes = len(next(iter(values[0].values())))
    chosen = np.random.default_rng([seed, 2]).integers(0, scenes, (replicates, scenes))
    a, b = ({n: v[chosen].mean(axis=1) for n, v in curve.items()} for curve in values)
    draws = [({n: v[i] for n, v in a.items()}, {n: v[i] for n, v in b.items()}) for i in range(replicates)]
    whole = [{n: float(v.mean()) for n, v in curve.items()} for curve in values]
    return (whole[0], whole[1]), draws


def _speed_up(means: _Means, draws: list[_Means]) -> SpeedUp:
    """Return the speed-up with the interval of those of the resamplings, each with its own tau."""
    low, high = _ends([speed_up(*draw).value for draw in draws])
    return replace(speed_up(*means), low=float(low), high=float(high))


def _matches(means: _Means, draws: list[_Means]) -> tuple[Match, ...]:
    """Return what `matches` does, each with its interval."""
    each = [matches(*draw) for draw in draws]
    return tuple(
        Match(n, *(int(v) if np.isfinite(v) else None for v in (m, *_ends([found[n] for found in each]))))
        for n, m in matches(*means).items()
    )


def _ends(values: list[float]) -> tuple[float, float]:
    """Return the ends of the interval that holds LEVEL of the values, both of them among these."""
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="inverted_cdf")
    return low, high


def _at_least(low: float | None, high: float | None, bar: float) -> Answer:
    if low is None or high is None:
        return "undecided"
    return "yes" if low >= bar else "no" if high < bar else "undecided"


def _no_worse(found: Interval | None, better: str) -> Answer:
    """Say whether a difference, LR start minus noise start, is on the good side of zero throughout its interval."""
    if found is None:
        return "undecided"
    low, high = (found.low, found.high) if better == "higher" else (-found.high, -found.low)
    return "yes" if low >= 0 else "no" if high < 0 else "undecided"


def complete_scenes(*curves: Curve) -> np.ndarray:
    """Return which scenes have every value, (scene,) bool."""
    keys = (*QUALITIES, *GUARDS)
    return np.all([np.isfinite(m[k]).all(axis=0) for curve in curves for m in curve.values() for k in keys], axis=0)


def _kept(curve: Curve, scenes: np.ndarray) -> dict[int, dict[str, np.ndarray]]:
    return {n: {key: values[:, scenes] for key, values in metrics.items()} for n, metrics in curve.items()}


def _seed(curve: Curve, i: int) -> dict[int, dict[str, np.ndarray]]:
    return {n: {key: v[i : i + 1] for key, v in metrics.items()} for n, metrics in curve.items()}


def _pooled(curve: Curve) -> dict[int, dict[str, np.ndarray]]:
    return {n: {key: v.mean(axis=0, keepdims=True) for key, v in metrics.items()} for n, metrics in curve.items()}
