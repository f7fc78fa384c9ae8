"""The relation between two sensors' reflectances of one band: a straight line, or a curve through quantiles."""

from dataclasses import dataclass

import numpy as np

QUANTILES = np.linspace(0.005, 0.995, 100)
BOOTSTRAP = 500
PRIOR = 0.15
"""Standard deviation of gains between two sensors' reflectances, about 1."""
KEPT = 0.75
"""Share of points that a line is trimmed to, to tell outliers."""
OUTLIER = 6.0
"""Robust standard deviations off that line."""


@dataclass(frozen=True)
class Relation:
    """A piecewise linear, rising function of reflectance; beyond its ends it runs on along the end pieces."""

    x: np.ndarray
    """(k,) reflectance before, rising; k is 2 for a straight line."""
    y: np.ndarray
    """(k,) reflectance after."""

    @property
    def gain(self) -> float:
        """From end to end."""
        return float((self.y[-1] - self.y[0]) / (self.x[-1] - self.x[0]))

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return float32 reflectance after the relation; NaN stays NaN."""
        values = np.asarray(values, np.float64)
        if len(self.x) == 2:
            return (self.y[0] + self.gain * (values - self.x[0])).astype(np.float32)
        inner = np.interp(values, self.x, self.y)
        slope = [(self.y[i + 1] - self.y[i]) / (self.x[i + 1] - self.x[i]) for i in (0, len(self.x) - 2)]
        low, high = np.minimum(values - self.x[0], 0) * slope[0], np.maximum(values - self.x[-1], 0) * slope[1]
        return (inner + low + high).astype(np.float32)


def straight(gain: float, offset: float) -> Relation:
    """Return gain * reflectance + offset."""
    return Relation(np.array([0.0, 1.0]), np.array([offset, gain + offset]))


def orthogonal_line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return gain and offset of the line through n points with the smallest sum of squared perpendicular distances.

    Both sensors are noisy, so neither is the regressor: the slope of the points' first principal axis (Canty and
    Nielsen 2008, eq. 9 and 10). Gain 1 when the points show no rising relation.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    mx, my = x.mean(), y.mean()
    sxx, syy, sxy = ((x - mx) ** 2).mean(), ((y - my) ** 2).mean(), ((x - mx) * (y - my)).mean()
    gain = float((syy - sxx + np.hypot(syy - sxx, 2 * sxy)) / (2 * sxy)) if sxy > 1e-12 else 1.0
    return gain, float(my - gain * mx)


def outliers(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Say which of n points are far off the line of most others.

    The line is trimmed to the points nearest to it, again and again (least trimmed squares by concentration steps,
    Rousseeuw and Van Driessen 2006, with orthogonal distances), so that new water, a few percent of the points but far
    away, does not turn it. Distances are measured in their own spread over all points.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    kept = np.ones(len(x), bool)
    for _ in range(20):
        gain, offset = orthogonal_line(x[kept], y[kept])
        off = np.abs(y - gain * x - offset)
        before, kept = kept, off <= np.quantile(off, KEPT)
        if (before == kept).all():
            break
    spread: float = 1.4826 * np.median(off)
    return off > max(OUTLIER * spread, 1e-4)


def on_one_line(x: np.ndarray, y: np.ndarray, pifs: np.ndarray) -> np.ndarray:
    """Return the (n,) invariant pixels without those that are outliers of their line in any band of x and y (band, n).

    What is new water or snow stands out in one band first; without it, lines are truer, and its fringes stand out in
    the others. All of them where that leaves fewer than half: which of them are right is then open.
    """
    kept = pifs.copy()
    while (off := np.any([outliers(*(v[kept] for v in band)) for band in zip(x, y, strict=True)], axis=0)).any():
        kept[kept] = ~off
        if 2 * kept.sum() < pifs.sum():
            return pifs
    return kept


def drawn_line(x: np.ndarray, y: np.ndarray, error: float) -> tuple[float, float]:
    """Return gain and offset of `orthogonal_line` with the gain drawn towards 1 by its standard error.

    What the points know of the gain is weighed against PRIOR; above 1 the error counts in parts of the gain. Where
    they know it well that is the line itself. It goes through the points' centre. Gain 1 when the error is NaN.
    """
    own, offset = orthogonal_line(x, y)
    weight = float(np.nan_to_num(1 / (1 + (error / max(1.0, own) / PRIOR) ** 2)))
    gain = weight * own + 1 - weight
    return gain, offset + (own - gain) * float(np.mean(x, dtype=np.float64))


def standard_errors(x: np.ndarray, y: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    """Return the standard errors of `orthogonal_line`'s gain and offset by a bootstrap over groups of points.

    `groups` (n,) are places in the image, drawn whole and with replacement, since the differences of neighbouring
    pixels are alike: drawn one by one they would seem to know more than they do. NaN with fewer than two groups.
    """
    names, group = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        return float("nan"), float("nan")
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    centre = x.mean(), y.mean()  # the sums below lose no digits
    x, y = x - centre[0], y - centre[1]
    sums = np.stack([np.bincount(group, v) for v in (np.ones(len(x)), x, y, x * x, y * y, x * y)])
    rng = np.random.default_rng(0)
    times = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), BOOTSTRAP)
    n, mx, my, xx, yy, xy = sums @ times.T
    mx, my = mx / n, my / n
    sxx, syy, sxy = xx / n - mx**2, yy / n - my**2, xy / n - mx * my
    rising = sxy > 1e-12
    gain = np.ones(BOOTSTRAP)
    gain[rising] = ((syy - sxx + np.hypot(syy - sxx, 2 * sxy)) / (2 * np.where(rising, sxy, 1)))[rising]
    offset = centre[1] + my - gain * (centre[0] + mx)
    return float(gain.std(ddof=1)), float(offset.std(ddof=1))


def quantile_curve(x: np.ndarray, y: np.ndarray) -> Relation:
    """Return the curve that gives n values `x` the histogram of n values `y`, through their quantiles."""
    before, after = np.quantile(x, QUANTILES), np.quantile(y, QUANTILES)
    rising = np.concatenate([[True], np.diff(before) > 1e-6])
    if rising.sum() < 2:
        return straight(1.0, float(np.mean(y) - np.mean(x)))
    return Relation(before[rising], after[rising])
