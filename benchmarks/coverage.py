"""What the intervals of results hold, on made-up results whose truth is known.

    python benchmarks/coverage.py

A 95 % interval should hold the truth in 95 of 100 repetitions. Means: values of scenes and seeds,
x = scene + seed + rest, the scene's of standard deviation 1. Speed-ups: curves of two starts whose
true speed-up is known, each start, scene, seed and point off by some percent.
"""

import argparse
from collections.abc import Callable, Mapping
from itertools import product

import numpy as np

from crossres.evaluate.results.intervals import half_width
from crossres.evaluate.results.speed_up import TOLERANCE, speed_up

Law = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
SCENES = (4, 6, 8, 12, 24)


def lognormal(spread: float) -> Law:
    """Return a log-normal law of mean 0 and variance 1; its skewness is 0.95 at a spread of 0.3, 1.75 at 0.5."""
    mean, variance = np.exp(spread**2 / 2), (np.exp(spread**2) - 1) * np.exp(spread**2)
    return lambda rng, shape: (np.exp(spread * rng.standard_normal(shape)) - mean) / np.sqrt(variance)


LAWS: dict[str, Law] = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "log-normal, skewness 0.95": lognormal(0.3),
    "log-normal, skewness 1.75": lognormal(0.5),
    "log-normal, skewness 6.2": lognormal(1.0),
    "t of 3 degrees": lambda rng, shape: rng.standard_t(3, shape) / np.sqrt(3),
}
SEEDS = {"one seed": (1, 0.0, 0.3)} | {
    f"{count} seeds, {seed} and {rest}": (count, seed, rest)
    for count in (2, 3)
    for seed, rest in ((0.0, 0.3), (0.1, 0.3), (0.3, 0.3), (1.0, 0.3), (0.0, 1.0))
}
"""Number of seeds, and the standard deviations of a seed's effect and of what neither scene nor seed explains."""


def tables(
    law: Law, scenes: int, seeds: int, by_seed: float, rest: float, repetitions: int, rng: np.random.Generator
) -> np.ndarray:
    """Return (repetition, seed, scene) values whose true mean is 0."""
    scene = law(rng, (repetitions, 1, scenes))
    seed = by_seed * rng.standard_normal((repetitions, seeds, 1))
    return scene + seed + rest * rng.standard_normal((repetitions, seeds, scenes))


def held(values: np.ndarray) -> float:
    """Return in what share of repetitions the interval of the mean holds 0."""
    return float(np.mean([abs(table.mean()) <= half_width(table) for table in values]))


def held_by_percentiles(values: np.ndarray, rng: np.random.Generator, replicates: int = 1000) -> float:
    """Return the same of percentile intervals over scenes with seeds averaged, as crossres had them before."""
    found = []
    for table in values:
        scenes = table.mean(axis=0)
        means = scenes[rng.integers(0, len(scenes), (replicates, len(scenes)))].mean(axis=1)
        low, high = np.quantile(means, (0.025, 0.975))
        found.append(low <= 0 <= high)
    return float(np.mean(found))


def held_by_bootstrap_t(values: np.ndarray, rng: np.random.Generator, replicates: int = 1000) -> tuple[float, float]:
    """Return the same of bootstrap-t over the scenes of one seed, and how many times as wide as by t it is (median)."""
    found, widths = [], []
    for table in values:
        scenes = table[0]
        drawn = scenes[rng.integers(0, len(scenes), (replicates, len(scenes)))]
        error = drawn.std(axis=1, ddof=1)
        apart = (drawn.mean(axis=1) - scenes.mean())[error > 0] / error[error > 0]
        low, high = scenes.mean() - scenes.std(ddof=1) * np.quantile(apart, (0.975, 0.025))
        found.append(low <= 0 <= high)
        widths.append((high - low) / (2 * half_width(table)))
    return float(np.mean(found)), float(np.median(widths))


