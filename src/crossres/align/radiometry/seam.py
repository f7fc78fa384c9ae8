"""Two relations in one scene: a seam across which the difference of the images jumps, as in a mosaic.

The scene is cut in two, from one of its edges to the opposite one, so that one line on either side leaves least. The
cut may be straight, curved or stepped. What a line leaves of a cell counts up to a limit, so land that changed does not
steer it. Two parts of a scene that differ in land cover or season are told from a mosaic's by three things: a mosaic's
step is large against what the lines leave, it is there right at the seam, and on both sides the images show one land,
which is not all bright on one side and all dark on the other, as at a coast.
"""

import numpy as np

CELLS = 32
"""Along a side of a square scene; means of cells are compared."""
MIN_CELLS = 64
MIN_SIDE = 0.1
"""Share of the cells on either side of a seam, at least."""
LEVELS = np.linspace(0.1, 0.9, 6)
"""Quantiles of what one line leaves, of which any two may be the levels of the two sides at first."""
ROUNDS = 3
CORE = 0.35
"""Share of a side's cells that its relation must hold for; more than half may have changed."""
NEAR = 3
"""Cells on either side of the seam that show the step there."""
CLEAR = 4.0
"""Least step, in widths of what the lines leave of the cores; real scenes without a seam, and quarters of them: 3.5."""
ONE_LAND = 0.85
"""Most that a side's line leaves, in widths of the core of what it is to become; water or snow that came leaves 1."""
MIN_STEP = 0.1
"""Of the band's mean, at least."""


def find_seam(x: np.ndarray, y: np.ndarray, rows: np.ndarray, cols: np.ndarray, shape: tuple[int, int]) -> float | None:
    """Return the step in reflectance between the two relations of `x` to `y`; None where one will do.

    `x` and `y` (n,) are one band of either image at the pixels `rows`, `cols` of a scene of `shape`.
    """
    side = max(1, round((shape[0] * shape[1]) ** 0.5 / CELLS))
    height, width = (-(-n // side) for n in shape)
    cell = rows // side * width + cols // side
    count = np.bincount(cell, minlength=height * width)
    known = count > max(1, count.max() / 4) - 1
    sums = (np.bincount(cell, values, height * width) for values in (x, y))
    one, other = (np.where(known, s / np.maximum(count, 1), np.nan).reshape(height, width) for s in sums)
    return _step(one, other) or _step(one.T, other.T)


def _step(x: np.ndarray, y: np.ndarray) -> float | None:
    """Return the step across the best cut of (row, column) cells from top to bottom, where it is a seam."""
    known = np.isfinite(x)
    if known.sum() < MIN_CELLS or min(_spread(x[known]), _spread(y[known])) < 1e-6:
        return None
    rest = y - _spread(y[known]) / _spread(x[known]) * x
    levels = np.quantile(rest[known], LEVELS)
    pairs = np.array([(a, b) for a in levels for b in levels if a != b])
    left, right = (np.abs(rest - pairs[:, k, None, None]) for k in (0, 1))
    limit = 1.4826 * float(np.median(np.abs(rest - np.median(rest[known]))[known]))
    for _ in range(ROUNDS + 1):
        cut = _cut(left, right, limit)
        is_left = np.arange(x.shape[1]) < cut[:, None]
        sides = known & is_left, known & ~is_left
        if min(side.sum() for side in sides) < MIN_SIDE * known.sum():
            return None
        gains = [_spread(y[side]) / max(_spread(x[side]), 1e-9) for side in sides]
        rests = [y - gain * x for gain in gains]
        cores = [_core(values[side]) for values, side in zip(rests, sides, strict=True)]
        # Where either side is: one of them may be water, of whose gain little is known away from it.
        steps = [(gains[0] - gains[1]) * float(np.median(x[side])) + cores[0][0] - cores[1][0] for side in sides]
        step = min(steps, key=abs) if steps[0] * steps[1] > 0 else 0.0
        left, right = (np.abs(values - core[0])[None] for values, core in zip(rests, cores, strict=True))
        limit = max(1.4826 * float(np.median(np.where(is_left, left[0], right[0])[known])), abs(step) / 2)
    for (_, width), side in zip(cores, sides, strict=True):
        if width > ONE_LAND * _core(y[side])[1]:
            return None
    if not any(_overlap(*(values[side] for side in sides)) for values in (x, y)):
        return None
    at_seam = _beside(y - float(np.mean(gains)) * x, cut)
    clear = min(abs(step), at_seam * np.sign(step)) > CLEAR * max(width for _, width in cores)
    return step if clear and abs(step) > MIN_STEP * abs(float(y[known].mean())) else None


def _spread(values: np.ndarray) -> float:
    low, high = np.percentile(values, (25, 75))
    return float(high - low)


def _overlap(one: np.ndarray, other: np.ndarray) -> bool:
    low, high = np.percentile(one, (10, 90)), np.percentile(other, (10, 90))
    return bool(low[0] < high[1] and high[0] < low[1])


def _core(values: np.ndarray) -> tuple[float, float]:
    """Return the middle and the width of the shortest interval that holds CORE of the values."""
    values = np.sort(values)
    size = max(2, int(CORE * len(values)))
    widths = values[size - 1 :] - values[: len(values) - size + 1]
    first = int(widths.argmin())
    return float(values[first : first + size].mean()), float(widths[first])


def _cut(left: np.ndarray, right: np.ndarray, limit: float) -> np.ndarray:
    """Return for each row how many cells are left of the best cut, of all (pair, row, column) errors of either side.

    An error counts up to `limit`, and each cell that the cut moves from row to row as much as one such error. Viterbi's
    algorithm finds the least sum.
    """
    errors = [np.nan_to_num(np.minimum(values / max(limit, 1e-9), 1)) for values in (left, right)]
    cost = np.pad((errors[0] - errors[1]).cumsum(axis=2), [(0, 0), (0, 0), (1, 0)])
    places = np.arange(cost.shape[2])
    moved = np.abs(np.subtract.outer(places, places))
    best, came_from = cost[:, 0], []
    for row in range(1, cost.shape[1]):
        sums = best[:, :, None] + moved
        came_from.append(sums.argmin(axis=1))
        best = sums.min(axis=1) + cost[:, row]
    pair = int((best.min(axis=1) + errors[1].sum(axis=(1, 2))).argmin())
    cut = [int(best[pair].argmin())]
    for before in reversed(came_from):
        cut.append(int(before[pair, cut[-1]]))
    return np.array(cut[::-1])


def _beside(rest: np.ndarray, cut: np.ndarray) -> float:
    """Return the median over rows of the step in (row, column) cells at the cut; 0 where too little is seen there."""
    steps = []
    for row, at in zip(rest, cut, strict=True):
        sides = [part[np.isfinite(part)] for part in (row[max(0, at - NEAR) : at], row[at : at + NEAR])]
        if min(len(part) for part in sides) > 0:
            steps.append(sides[0].mean() - sides[1].mean())
    return float(np.median(steps)) if steps else 0.0
