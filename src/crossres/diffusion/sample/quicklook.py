"""A quick look at a product: a small PNG of its sample in true colours, for whoever has no map program at hand."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning

QUICKLOOK = "quicklook.png"
LONGEST_SIDE = 1024
"""Its side, in pixels, at most."""
PERCENTILES = (1, 99)
"""Of a band's reflectance, from black to full."""


def write_quicklook(product: Path) -> dict[str, Any]:
    """Write the quick look of a product folder into it, no data transparent; return it as an asset of the item."""
    with rasterio.open(product / "sample.tif") as src:
        step = max(1.0, max(src.shape) / LONGEST_SIDE)
        shape = tuple(max(1, round(side / step)) for side in src.shape)
        shown = [index + 1 for index in _rgb(src.descriptions)]
        numbers = src.read(shown, out_shape=(len(shown), *shape), masked=True)
    seen = ~numbers.mask.any(axis=0) if np.ma.is_masked(numbers) else np.ones(shape, bool)
    image = np.zeros((4, *shape), np.uint8)
    if seen.any():
        low, high = np.percentile(numbers.data[:, seen], PERCENTILES, axis=1)[..., None, None]
        image[:3] = np.rint(np.clip((numbers.data - low) / np.maximum(high - low, 1), 0, 1) * 255) * seen
        image[3] = 255 * seen
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        kind: dict[str, Any] = {"driver": "PNG", "dtype": "uint8", "count": 4, "height": shape[0], "width": shape[1]}
        with rasterio.open(product / QUICKLOOK, "w", **kind) as png:
            png.write(image)
    return {"href": f"./{QUICKLOOK}", "type": "image/png", "roles": ["thumbnail"], "title": "quick look of the sample"}


def _rgb(bands: Sequence[str | None]) -> list[int]:
    """Return the places of red, green and blue, or of the first band three times."""
    return [bands.index(name) if {"red", "green", "blue"} <= set(bands) else 0 for name in ("red", "green", "blue")]
