"""Exact percentiles of images too large to sort: from counts of whole numbers, or of floats in two passes.

The bits of a float32 that is not negative, read as a whole number, keep its order. The first pass counts values by
their upper 16 bits, the second those that share the upper bits of the values that are sought.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


def added(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return the sum of arrays (..., n) that are as long as they need to be, in their order."""
    total = np.zeros((*parts[0].shape[:-1], max(part.shape[-1] for part in parts)), parts[0].dtype)
    for part in parts:
        total[..., : part.shape[-1]] += part
    return total


def ranks(counts: np.ndarray, order: np.ndarray | Sequence[int]) -> np.ndarray:
    """Return which of the numbers 0, 1, ... that stand there `counts` times are at these places of their order."""
    return np.searchsorted(np.cumsum(counts), order, "right")


def between(size: int, percent: float) -> tuple[int, int, float]:
    """Return the two places of `size` values in order that a percentile lies between, and how far from the first."""
    at = percent / 100 * (size - 1)
    low = int(at)
    return low, min(low + 1, size - 1), at - low


def percentile(counts: np.ndarray, percent: float) -> float:
    """Return a percentile of whole numbers 0, 1, ... of which `counts` says how many there are of each."""
    low, high, part = between(int(counts.sum()), percent)
    first, second = ranks(counts, [low, high])
    return float(first + (second - first) * part)


def upper_counts(values: np.ndarray) -> np.ndarray:
    """Return how many float32 values, none negative, there are of each upper 16 bits."""
    return np.bincount(values.view(np.uint32) >> 16)


@dataclass(frozen=True)
class Sought:
    """A percentile of floats after the first pass."""

    places: tuple[int, int]
    """Of the two values that it lies between, in the order of all."""
    part: float
    """How far it is from the first to the second."""
    uppers: tuple[int, int]
    """Their upper 16 bits."""
    before: tuple[int, int]
    """How many values have smaller upper bits."""


def sought(counts: np.ndarray, percent: float) -> Sought:
    """Return where a percentile lies, from the `upper_counts` of all values."""
    low, high, part = between(int(counts.sum()), percent)
    uppers = ranks(counts, [low, high])
    reached = np.concatenate([[0], np.cumsum(counts)])
    return Sought(
        (low, high), part, (int(uppers[0]), int(uppers[1])), (int(reached[uppers[0]]), int(reached[uppers[1]]))
    )


def lower_counts(values: np.ndarray, what: Sought) -> np.ndarray:
    """Return how many values with either upper bits there are of each lower 16 bits, (2, n)."""
    bits = values.view(np.uint32)
    found = [(bits[(bits >> 16) == upper] & 0xFFFF).astype(np.int64) for upper in what.uppers]
    longest = max((int(f.max()) + 1 for f in found if f.size), default=0)
    return np.stack([np.bincount(f, minlength=longest) for f in found])


def value(counts: np.ndarray, what: Sought) -> np.float32:
    """Return the percentile, from the `lower_counts` of all values."""
    ends = [
        np.uint32((upper << 16) + int(ranks(own, [place - before])[0])).view(np.float32)
        for upper, own, place, before in zip(what.uppers, counts, what.places, what.before, strict=True)
    ]
    return np.float32(float(ends[0]) + (float(ends[1]) - float(ends[0])) * what.part)
