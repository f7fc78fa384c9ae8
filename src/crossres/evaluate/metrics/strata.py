"""Which land cover each pixel shows, told by the HR reference alone, so that errors can be read by land cover.

With red, green and near infrared: water where NDWI > 0 and NDVI < 0.2, vegetation where NDVI >= 0.3, the rest built or
bare. Without near infrared there is no such index; pixels then fall by how they look within the scene: dark (brightness
below half the scene's median), else rough or smooth (local contrast above or below the scene's median). These are rules
of thumb for reading errors, not a land-cover map.
"""

from dataclasses import dataclass
from functools import partial

import dask
import dask.array as da
import numpy as np
from dask.delayed import Delayed
from scipy.ndimage import uniform_filter

from crossres.evaluate.metrics.fidelity import index
from crossres.evaluate.metrics.percentile import Sought, added, lower_counts, sought, upper_counts, value
from crossres.imagery.neighbourhood import Near, per_neighbourhood

SPECTRAL = ("water", "vegetation", "built or bare")
BY_LOOK = ("dark", "smooth", "rough")
WATER_NDWI, WATER_NDVI, GREEN_NDVI = 0.0, 0.2, 0.3
CONTRAST_PX = 9
RULES: dict[tuple[str, ...], str] = {
    SPECTRAL: "by HR's indices: water where NDWI > 0 and NDVI < 0.2, vegetation where NDVI ≥ 0.3, else built or bare",
    BY_LOOK: "by HR's look, since there is no near infrared: dark below half the scene's median brightness, else rough "
    "or smooth by local contrast above or below the scene's median",
}


@dataclass(frozen=True)
class Strata:
    """A stratum for each pixel."""

    names: tuple[str, ...]
    label: np.ndarray
    """(row, column) uint8: place in `names`, or their number where the pixel does not count."""

    @property
    def rule(self) -> str:
        """Return how pixels were assigned, in words."""
        return RULES[self.names]

    def shares(self) -> dict[str, float]:
        """Return each stratum's share of the pixels that count."""
        sizes = np.bincount(self.label.ravel(), minlength=len(self.names) + 1)[: len(self.names)]
        return {name: float(size / max(sizes.sum(), 1)) for name, size in zip(self.names, sizes)}


def strata_of(hr: da.Array, bands: tuple[str, ...], clear: np.ndarray) -> Strata:
    """Assign every clear pixel of HR, (band, row, column) reflectance and 0 where it is not clear, to a stratum.

    Without near infrared it is gone through three times, since two medians come first.
    """
    if {"red", "green", "nir"} <= set(bands):
        parts = per_neighbourhood(partial(_spectral, bands=bands), 0, hr, clear, with_place=True)
        return Strata(SPECTRAL, _labelled(parts, clear.shape))
    counts = dask.compute(per_neighbourhood(_upper, CONTRAST_PX, hr, clear, with_place=True))[0]
    where = [sought(added([part[i] for part in counts]), 50) for i in range(2)]
    counts = dask.compute(per_neighbourhood(partial(_lower, where=where), CONTRAST_PX, hr, clear, with_place=True))[0]
    medians = [value(added([part[i] for part in counts]), where[i]) for i in range(2)]
    parts = per_neighbourhood(partial(_by_look, medians=medians), CONTRAST_PX, hr, clear, with_place=True)
    return Strata(BY_LOOK, _labelled(parts, clear.shape))


def _labelled(parts: list[Delayed], shape: tuple[int, ...]) -> np.ndarray:
    label = np.empty(shape, np.uint8)
    for place, own in dask.compute(parts)[0]:
        label[place] = own
    return label


Labelled = tuple[tuple[slice, slice], np.ndarray]


def _spectral(near: Near, hr: np.ndarray, clear: np.ndarray, bands: tuple[str, ...]) -> Labelled:
    red, green, nir = (hr[bands.index(name)] for name in ("red", "green", "nir"))
    ndvi, ndwi = index(nir, red), index(green, nir)
    label = np.select([(ndwi > WATER_NDWI) & (ndvi < WATER_NDVI), ndvi >= GREEN_NDVI], [0, 1], 2)
    return near.own, np.where(clear, label, len(SPECTRAL)).astype(np.uint8)


def _by_look(near: Near, hr: np.ndarray, clear: np.ndarray, medians: list[np.float32]) -> Labelled:
    light, contrast = _look(hr, clear)
    label = np.select([light < medians[0] / 2, contrast <= medians[1]], [0, 1], 2)
    return near.own, np.where(clear, label, len(BY_LOOK)).astype(np.uint8)[near.inner]


def _upper(near: Near, hr: np.ndarray, clear: np.ndarray) -> list[np.ndarray]:
    return [upper_counts(image[near.inner][clear[near.inner]]) for image in _look(hr, clear)]


def _lower(near: Near, hr: np.ndarray, clear: np.ndarray, where: list[Sought]) -> list[np.ndarray]:
    inside = clear[near.inner]
    return [lower_counts(image[near.inner][inside], what) for image, what in zip(_look(hr, clear), where, strict=True)]


def _look(hr: np.ndarray, clear: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return brightness and local contrast, (row, column) float32; 0 is the darkest."""
    light = np.where(clear, np.maximum(hr.mean(axis=0), 0), np.float32(0))
    brightness = light.astype(np.float64)
    share = np.maximum(uniform_filter(clear.astype(np.float64), CONTRAST_PX), 1e-6)
    mean, square = (uniform_filter(x, CONTRAST_PX) / share for x in (brightness, brightness**2))
    contrast = np.sqrt(np.maximum(square - mean**2, 0)) / np.maximum(mean, 1e-6)
    return light, contrast.astype(np.float32)
