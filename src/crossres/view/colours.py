"""The colours of a place: one stretch for all its layers, taken as the report takes it."""

from collections.abc import Sequence

import numpy as np

from crossres.evaluate.pictures.stretch import Stretch
from crossres.imagery.numbers import SUPPORT, Mask
from crossres.imagery.shown import PERCENTILES, shown_bands
from crossres.view.layers import OpenLayer

COMPOSITES = {"true": "true colour", "nir": "near infrared, red, green"}
SAMPLED_PX = 1024
"""Side of what the stretch is taken from: of larger images, an overview."""


def composites_of(bands: Sequence[str]) -> dict[str, str]:
    """Return the composites that can be made of bands: short name -> what it is called."""
    known = {"nir", "red", "green"} <= set(bands)
    return {name: text for name, text in COMPOSITES.items() if name == "true" or known}


def shown_in(bands: Sequence[str], composite: str) -> list[int]:
    """Return the places of the bands that are shown as red, green and blue."""
    if composite == "nir" and {"nir", "red", "green"} <= set(bands):
        return [bands.index(name) for name in ("nir", "red", "green")]
    return list(shown_bands(bands))


def stretch_of(reference: OpenLayer, composite: str, doubt_high: float) -> Stretch:
    """Return the stretch of a place: percentiles of the clear pixels of its reference, per band shown."""
    image = _sampled(reference, shown_in(reference.bands, composite))
    if image.size == 0:
        return Stretch((0, 1, 2), np.zeros(3, np.float32), np.ones(3, np.float32), doubt_high)
    low, high = np.percentile(image, PERCENTILES, axis=1).astype(np.float32)
    return Stretch((0, 1, 2), low, np.maximum(high, low + 1e-4), doubt_high)


def doubt_high(layers: Sequence[OpenLayer]) -> float:
    """Return the top of the colour scale of all layers of doubt: the 99th percentile of the first that has any.

    What is drawn goes before std, as in the report.
    """
    for layer in sorted(layers, key=lambda layer: layer.bands != SUPPORT):
        mean = _sampled(layer, layer.doubt_bands).mean(axis=0)
        if mean.size and (top := float(np.percentile(mean, 99))) > 0:
            return top
    return 1e-4


def _sampled(layer: OpenLayer, bands: Sequence[int]) -> np.ndarray:
    """Return (band, pixel): the clear pixels of a layer with data in all bands or, of a large one, of an overview."""
    left, bottom, right, top = layer.bounds
    step = max(1.0, max(right - left, top - bottom) / layer.resolution / SAMPLED_PX)
    rows, cols = (max(1, round(side / layer.resolution / step)) for side in (top - bottom, right - left))
    image = layer.read(layer.bounds, layer.crs, (rows, cols), bands)
    counted = np.isfinite(image).all(axis=0)
    if (mask := layer.layer.mask) is not None:
        codes = OpenLayer.of(layer.layer, str(mask)).read(layer.bounds, layer.crs, (rows, cols), [0])[0]
        counted &= codes == Mask.CLEAR
    return image[:, counted]


def rgba(values: np.ndarray, stretch: Stretch, doubt: bool) -> np.ndarray:
    """Return (band, row, column) of what is shown as (row, column, 4) uint8, transparent where there is no data."""
    rgb = stretch.doubt(values) if doubt else stretch.colour(values)
    alpha = np.where(np.isfinite(values).all(axis=0), 255, 0).astype(np.uint8)
    return np.dstack([rgb, alpha])