NFE = (2, 4, 8, 16, 32)
CURVES: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "8, clear": ((4.6, 3.9, 3.7, 3.6, 3.6), (9.0, 7.0, 5.5, 4.5, 4.0)),
    "2, clear": ((4.55, 3.15, 2.82, 2.75, 2.71), (6.23, 4.71, 3.82, 3.75, 3.73)),
    "2, noise at the edge": ((5.0, 3.9, 3.7, 3.6, 3.6), (9.0, 7.0, 4.19, 4.05, 4.0)),
    "4, noise at the edge": ((5.0, 3.9, 3.7, 3.6, 3.6), (9.0, 7.0, 4.21, 4.05, 4.0)),
    "2, LR at the edge": ((5.0, 4.21, 4.0, 4.0, 4.0), (9.0, 7.0, 5.0, 4.1, 4.0)),
    "4, LR at the edge": ((5.0, 4.19, 4.0, 4.0, 4.0), (9.0, 7.0, 5.0, 4.1, 4.0)),
    "0, both alike but for 5 %": ((4.3, 4.21, 4.21, 4.21, 4.21), (7.0, 5.0, 4.1, 4.0, 4.0)),
    "2, flat": ((4.4, 4.1, 4.0, 4.0, 4.0), (5.0, 4.3, 4.0, 4.0, 4.0)),
}
"""True speed-up: quality at each of NFE of the LR start, of the noise start."""


def curves(
    truth: tuple[tuple[float, ...], tuple[float, ...]], scenes: int, seeds: int, off: float, rng: np.random.Generator
) -> list[dict[int, np.ndarray]]:
    """Return both starts' (seed, scene) values by NFE: hard scenes are hard for both, and the rest is by `off`."""
    scene = 0.2 * rng.standard_normal((1, scenes))
    found = []
    for start in truth:
        each = scene + off * (rng.standard_normal((1, scenes)) + rng.standard_normal((seeds, 1)))
        found.append(
            {
                nfe: value
                * (1 + each + off * (rng.standard_normal((1, scenes)) + rng.standard_normal((seeds, scenes))))
                for nfe, value in zip(NFE, start)
            }
        )
    return found


def true_speed_up(truth: tuple[tuple[float, ...], tuple[float, ...]]) -> float:
    """Return the speed-up of the curves without anything by chance."""
    lr, noise = ({nfe: np.array([[value]]) for nfe, value in zip(NFE, start)} for start in truth)
    return speed_up(lr, noise).value


def judged(
    truth: tuple[tuple[float, ...], tuple[float, ...]], scenes: int, seeds: int, off: float, repetitions: int,
    rng: np.random.Generator,
) -> Mapping[str, float]:  # fmt: skip
    """Return shares of repetitions: the interval of the speed-up holds the truth, is all above it, says 4 or more."""
    true = true_speed_up(truth)
    found = [speed_up(*curves(truth, scenes, seeds, off, rng)) for _ in range(repetitions)]
    lows, highs = np.array([s.low for s in found]), np.array([s.high for s in found])
    return {
        "holds": float(np.mean((lows <= true) & (true <= highs))),
        "above": float(np.mean(lows > true)),
        "4 or more": float(np.mean(lows >= 4)),
        "value right": float(np.mean([s.value == true for s in found])),
    }


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=4000)
    repetitions = parser.parse_args().repetitions
    rng = np.random.default_rng(0)
    print("Means: % held, and by percentiles; seeds with the spread of seeds and of the rest")
    print("|", " | ".join(["scenes' law", "seeds", *(f"{n} scenes" for n in SCENES)]), "|")
    for name, law in LAWS.items():
        for kind, (count, seed, rest) in SEEDS.items():
            cells = []
            for scenes in SCENES:
                values = tables(law, scenes, count, seed, rest, repetitions, rng)
                cells.append(f"{100 * held(values):.1f} ({100 * held_by_percentiles(values[:1000], rng):.0f})")
            print("|", " | ".join([name, kind, *cells]), "|", flush=True)
        cells = []
        for scenes in SCENES:
            share, width = held_by_bootstrap_t(tables(law, scenes, 1, 0.0, 0.0, min(repetitions, 2000), rng), rng)
            cells.append(f"{100 * share:.1f} (width {width:.1f})")
        print("|", " | ".join([name, "one seed without rest, bootstrap-t", *cells]), "|", flush=True)
    print(f"Speed-ups within a tolerance of {TOLERANCE}: % of intervals that hold it, lie above it, say 4 or more")
    for name, truth in CURVES.items():
        for scenes, seeds, off in product((6, 12), (1, 2, 3), (0.01, 0.04)):
            shares = judged(truth, scenes, seeds, off, repetitions // 4, rng)
            text = ", ".join(f"{key} {100 * share:.1f}" for key, share in shares.items())
            print(f"true {name}; {scenes} scenes, seeds {seeds}, off by {off}: {text}", flush=True)


if __name__ == "__main__":
    main()
