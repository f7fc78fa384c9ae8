"""A super-resolved scene on disk: mean, std and one sample as COGs, and the STAC item."""

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
from odc.geo.geobox import GeoBox

from crossres.files import write_json
from crossres.grids import grid_outline
from crossres.imagery.engine import store
from crossres.imagery.items import derived_from, grid_fields, new_item, raster_asset
from crossres.imagery.numbers import PARTS
from crossres.imagery.raster import new_cog

TITLES = {"mean": "mean of the samples", "std": "standard deviation of the samples", "sample": "one sample"}


def numbers(parts: dict[str, np.ndarray]) -> np.ndarray:
    """Return a window of a product as its files hold it, (part, band, row, column) uint16.

    `parts` are (band, row, column) float32 reflectance, NaN where there is none.
    """
    return np.stack([encoding.numbers(parts[name]) for name, encoding in PARTS.items()])


def write_product(
    folder: Path, grid: GeoBox, bands: Sequence[str], tags: dict[str, str], parts: Sequence[da.Array]
) -> None:
    """Write `mean.tif`, `std.tif` and `sample.tif` in `folder`, of (band, row, column) uint16 as `numbers` has them."""
    with ExitStack() as stack:
        files = [
            stack.enter_context(new_cog(folder / f"{name}.tif", grid, bands, encoding, tags))
            for name, encoding in PARTS.items()
        ]
        store(parts, files, "mean, std and sample")


def write_item(
    path: Path, identifier: str, grid: GeoBox, bands: Sequence[str], tags: dict[str, str],
    properties: dict[str, Any], sources: dict[str, str],
) -> None:  # fmt: skip
    """Write the product's STAC item; `sources` are relative links (title to href) to what it was made from."""
    time = datetime.fromisoformat(tags["datetime"]) if tags.get("datetime") else None
    assets = {
        name: raster_asset(f"./{name}.tif", bands, encoding, title=TITLES[name]) for name, encoding in PARTS.items()
    }
    links = [derived_from(href, title) for title, href in sources.items()]
    item = new_item(identifier, grid_outline(grid), time, {**grid_fields(grid), **properties}, assets, links)
    write_json(path, item)
