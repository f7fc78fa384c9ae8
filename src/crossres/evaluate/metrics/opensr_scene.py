"""An aligned pair and its arms by opensr-test's protocol, where that can be used: whole chips, an integer factor."""

from dataclasses import dataclass

import dask.array as da
import numpy as np

from crossres.evaluate.metrics.aligned_pair import AlignedPair
from crossres.evaluate.metrics.metric import Image
from crossres.evaluate.metrics.opensr_test import BORDER_PX, OpensrTest, opensr_test
from crossres.imagery.numbers import Mask

LONGEST_PX = 2048
"""Side of the HR image, at most: the protocol holds it whole."""
LEAST_PX = 3 * BORDER_PX
"""Side of the HR image, at least: a border on both sides, and as much between."""

FIRST = {"red": 0, "green": 1, "blue": 2}
"""The bands that displacement from LR is told by."""


@dataclass(frozen=True)
class OpensrScene:
    """What the protocol says of a scene."""

    reason: str | None
    """Why it says nothing; None where it does."""
    arms: dict[str, dict[Image, OpensrTest]]


def opensr_scene(pair: AlignedPair) -> OpensrScene:
    """Judge each arm's mean and sample over the rectangle of LR pixels that have data; an arm with gaps is left out.

    Pixels whose land cover changed count, as the package knows no mask; of the bands, red, green and blue come first.
    Memory holds one arm at a time.
    """
    factor, shape = pair.factor, pair.hr.shape[1:]
    if factor.denominator != 1 or not 1 < factor.numerator <= BORDER_PX:
        return OpensrScene(f"its factor is {float(factor):g}; the protocol takes whole ones up to {BORDER_PX}", {})
    if max(shape) > LONGEST_PX:
        return OpensrScene(
            f"an HR image of {shape[1]} x {shape[0]} pixels is no chip (at most {LONGEST_PX} a side)", {}
        )
    step, order = factor.numerator, sorted(range(len(pair.bands)), key=lambda i: FIRST.get(pair.bands[i], 3))
    hr = np.asarray(pair.hr.compute())[order]
    there = np.isfinite(hr).all(0).reshape(shape[0] // step, step, shape[1] // step, step).all((1, 3))
    there &= np.isin(pair.mask, (Mask.CLEAR, Mask.CHANGED)) & np.isfinite(pair.lr).all(0)
    low = _rectangle(there)
    if min(there[low].shape) * step < LEAST_PX:
        return OpensrScene(f"its part with data has less than {LEAST_PX} HR pixels a side", {})
    if not there[low].all():
        return OpensrScene(
            f"{1 - there[low].mean():.1%} of it has no data or is masked; the protocol knows no mask", {}
        )
    high = slice(low[0].start * step, low[0].stop * step), slice(low[1].start * step, low[1].stop * step)
    lr, hr = pair.lr[order][:, *low], hr[:, *high]

    def judged(image: da.Array) -> OpensrTest | None:
        values = np.asarray(image[:, *high].compute())[order]
        return opensr_test(lr, values, hr) if np.isfinite(values).all() else None

    found: dict[str, dict[Image, OpensrTest]] = {}
    for name, arm in pair.arms.items():
        mean = judged(arm.mean)
        sample = mean if arm.single else judged(arm.sample)
        if mean is not None and sample is not None:
            found[name] = {"mean": mean, "sample": sample}
    return OpensrScene(None, found)


def _rectangle(there: np.ndarray) -> tuple[slice, slice]:
    """Return rows and columns from the first to the last that have any pixel."""
    sides = []
    for axis in (1, 0):
        found = np.flatnonzero(there.any(axis=axis))
        sides.append(slice(int(found[0]), int(found[-1]) + 1) if found.size else slice(0, 0))
    return sides[0], sides[1]
