"""What HR would be used for, done with an image in its place: boundaries, land cover, NDVI of small parcels."""

from typing import Any, NamedTuple

import dask
import dask.array as da
import numpy as np
from dask.delayed import Delayed

from crossres.evaluate.metrics import boundaries, land_cover, parcels
from crossres.evaluate.metrics.boundaries import Boundaries
from crossres.evaluate.metrics.metric import Values, over_bands
from crossres.imagery.neighbourhood import Near, per_neighbourhood, whole


class UseParts(NamedTuple):
    """What each block of an image says of each use; lazy until computed."""

    boundaries: list[Any]
    classes: list[Any]
    parcels: list[Any]


class Downstream:
    """What HR gives in a scene, which images are held against. HR itself scores 1, without error.

    HR is gone through three times: for a threshold and pixels to learn from, for its maps, and for its parcels.
    """

    def __init__(self, hr: da.Array, clear: np.ndarray, stds: np.ndarray, bands: tuple[str, ...], lr_px: float) -> None:
        """Draw HR's boundaries, classes and parcels.

        `hr` is (band, row, column) reflectance, 0 where it is not `clear`; `stds` its standard deviation, (band,);
        `lr_px` the area of an LR pixel in HR pixels.
        """
        self.stds, self._bands = stds, bands
        rows, cols = lattice = land_cover.lattice_of(clear.shape)
        strengths, seen = dask.compute(boundaries.strength_parts(hr, clear, stds), whole(hr[:, rows, cols]))
        self.threshold = boundaries.threshold_of(strengths)
        learnt = seen[:, clear[lattice] & land_cover.learnt_here(lattice)]
        self._classifier = land_cover.Classifier.learnt(learnt, bands)
        self.boundaries = np.zeros(clear.shape, np.uint8)
        """HR's, by the bits of `boundaries`."""
        self._classes = np.full(clear.shape, land_cover.CLASSES, np.uint8)
        for place, own, classes in dask.compute(self._maps(hr, clear))[0]:
            self.boundaries[place], self._classes[place] = own, classes
        between = (self._classes < land_cover.CLASSES) & (self.boundaries & boundaries.HERE == 0)
        self._parcels = parcels.parcel_map(self._classes, between, lr_px)
        self._in_hr = parcels.parcel_sums(dask.compute(parcels.parcel_parts(hr, self._parcels, bands))[0])

    def parts(self, sr: da.Array) -> UseParts:
        """Return what to compute of an image, (band, row, column) reflectance and 0 where it is not clear."""
        return UseParts(
            boundaries.match_parts(sr, self.boundaries, self.stds, self.threshold),
            land_cover.class_parts(sr, self._classes, self._classifier),
            parcels.parcel_parts(sr, self._parcels, self._bands),
        )

    def judged(self, parts: UseParts) -> tuple[Values, Boundaries]:
        """Return the metrics of an image from its computed parts, over all bands, and how its boundaries lie."""
        areas = parcels.parcels_of(parcels.parcel_sums(parts.parcels), self._in_hr)
        lines = boundaries.boundaries(parts.boundaries)
        values = (
            over_bands(boundaries.METRICS, lines)
            | over_bands(land_cover.METRICS, land_cover.land_cover(parts.classes))
            | over_bands(parcels.METRICS, areas)
        )
        return values, lines

    def _maps(self, hr: da.Array, clear: np.ndarray) -> list[Delayed]:
        return per_neighbourhood(self._map, boundaries.REACH_PX, hr, clear, with_place=True)

    def _map(self, near: Near, hr: np.ndarray, clear: np.ndarray) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray]:
        lines = boundaries.boundary_map(hr, clear, self.stds, self.threshold)[near.inner]
        classes = np.full(lines.shape, land_cover.CLASSES, np.uint8)
        if self._classifier is not None:
            inside = clear[near.inner]
            classes[inside] = self._classifier(hr[:, *near.inner][:, inside])
        return near.own, lines, classes
