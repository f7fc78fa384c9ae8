"""A scene as the next stages find it: reflectance.tif, mask.tif and item.json of one folder."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from crossres.acquire.hrefs import is_remote
from crossres.acquire.items import Item, band_fields, grid_properties, item_time, new_item, relative_href
from crossres.acquire.regions import from_geojson, grid_region, polygons
from crossres.files import write_json
from crossres.rasters import NODATA, OFFSET, SCALE, Mask, write_cog, write_mask

KEPT = ("platform", "constellation", "instruments", "eo:cloud_cover", "s2:processing_baseline", "crossres:role")
KEPT_PREFIXES = ("view:", "crossres:sensor")


@dataclass(frozen=True)
class Acquired:
    """What was read of one item."""

    numbers: np.ndarray
    """(band, row, column) uint16 as `rasters.to_dn` makes them."""
    mask: np.ndarray
    """(row, column) uint8 of `Mask` codes."""
    grid: GeoBox
    notes: dict[str, str] = field(default_factory=dict)
    """How it was made: becomes tags of the raster and `crossres:` properties of the item."""


def write_acquired(folder: Path, source: Item, source_path: Path, bands: tuple[str, ...], acquired: Acquired) -> None:
    """Write a scene's three files into `folder`; its item names the item it came from."""
    # Nothing may stand under a mask of no data, and nothing may be missing outside of it.
    empty = (acquired.numbers == NODATA).any(axis=0) | (acquired.mask == Mask.NODATA)
    mask = np.where(empty, np.uint8(Mask.NODATA), acquired.mask)
    acquired.numbers[:, empty] = NODATA
    item = _item(source, source_path, folder, bands, acquired)
    tags = {
        "datetime": item["properties"]["datetime"],
        "sensor": str(source["properties"].get("platform") or "unknown"),
        "source": source["id"],
        **acquired.notes,
    }
    write_cog(
        folder / "reflectance.tif", acquired.numbers, acquired.grid,
        bands=bands, nodata=NODATA, tags=tags, scale=SCALE, offset=OFFSET,
    )  # fmt: skip
    write_mask(folder / "mask.tif", mask, acquired.grid)
    write_json(folder / "item.json", item)


def _item(source: Item, source_path: Path, folder: Path, bands: tuple[str, ...], acquired: Acquired) -> Item:
    properties: dict[str, Any] = {
        key: value for key, value in source["properties"].items() if key in KEPT or key.startswith(KEPT_PREFIXES)
    }
    properties |= {f"crossres:{key}": value for key, value in acquired.notes.items()}
    properties |= grid_properties(acquired.grid)
    properties["gsd"] = abs(acquired.grid.affine.a)
    cog = "image/tiff; application=geotiff; profile=cloud-optimized"
    assets: Mapping[str, Any] = {
        "reflectance": {
            "href": "./reflectance.tif", "type": cog, "roles": ["data", "reflectance"],
            **band_fields(bands, "uint16", SCALE, OFFSET, NODATA),
        },
        "mask": {"href": "./mask.tif", "type": cog, "roles": ["data-mask"]},
    }  # fmt: skip
    item = new_item(source["id"], _region(source, acquired.grid), item_time(source), properties, assets)
    origins = [link["href"] for link in source.get("links", []) if is_remote(str(link.get("href")))]
    item["links"] = [{"rel": "derived_from", "href": href} for href in [*origins, relative_href(source_path, folder)]]
    return item


def _region(source: Item, grid: GeoBox) -> BaseGeometry:
    seen = polygons(from_geojson(source["geometry"], f"item {source['id']}").intersection(grid_region(grid)))
    return grid_region(grid) if seen.is_empty else seen
