"""The relation between two sensors' reflectances of one band: a straight line, or a curve through quantiles."""

from dataclasses import dataclass

import numpy as np

QUANTILES = np.linspace(0.005, 0.995, 100)


@dataclass(frozen=True)
class Relation:
    """A piecewise linear, rising function of reflectance; beyond its ends it runs on along the end pieces."""

    x: np.ndarray
    """(k,) reflectance before, rising; k is 2 for a straight line."""
    y: np.ndarray
    """(k,) reflectance after."""

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return float32 reflectance after the relation; NaN stays NaN."""
        values = np.asarray(values, np.float64)
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


def standard_errors(x: np.ndarray, y: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    """Return the standard errors of `orthogonal_line`'s gain and offset: a jackknife that leaves out a group at a time.

    `groups` (n,) are places in the image, since the differences of neighbouring pixels are alike.
    """
    names = np.unique(groups)
    if len(names) < 2:
        return float("nan"), float("nan")
    lines = np.array([orthogonal_line(x[groups != g], y[groups != g]) for g in names])
    spread = np.sqrt((len(names) - 1) * ((lines - lines.mean(axis=0)) ** 2).mean(axis=0))
    return float(spread[0]), float(spread[1])


def quantile_curve(x: np.ndarray, y: np.ndarray) -> Relation:
    """Return the curve that gives n values `x` the histogram of n values `y`, through their quantiles."""
    before, after = np.quantile(x, QUANTILES), np.quantile(y, QUANTILES)
    rising = np.concatenate([[True], np.diff(before) > 1e-6])
    if rising.sum() < 2:
        return straight(1.0, float(np.mean(y) - np.mean(x)))
    return Relation(before[rising], after[rising])
