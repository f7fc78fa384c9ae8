"""How well a score at each pixel tells the pixels that are wrong, from some that stand for all."""

import numpy as np
import pandas as pd

from crossres.imagery.neighbourhood import Near

RANKED_PIXELS = 50_000
WORST_SHARE = 0.25
"""Of the pixels, which a score should tell from the others."""


def picked_pixels(clear: np.ndarray) -> np.ndarray:
    """Return row and column, (2, pixel), of the clear pixels that are ranked: at equal steps, row after row."""
    by_row = np.cumsum(np.count_nonzero(clear, axis=1))
    pixel = np.arange(0, by_row[-1], max(1, by_row[-1] // RANKED_PIXELS))
    row = np.searchsorted(by_row, pixel, "right")
    col = np.empty_like(row)
    for line in np.unique(row):
        of = row == line
        before = by_row[line - 1] if line else 0
        col[of] = np.flatnonzero(clear[line])[pixel[of] - before]
    return np.stack([row, col])


def picked_within(near: Near, picked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns within a block of those picked pixels, (2, pixel), that lie in it."""
    rows, cols = near.own
    row, col = picked
    here = (row >= rows.start) & (row < rows.stop) & (col >= cols.start) & (col < cols.stop)
    return row[here] - rows.start, col[here] - cols.start


def worst_told(score: np.ndarray, error: np.ndarray) -> float:
    """Return the area under ROC of a score for the pixels with the largest error, (pixel,) both; 0.5 tells nothing.

    It is the chance that of two pixels, one of them among the worst quarter, that one has the higher score. Source:
    Hanley and McNeil 1982.
    """
    worst = error > np.quantile(error, 1 - WORST_SHARE)
    if not (count := np.count_nonzero(worst)):
        return float("nan")
    return float((ranks(score)[worst].mean() - (count + 1) / 2) / (len(error) - count))


def ranks(values: np.ndarray) -> np.ndarray:
    """Return the ranks of values, (n,), from 1; equal ones share the mean of theirs."""
    return pd.Series(values).rank().to_numpy()
