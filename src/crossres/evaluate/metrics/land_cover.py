"""Whether one classifier, made for HR, says the same of an image's pixels as of HR's.

The classes are HR's own: k-means of its pixels (bands, and NDVI where red and near infrared are there, each in units of
its standard deviation) on every other square of the scene, a pixel of any image being of the class whose centre is
nearest. The other squares are judged, against HR's map. They are spectral classes, not a survey of land cover.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

import dask.array as da
import numpy as np
from dask.delayed import Delayed

from crossres.evaluate.metrics.fidelity import INDICES, index
from crossres.evaluate.metrics.metric import Metric, known
from crossres.imagery.neighbourhood import Near, Window, per_neighbourhood

CLASSES = 6
SQUARE_PX = 64
"""Side of the squares of which every other one is learnt from."""
LEARNT_PX = 40_000
"""About how many pixels are learnt from at most: those of a regular lattice."""
LEAST_PX = 50 * CLASSES
ROUNDS = 50
SEED = 0


def learnt_here(window: Window) -> np.ndarray:
    """Return which pixels of a window of the scene lie on squares that are learnt from, (row, column)."""
    rows, cols = (np.arange(side.start, side.stop, side.step) // SQUARE_PX for side in window)
    return (rows[:, None] + cols) % 2 == 0


def lattice_of(shape: tuple[int, ...]) -> Window:
    """Return every so manyth row and column, from which the classes are learnt."""
    step = max(1, int(np.ceil(np.sqrt(shape[0] * shape[1] / 2 / LEARNT_PX))))
    return slice(0, shape[0], step), slice(0, shape[1], step)


@dataclass(frozen=True)
class Classifier:
    """The nearest of some centres."""

    bands: tuple[str, ...]
    mean: np.ndarray
    """(feature,)"""
    std: np.ndarray
    """(feature,)"""
    centres: np.ndarray
    """(class, feature), in units of the standard deviation."""

    @classmethod
    def learnt(cls, pixels: np.ndarray, bands: tuple[str, ...]) -> Self | None:
        """Return the classifier that HR's pixels, (band, pixel), give; None of too few or where all are alike."""
        if pixels.shape[1] < LEAST_PX:
            return None
        features = _features(pixels, bands)
        mean, std = features.mean(axis=1), features.std(axis=1)
        if (std < 1e-6).all():
            return None
        mean, std = mean.astype(np.float32), np.maximum(std, 1e-6).astype(np.float32)
        return cls(bands, mean, std, _centres(((features - mean[:, None]) / std[:, None]).T))

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Return the class of each pixel of (band, ...) reflectance, (...) uint8."""
        features = (_features(image.reshape(len(image), -1), self.bands) - self.mean[:, None]) / self.std[:, None]
        # Of |x - c|^2 only what differs between centres; by bands, so that a pixel's sum does not depend on its place.
        best = np.full(features.shape[1], np.inf, np.float32)
        label = np.zeros(features.shape[1], np.uint8)
        for i, centre in enumerate(self.centres.astype(np.float32)):
            apart = np.full(features.shape[1], np.square(centre).sum(), np.float32)
            for feature, at in zip(features, centre, strict=True):
                apart -= 2 * at * feature
            nearer = apart < best
            label[nearer], best[nearer] = i, apart[nearer]
        return label.reshape(image.shape[1:])


@dataclass(frozen=True)
class LandCover:
    """How the classes of an image agree with HR's."""

    counts: np.ndarray
    """(class of HR, class of the image) pixels; all 0 where there is no classifier, or HR is of one class."""

    @property
    def accuracy(self) -> float:
        """Return the share of pixels of the same class."""
        return float(np.trace(self.counts) / self.counts.sum()) if self.counts.any() else np.nan

    @property
    def miou(self) -> float:
        """Return the mean over HR's classes of intersection over union (Jaccard 1912)."""
        if not self.counts.any():
            return np.nan
        both, of_hr = np.diag(self.counts), self.counts.sum(axis=1)
        union = of_hr + self.counts.sum(axis=0) - both
        return float(np.mean(both[of_hr > 0] / union[of_hr > 0]))


def class_parts(sr: da.Array, hr_classes: np.ndarray, classifier: Classifier | None) -> list[Delayed]:
    """Return counts over each block for `land_cover`; `hr_classes` is `CLASSES` where nothing counts."""
    if classifier is None:
        return []
    return per_neighbourhood(partial(_counts, classifier=classifier), 0, sr, hr_classes, with_place=True)


def land_cover(parts: Sequence[np.ndarray]) -> LandCover:
    """Return how the classes agree, from the counts of blocks."""
    counts = np.sum(parts, axis=0) if parts else np.zeros((CLASSES, CLASSES), np.int64)
    return LandCover(counts if (counts.sum(axis=1) > 0).sum() > 1 else np.zeros_like(counts))


def _counts(near: Near, sr: np.ndarray, hr_classes: np.ndarray, classifier: Classifier) -> np.ndarray:
    judged = (hr_classes < CLASSES) & ~learnt_here(near.own)
    both = hr_classes[judged].astype(np.int64) * CLASSES + classifier(sr[:, judged])
    return np.bincount(both, minlength=CLASSES**2).reshape(CLASSES, CLASSES)


def _features(pixels: np.ndarray, bands: tuple[str, ...]) -> np.ndarray:
    """Return bands and, where there is one, NDVI, (feature, pixel)."""
    if not set(INDICES["ndvi"]) <= set(bands):
        return pixels
    nir, red = (pixels[bands.index(name)] for name in INDICES["ndvi"])
    return np.concatenate([pixels, index(nir, red)[None]])


def _centres(points: np.ndarray) -> np.ndarray:
    """Return the centres of k-means from k-means++ (Arthur and Vassilvitskii 2007), (class, feature)."""
    points = points.astype(np.float64)
    rng = np.random.default_rng(SEED)
    centres = points[rng.integers(len(points))][None]
    for _ in range(1, CLASSES):
        nearest = _squares(points, centres).min(axis=1)
        chance = nearest / nearest.sum() if nearest.any() else None
        centres = np.concatenate([centres, points[rng.choice(len(points), p=chance)][None]])
    for _ in range(ROUNDS):
        label = _squares(points, centres).argmin(axis=1)
        moved = np.array([
            points[label == i].mean(axis=0) if (label == i).any() else centre for i, centre in enumerate(centres)
        ])  # fmt: skip
        if np.array_equal(moved, centres):
            break
        centres = moved
    return centres


def _squares(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return np.stack([np.square(points - centre).sum(axis=1) for centre in centres], axis=1)


METRICS = (
    Metric[LandCover](
        key="cover_accuracy", label="Land cover, accuracy", better="higher", digits=3, place=340,
        meaning="share of pixels to which a classifier learnt on HR gives the class that it gives HR there",
        value=lambda found: known(found.accuracy),
    ),
    Metric[LandCover](
        key="cover_miou", label="Land cover, mean IoU", better="higher", digits=3, place=350,
        meaning="the same, as intersection over union, mean over HR's classes: rare classes count as much",
        value=lambda found: known(found.miou),
    ),
)  # fmt: skip
