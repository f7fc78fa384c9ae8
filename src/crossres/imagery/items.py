"""STAC 1.1 items of what this program makes: scenes, catalogues of a person's files, super-resolved scenes.

What items of others say is read elsewhere (`acquire.stac`), in STAC 1.0 and 1.1.
"""

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from crossres.files import write_json
from crossres.globe import bbox, to_geojson
from crossres.grids import epsg_of, gsd_m
from crossres.imagery.numbers import Encoding

VERSION = "1.1.0"
EXTENSIONS = {
    "eo": "https://stac-extensions.github.io/eo/v2.0.0/schema.json",
    "proj": "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
    "raster": "https://stac-extensions.github.io/raster/v2.0.0/schema.json",
    "view": "https://stac-extensions.github.io/view/v1.0.0/schema.json",
}
COMMON_NAMES = frozenset({
    "pan", "coastal", "blue", "green", "green05", "yellow", "red", "rededge", "rededge071", "rededge075", "rededge078",
    "nir", "nir08", "nir09", "cirrus", "swir16", "swir22", "lwir", "lwir11", "lwir12",
})  # fmt: skip
"""Those that the extension `eo` knows."""

GEOTIFF = "image/tiff; application=geotiff"
COG = f"{GEOTIFF}; profile=cloud-optimized"
JSON, GEOJSON = "application/json", "application/geo+json"

UNKNOWN_TIME = {"start_datetime": "0001-01-01T00:00:00Z", "end_datetime": "9999-12-31T23:59:59Z"}
Item = dict[str, Any]
"""A STAC item as its JSON."""


def new_item(
    identifier: str,
    region: BaseGeometry,
    time: datetime | None,
    properties: Mapping[str, Any],
    assets: Mapping[str, Mapping[str, Any]],
    links: Sequence[Mapping[str, Any]] = (),
) -> Item:
    """Return the item of a region given in degrees; extensions are declared by the prefixes that occur.

    Without a `time` it has no instant but the widest range, as STAC wants it.
    """
    when: dict[str, Any] = {"datetime": None, **UNKNOWN_TIME} if time is None else {"datetime": iso_utc(time)}
    used = {key.partition(":")[0] for key in _keys(properties, assets)}
    return {
        "type": "Feature",
        "stac_version": VERSION,
        "stac_extensions": [EXTENSIONS[prefix] for prefix in sorted(used) if prefix in EXTENSIONS],
        "id": identifier,
        **place_fields(region),
        "properties": {**when, **properties},
        "links": list(links),
        "assets": dict(assets),
    }


def _keys(properties: Mapping[str, Any], assets: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield from properties
    for asset in assets.values():
        yield from asset
        for band in asset.get("bands", ()):
            yield from band


def place_fields(region: BaseGeometry) -> dict[str, Any]:
    """Return geometry and bbox of a region given in degrees, to 1e-7 degrees (1 cm)."""
    return {"geometry": to_geojson(region), "bbox": [round(v, 7) for v in bbox(region)]}


def grid_fields(grid: GeoBox) -> dict[str, Any]:
    """Return the properties of a grid; a CRS that is not just what an EPSG code means is given as WKT."""
    epsg = epsg_of(grid.crs) if grid.crs else None
    fields: dict[str, Any] = {
        "gsd": gsd_m(grid),
        "proj:code": f"EPSG:{epsg}" if epsg else None,
        "proj:shape": list(grid.shape),
        "proj:transform": list(grid.affine)[:6],
    }
    return fields if epsg or not grid.crs else {**fields, "proj:wkt2": grid.crs.to_wkt()}


def raster_asset(
    href: str, bands: Sequence[str | None], encoding: Encoding, media_type: str = COG, **about: Any
) -> dict[str, Any]:
    """Return the asset of a raster whose bands are kept alike; `about` is what else it says (roles, title)."""
    asset = {"href": href, "type": media_type, "roles": ["data"], "data_type": encoding.data_type, **about}
    if encoding.nodata is not None:
        # JSON has no NaN: STAC calls it "nan".
        asset["nodata"] = encoding.nodata if math.isfinite(encoding.nodata) else str(float(encoding.nodata))
    if encoding.scale is not None:
        asset |= {"raster:scale": encoding.scale, "raster:offset": encoding.offset}
    if encoding.unit is not None:
        asset["unit"] = encoding.unit
    return {**asset, "bands": described(bands)}


def described(bands: Sequence[str | None]) -> list[dict[str, str]]:
    """Return the `bands` of an asset; STAC wants a word of each, also of one without a name."""
    return [
        ({"name": band} if band else {"description": "unnamed"})
        | ({"eo:common_name": band} if band in COMMON_NAMES else {})
        for band in bands
    ]


def derived_from(href: str, title: str | None = None, media_type: str | None = None) -> dict[str, str]:
    """Return the link to what an item was made from; its media type by its name where that is not given."""
    types = {"json": JSON, "geojson": GEOJSON, "tif": GEOTIFF, "tiff": GEOTIFF}
    known = {"type": media_type or types.get(href.rpartition(".")[2].lower()), "title": title}
    return {"rel": "derived_from", "href": href} | {key: value for key, value in known.items() if value}


def write_catalog(folder: Path, title: str, items: Sequence[Item]) -> None:
    """Write a static catalogue `catalog.json` with `items/<id>.json` into a folder."""
    links = [{"rel": "root", "href": "./catalog.json", "type": JSON}]
    for item in sorted(items, key=lambda i: i["id"]):
        parent = {"href": "../catalog.json", "type": JSON}
        item = {**item, "links": [{"rel": "root", **parent}, {"rel": "parent", **parent}]}
        write_json(folder / "items" / f"{item['id']}.json", item)
        links.append({"rel": "item", "href": f"./items/{item['id']}.json", "type": GEOJSON})
    write_json(
        folder / "catalog.json",
        {"type": "Catalog", "stac_version": VERSION, "id": title, "description": title, "links": links},
    )


def relative_href(target: Path, folder: Path) -> str:
    """Return the href of a local file from an item in `folder`, links resolved so that `..` means what it says."""
    return Path(os.path.relpath(os.path.realpath(target), os.path.realpath(folder))).as_posix()


def iso_utc(time: datetime) -> str:
    """Return a time as STAC writes it."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z").replace(".000Z", "Z")
