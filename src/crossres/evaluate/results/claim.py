"""The claim: a start from the LR image reaches the noise start's best quality in fewer evaluations of the network.

S_Q is the speed-up in a quality Q as `speed_up` defines it, with one sample from each start, of the mean over held-out
scenes and over the seeds of training. The noise start is the best, at each number of evaluations, of all that the LR
start is held against, chosen for each quality.

The claim holds in Q when S_Q is at least CLAIMED and, at the two numbers of evaluations of S_Q, the LR start's PSNR and
cPSNR are no lower and its hallucination is no higher, all with 95 % intervals over scenes and seeds. It holds when it
does in the sliced Wasserstein distance and in the spectrum error, over two seeds or more. (PSNR and hallucination
favour few evaluations, which are smoother; the spectrum error does not.)

Where both starts end at the same quality, S says little. So the reverse is told beside it, without a verdict: for each
N of the LR start the smallest N of the noise start that is as good.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from crossres.evaluate.results.intervals import LEVEL, MIN_SCENES, Interval, interval
from crossres.evaluate.results.speed_up import TOLERANCE, Answer, Match, SpeedUp, Tables, matches, speed_up

CLAIMED = 4.0
MIN_SEEDS = 2
"""Of one training, the intervals of S held its true value over trainings in 80 % of simulations, not in 95 %."""
QUALITIES = ("swd", "spectrum_error")
GUARDS = {"psnr_db": "higher", "cpsnr_db": "higher", "hallucination": "lower"}
"""What speed must not be paid with, and which way is better."""

QualityVerdict = Literal["holds", "does not hold", "cannot be said"]
Verdict = Literal[
    "holds", "holds in SWD alone", "holds in spectrum error alone", "does not hold", "cannot be said"
]  # fmt: skip
Curve = Mapping[int, Mapping[str, np.ndarray]]
"""NFE -> metric -> (seed, scene) values of one sample."""


@dataclass(frozen=True)
class Compared:
    """The two numbers of evaluations at which the guards are compared."""

    lr_nfe: int
    """Where the LR start first is as good as the noise start in the quality or, if never, at its own best."""
    noise_nfe: int
    """Where the noise start first is within the tolerance of its best."""


@dataclass(frozen=True)
class Evidence:
    """What the curves of both starts say of one quality, over all seeds or of one."""

    noise_of: dict[int, str]
    """NFE -> the kind of model whose noise start is the best there."""
    speed_up: SpeedUp
    matches: tuple[Match, ...]
    """One for each NFE of the LR start."""
    compared: Compared
    differences: dict[str, Interval | None]
    """By guard: LR start minus noise start there."""
    answers: dict[str, Answer]
    """By condition of the claim, `speed` and each guard: is it met?"""
    verdict: QualityVerdict


@dataclass(frozen=True)
class Judgement:
    """Whether the claim holds for the LR start of one kind of model."""

    verdict: Verdict
    scenes: int
    seeds: int
    against: tuple[str, ...]
    """The kinds of model whose noise starts it was held against, its own among them if it has one."""
    claimed: float
    """The speed-up that is asked for."""
    tolerance: float
    """How far above the noise start's best both starts may be."""
    level: float
    """Of all intervals."""
    evidence: dict[str, Evidence]
    """By quality, over all seeds."""
    by_seed: tuple[dict[str, Evidence], ...]


@dataclass(frozen=True)
class Claim:
    """What claim.json holds."""

    kinds: dict[str, Judgement]
    """By kind of model."""


def judge_claim(lr: Curve, noise: Mapping[str, Curve]) -> Judgement:
    """Judge the claim over all seeds, with what each seed says.

    `noise` holds the noise starts by kind of model. All curves are of the same scenes and as many seeds; the seeds of
    two kinds are paired in their order. Scenes where a value is missing are left out.
    """
    keep = complete_scenes(lr, *noise.values())
    lr, noise = _cut(lr, np.s_[:, keep]), {kind: _cut(curve, np.s_[:, keep]) for kind, curve in noise.items()}
    seeds, scenes = next(iter(lr.values()))["swd"].shape

    def of_seed(i: int) -> dict[str, Evidence]:
        own = np.s_[i : i + 1]
        return _evidence(_cut(lr, own), {kind: _cut(curve, own) for kind, curve in noise.items()})

    pooled = _evidence(lr, noise)
    return Judgement(
        verdict=overall({quality: found.verdict for quality, found in pooled.items()}, seeds),
        scenes=scenes, seeds=seeds,
        against=tuple(noise), claimed=CLAIMED, tolerance=TOLERANCE, level=LEVEL, evidence=pooled,
        by_seed=tuple(of_seed(i) for i in range(seeds)),
    )  # fmt: skip


