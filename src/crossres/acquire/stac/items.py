"""STAC items as plain JSON: made, written with relative hrefs, and their bands read back."""

import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from crossres.acquire.regions import bbox, to_geojson
from crossres.errors import UserError
from crossres.files import write_json
from crossres.grids import epsg_of

EXTENSIONS = {
    "eo": "https://stac-extensions.github.io/eo/v1.1.0/schema.json",
    "proj": "https://stac-extensions.github.io/projection/v1.1.0/schema.json",
    "raster": "https://stac-extensions.github.io/raster/v1.1.0/schema.json",
    "view": "https://stac-extensions.github.io/view/v1.0.0/schema.json",
}

UNKNOWN_TIME = {"start_datetime": "0001-01-01T00:00:00Z", "end_datetime": "9999-12-31T23:59:59Z"}
Item = dict[str, Any]
"""A STAC item as its JSON."""


def new_item(
    item_id: str,
    region: BaseGeometry,
    time: datetime | None,
    properties: Mapping[str, Any],
    assets: Mapping[str, Any],
) -> Item:
    """Return a STAC 1.0 item of a region given in degrees; extensions are declared by the prefixes that occur.

    Without a `time` it has no instant but the widest range, as STAC wants it.
    """
    when: dict[str, Any] = {"datetime": None, **UNKNOWN_TIME} if time is None else {"datetime": iso_utc(time)}
    used = {key.partition(":")[0] for key in properties}
    used |= {key.partition(":")[0] for asset in assets.values() for key in asset}
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [EXTENSIONS[prefix] for prefix in sorted(used) if prefix in EXTENSIONS],
        "id": item_id,
        "geometry": to_geojson(region),
        "bbox": [round(v, 7) for v in bbox(region)],
        "properties": {**when, **properties},
        "links": [],
        "assets": dict(assets),
    }


def grid_properties(grid: GeoBox) -> dict[str, Any]:
    """Return the `proj:` fields of a grid; a CRS that is not just what an EPSG code means is given as WKT."""
    affine = grid.affine
    epsg = epsg_of(grid.crs) if grid.crs else None
    fields: dict[str, Any] = {
        "proj:epsg": epsg,
        "proj:shape": list(grid.shape),
        "proj:transform": [affine.a, affine.b, affine.c, affine.d, affine.e, affine.f],
    }
    return fields if epsg or not grid.crs else {**fields, "proj:wkt2": grid.crs.to_wkt()}


def band_fields(
    bands: Sequence[str | None], data_type: str, scale: float | None, offset: float | None, nodata: float | None
) -> dict[str, Any]:
    """Return the `eo:bands` and `raster:bands` of an asset whose bands share scale, offset and nodata.

    A band without a name, and scale and offset that are None, stay unsaid.
    """
    raster: dict[str, Any] = {"data_type": data_type}
    if scale is not None or offset is not None:
        raster |= {"scale": 1.0 if scale is None else scale, "offset": offset or 0.0}
    if nodata is not None:
        raster["nodata"] = "nan" if np.isnan(nodata) else nodata
    return {
        "eo:bands": [{"name": band, "common_name": band} if band else {} for band in bands],
        "raster:bands": [dict(raster) for _ in bands],
    }


def common_names(asset: Mapping[str, Any]) -> list[str | None]:
    """Return the common name of each band of an asset, in file order (STAC 1.0's `eo:bands` or 1.1's `bands`)."""
    bands = asset.get("eo:bands") or asset.get("bands")
    return [_common_name(band) for band in bands] if isinstance(bands, list) else []


def _common_name(band: Any) -> str | None:
    if not isinstance(band, dict):  # before STAC 0.9 a number
        return None
    names = [band.get("common_name"), band.get("eo:common_name"), str(band.get("name") or "").lower()]
    return next((name for name in names if isinstance(name, str) and name), None)


def write_catalog(folder: Path, title: str, items: list[Item]) -> None:
    """Write a static catalogue `catalog.json` with `items/<id>.json` into a folder."""
    links = [{"rel": "root", "href": "./catalog.json", "type": "application/json"}]
    for item in sorted(items, key=lambda i: i["id"]):
        parent = {"href": "../catalog.json", "type": "application/json"}
        item = {**item, "links": [{"rel": "root", **parent}, {"rel": "parent", **parent}]}
        write_json(folder / "items" / f"{item['id']}.json", item)
        links.append({"rel": "item", "href": f"./items/{item['id']}.json", "type": "application/geo+json"})
    write_json(
        folder / "catalog.json",
        {"type": "Catalog", "stac_version": "1.0.0", "id": title, "description": title, "links": links},
    )


def relative_href(target: Path, folder: Path) -> str:
    """Return the href of a local file from an item in `folder`, links resolved so that `..` means what it says."""
    return Path(os.path.relpath(os.path.realpath(target), os.path.realpath(folder))).as_posix()


def safe_id(text: str) -> str:
    """Return a text as an id that is also a file name ([A-Za-z0-9_.-], not starting with a dot)."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", text).lstrip(".") or "_"


def iso_utc(time: datetime) -> str:
    """Return a time as STAC writes it."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z").replace(".000Z", "Z")


def parse_time(text: str, name: str) -> datetime:
    """Read an ISO 8601 time (UTC when it has no zone); `UserError` naming its owner when it is none."""
    try:
        time = datetime.fromisoformat(text.strip())
    except (ValueError, AttributeError):  # of an item, it may be no text
        raise UserError(f"{name}: {str(text)[:60]!r} is not a time in ISO 8601, such as 2020-05-10T17:03:20Z") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def item_time(item: Item) -> datetime:
    """Return when an item was acquired; the start where it only has a range."""
    properties = item.get("properties") or {}
    text = properties.get("datetime") or properties.get("start_datetime")
    if not text:
        raise UserError(f"item {item.get('id')}: has neither datetime nor start_datetime")
    return parse_time(text, f"item {item.get('id')}")
