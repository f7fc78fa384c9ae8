"""A super-resolved scene on disk: mean, std and one sample as COGs, and the STAC item."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
from odc.geo.geobox import GeoBox

from crossres.files import write_json
from crossres.grids import grid_outline
from crossres.imagery.engine import store
from crossres.imagery.items import derived_from, grid_fields, new_item, raster_asset
from crossres.imagery.numbers import PARTS, STD_DN, SUPPORT, Encoding
from crossres.imagery.raster import new_cog

TITLES = {
    "mean": "mean of the samples",
    "std": "standard deviation of the truth about the mean",
    "sample": "one sample",
    "support": "detail of the sample beyond interpolation: measured, inferred, drawn",
}

Rasters = dict[str, tuple[Sequence[str], Encoding]]
"""The rasters of a product, by the name of their file: their bands and the numbers that they are kept in."""


def rasters(bands: Sequence[str], supports: bool) -> Rasters:
    """Return the rasters of a product of these bands; `support` where there are several samples."""
    found: Rasters = {name: (bands, encoding) for name, encoding in PARTS.items()}
    return found | {"support": (SUPPORT, STD_DN)} if supports else found


def numbers(parts: dict[str, np.ndarray], shown: Rasters) -> np.ndarray:
    """Return a window of a product as its files hold it, (band of all rasters, row, column) uint16.

    `parts` are (band, row, column) float32 reflectance, NaN where there is none.
    """
    return np.concatenate([encoding.numbers(parts[name]) for name, (_, encoding) in shown.items()])


def write_product(folder: Path, grid: GeoBox, shown: Rasters, tags: dict[str, str], parts: da.Array) -> None:
    """Write each raster as a file in `folder`, of the (band of all rasters, row, column) that `numbers` makes."""
    edges = np.cumsum([0, *(len(bands) for bands, _ in shown.values())])
    with ExitStack() as stack:
        files = [
            stack.enter_context(new_cog(folder / f"{name}.tif", grid, bands, encoding, tags))
            for name, (bands, encoding) in shown.items()
        ]
        store([parts[a:b] for a, b in pairwise(edges.tolist())], files, ", ".join(shown))


def write_item(
    path: Path, identifier: str, grid: GeoBox, shown: Rasters, tags: dict[str, str],
    properties: dict[str, Any], sources: dict[str, str], beside: Mapping[str, dict[str, Any]] | None = None,
) -> None:  # fmt: skip
    """Write the product's STAC item; `sources` are relative links (title to href) to what it was made from.

    `beside` are further assets.
    """
    time = datetime.fromisoformat(tags["datetime"]) if tags.get("datetime") else None
    assets = {
        name: raster_asset(f"./{name}.tif", bands, encoding, title=TITLES[name])
        for name, (bands, encoding) in shown.items()
    }
    links = [derived_from(href, title) for title, href in sources.items()]
    item = new_item(
        identifier, grid_outline(grid), time, {**grid_fields(grid), **properties}, assets | dict(beside or {}), links
    )
    write_json(path, item)
