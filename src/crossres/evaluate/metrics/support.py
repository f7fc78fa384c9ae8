"""What the detail of a sample rests on, by support.tif, and whether it is wrong where support.tif says drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import dask.array as da
import numpy as np
from dask.delayed import Delayed

from crossres.evaluate.metrics.aligned_pair import Arm
from crossres.evaluate.metrics.pixels import chosen
from crossres.evaluate.metrics.ranked import picked_pixels, picked_within, worst_told
from crossres.imagery.neighbourhood import Near, per_neighbourhood
from crossres.imagery.numbers import SUPPORT
from crossres.records import Number


@dataclass(frozen=True)
class Support:
    """Detail beyond bicubic interpolation, over the pixels that count."""

    shares: dict[str, Number]
    """Name in `SUPPORT` -> share of the sum of squares of one sample's detail; NaN where there is none."""
    roc_area: Number
    """Area under ROC of `drawn` for the quarter of pixels with the largest error of one sample, bands together."""


def support_parts(arm: Arm, hr: da.Array, clear: np.ndarray) -> list[Delayed]:
    """Return what is known of each block, for `support`; none of an arm that does not say what its detail rests on.

    `hr` is (band, row, column) reflectance, `clear` (row, column).
    """
    if arm.support is None:
        return []
    tally = partial(_tally, picked=picked_pixels(clear))
    return per_neighbourhood(tally, 0, arm.support, arm.mean, arm.one, hr, clear, with_place=True)


def support(parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> Support | None:
    """Return what all blocks together say; None without any.

    What is drawn in a sample x is its distance from the mean m. The band `drawn` is the error that comes of it, which
    has HR's own distance from m in it as well; so the share is of (x - m)^2, and the band is judged against the error.
    """
    if not parts:
        return None
    squares = np.sum([block for block, _ in parts], axis=0)
    total = squares.sum() or np.nan
    drawn, error = np.concatenate([ranked for _, ranked in parts], axis=-1)
    return Support(
        {name: float(share) for name, share in zip(SUPPORT, squares / total, strict=True)}, worst_told(drawn, error)
    )


def _tally(
    near: Near, support: np.ndarray, mean: np.ndarray, sample: np.ndarray, hr: np.ndarray, clear: np.ndarray,
    picked: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Return the sums of squares that are measured, inferred and drawn, and (2, picked): `drawn` and a sample's error.

    Squares are means over bands.
    """
    measured, inferred, _ = np.square(chosen(support, clear)).sum(axis=1, dtype=np.float64)
    drawn = np.square(chosen(sample - mean, clear)).sum(dtype=np.float64) / len(sample)
    row, col = picked_within(near, picked)
    error = np.sqrt(np.square((sample - hr)[:, row, col]).mean(axis=0))
    return np.array([measured, inferred, drawn]), np.stack([support[-1, row, col], error])
