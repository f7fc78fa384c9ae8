"""Intervals over scenes: scenes, not pixels or patches, are what a result must generalise over."""

from dataclasses import dataclass

import numpy as np

LEVEL = 0.95
MIN_SCENES = 6
"""With fewer, a percentile interval of the bootstrap is too narrow to be believed, and the summary says so."""


def few(scenes: int) -> bool:
    """Return whether so many scenes are too few to tell better from worse."""
    return scenes < MIN_SCENES


def ahead(count: int, scenes: int) -> str:
    """Return in words in how many of a few scenes one image was better than another."""
    if scenes == 1:
        return "ahead" if count else "behind"
    return f"ahead in {count} of {scenes}"


@dataclass(frozen=True)
class Interval:
    """A mean over scenes with its interval."""

    mean: float
    low: float
    high: float
    n: int


def interval(values: np.ndarray, replicates: int, seed: int) -> Interval | None:
    """Return the mean over scenes and its 95 % percentile bootstrap interval; None without a finite value.

    Paired differences are bootstrapped by passing the differences. The seed alone fixes the resampling, so all metrics
    of a run use the same resampled scenes. Source: Efron and Tibshirani 1993, chapter 13.
    """
    values = np.asarray(values, np.float64)
    values = values[np.isfinite(values)]
    if not values.size:
        return None
    draws = np.random.default_rng([seed, 2]).integers(0, len(values), (replicates, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(values.mean()), float(low), float(high), len(values))