def verdict(answers: Mapping[str, Answer], scenes: int) -> QualityVerdict:
    """Return what follows from the single answers; fewer than MIN_SCENES scenes have no interval to be believed."""
    if scenes < MIN_SCENES:
        return "cannot be said"
    if "no" in answers.values():
        return "does not hold"
    return "holds" if set(answers.values()) == {"yes"} else "cannot be said"


def overall(verdicts: Mapping[str, QualityVerdict], seeds: int) -> Verdict:
    """Return the verdict over both qualities: where it holds in one alone, which that is.

    One training tells nothing of the next: with fewer than MIN_SEEDS it cannot be said.
    """
    if seeds < MIN_SEEDS:
        return "cannot be said"
    swd, spectrum = (verdicts[quality] for quality in QUALITIES)
    if swd == spectrum:
        return swd
    if swd == "holds":
        return "holds in SWD alone"
    if spectrum == "holds":
        return "holds in spectrum error alone"
    return "does not hold"


def best_of(noise: Mapping[str, Curve], quality: str) -> tuple[Curve, dict[int, str]]:
    """Return at each NFE the noise start with the smallest mean of a quality, and of which kind that is."""
    chosen: dict[int, str] = {}
    for nfe in sorted(set().union(*noise.values())):
        means = {kind: float(curve[nfe][quality].mean()) for kind, curve in noise.items() if nfe in curve}
        chosen[nfe] = min(means, key=lambda kind: means[kind])
    return {nfe: noise[kind][nfe] for nfe, kind in chosen.items()}, chosen


def _evidence(lr: Curve, noise: Mapping[str, Curve]) -> dict[str, Evidence]:
    return {quality: _of_quality(quality, lr, *best_of(noise, quality)) for quality in QUALITIES}


def _of_quality(quality: str, lr: Curve, noise: Curve, noise_of: dict[int, str]) -> Evidence:
    ours, theirs = _tables(lr, quality), _tables(noise, quality)
    speed = speed_up(ours, theirs)
    # Where the LR start never gets there, it is compared at its own best.
    chosen = speed.lr_nfe or min(sorted(ours), key=lambda n: float(ours[n].mean()))
    apart = {key: interval(lr[chosen][key] - noise[speed.noise_nfe][key]) for key in GUARDS}
    scenes = ours[chosen].shape[1]
    answers = {"speed": _at_least(speed.low, speed.high, CLAIMED)}
    answers |= {key: _no_worse(apart[key], better) for key, better in GUARDS.items()}
    return Evidence(
        noise_of=noise_of, speed_up=speed, matches=matches(ours, theirs), compared=Compared(chosen, speed.noise_nfe),
        differences=apart, answers=answers, verdict=verdict(answers, scenes),
    )  # fmt: skip


def _at_least(low: float | None, high: float | None, bar: float) -> Answer:
    if low is None or high is None:
        return "undecided"
    return "yes" if low >= bar else "no" if high < bar else "undecided"


def _no_worse(found: Interval | None, better: str) -> Answer:
    """Say whether a difference, LR start minus noise start, is on the good side of zero throughout its interval."""
    if found is None or found.n == 1:
        return "undecided"
    low, high = (found.low, found.high) if better == "higher" else (-found.high, -found.low)
    return "yes" if low >= 0 else "no" if high < 0 else "undecided"


def complete_scenes(*curves: Curve) -> np.ndarray:
    """Return which scenes have every value, (scene,) bool."""
    keys = (*QUALITIES, *GUARDS)
    return np.all([np.isfinite(m[k]).all(axis=0) for curve in curves for m in curve.values() for k in keys], axis=0)


def _cut(curve: Curve, part: slice | tuple[slice, np.ndarray]) -> Curve:
    return {n: {key: values[part] for key, values in metrics.items()} for n, metrics in curve.items()}


def _tables(curve: Curve, quality: str) -> Tables:
    return {n: metrics[quality] for n, metrics in curve.items()}
