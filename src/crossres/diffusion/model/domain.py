"""What kind of ground a model has learnt from: a few statistics of its LR patches, against which a scene is held.

Of each window of the LR image: every band's mean, the logarithm of its spread and that of its roughness (differences
of neighbours). How far a window lies from those of training is its Mahalanobis distance. A model has nothing to say of
ground that lies far outside, and says it all the same: these numbers are what warns.
"""

from collections.abc import Iterable

import numpy as np
from pydantic import Field, model_validator

from crossres.settings.base import Section

FOLDS = 5
WITHIN = 0.99
"""Share of the training patches that is called within."""
SHRINKAGE = 0.05
"""Share of the identity in the covariance: few patches do not say all of it."""
LEAST_SPREAD = 0.05
"""Spread, in HR standard deviations, below which ground is called even."""
MOST_FEATURES = 64 * 3


class Domain(Section):
    """The training patches' statistics."""

    window_px: int = Field(ge=2, le=4096, description="side of a window, in LR pixels: a training patch's")
    mean: tuple[float, ...] = Field(
        min_length=3, max_length=MOST_FEATURES, description="of the features: all bands' means, spreads, roughness"
    )
    whitening: tuple[tuple[float, ...], ...] = Field(
        description="matrix that brings features less their mean to unit covariance, row by row"
    )
    reach: float = Field(gt=0, description=f"distance within which {WITHIN:.0%} of the patches of other places lie")

    @model_validator(mode="after")
    def _is_square(self) -> "Domain":
        n = len(self.mean)
        if len(self.whitening) != n or any(len(row) != n for row in self.whitening):
            raise ValueError("whitening must have a row and a column for each mean")
        if not np.isfinite([*self.mean, *(x for row in self.whitening for x in row), self.reach]).all():
            raise ValueError("must be numbers")
        return self

    @property
    def bands(self) -> int:
        """How many bands it looks at: HR's, the first of LR."""
        return len(self.mean) // 3

    def distances(self, windows: np.ndarray) -> np.ndarray:
        """Return how far each standardised (window, band, row, column) LR image lies outside; up to 1 is within."""
        found = (features(windows) - self.mean) @ np.asarray(self.whitening).T
        return np.sqrt((found**2).sum(1)) / self.reach


def features(windows: np.ndarray) -> np.ndarray:
    """Return (window, 3 x band) statistics of standardised (window, band, row, column) LR images without gaps."""
    down, right = np.diff(windows, axis=2), np.diff(windows, axis=3)
    rough = np.sqrt((down**2).mean((2, 3)) + (right**2).mean((2, 3)))
    spreads = np.log(np.concatenate([windows.std((2, 3)), rough], 1) + LEAST_SPREAD)
    return np.concatenate([windows.mean((2, 3)), spreads], 1).astype(np.float64)


def fit(found: np.ndarray, window_px: int) -> Domain:
    """Return the domain of (patch, feature) statistics, patches of a place side by side.

    How far is too far is asked of patches that a part of the others is fitted without: a new place lies further away
    than those that were looked at.
    """
    held_out = [part for part in np.array_split(np.arange(len(found)), FOLDS) if 0 < len(part) < len(found)]
    apart = [_distances(found[part], *_fit(np.delete(found, part, axis=0))) for part in held_out]
    mean, whitening = _fit(found)
    reach = float(np.quantile(np.concatenate(apart or [_distances(found, mean, whitening)]), WITHIN))
    return Domain(
        window_px=window_px, mean=_rounded(mean), whitening=tuple(map(_rounded, whitening)), reach=max(reach, 1e-6)
    )


def _fit(found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, spread = found.mean(0), found.std(0) + 1e-6
    normal = (found - mean) / spread
    covariance = (1 - SHRINKAGE) * normal.T @ normal / len(found) + SHRINKAGE * np.eye(found.shape[1])
    return mean, np.linalg.inv(np.linalg.cholesky(covariance)) / spread


def _distances(found: np.ndarray, mean: np.ndarray, whitening: np.ndarray) -> np.ndarray:
    return np.sqrt((((found - mean) @ whitening.T) ** 2).sum(1))


def _rounded(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(float(f"{value:.6g}") for value in values)
