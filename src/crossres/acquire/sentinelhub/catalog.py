"""Sentinel Hub's Catalog API: its scenes as items that look like those of any other source."""

import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from shapely.geometry.base import BaseGeometry

from crossres.acquire.regions import from_geojson
from crossres.acquire.sentinelhub.service import SentinelHub
from crossres.acquire.stac.date_range import DateRange
from crossres.acquire.stac.foreign_json import offered
from crossres.acquire.stac.items import parse_time
from crossres.acquire.stac.offered import Offered, Unusable
from crossres.errors import UserError
from crossres.globe import unwrapped
from crossres.imagery.items import Item
from crossres.sensors.sentinel2 import BAND_IDS
from crossres.sensors.sun import sun_position
from crossres.settings.search import SentinelHubSource

log = logging.getLogger(__name__)

PRODUCT = re.compile(
    r"S2([A-Z])_MSIL2A_\d{8}T\d{6}_N(\d\d)(\d\d)_R\d{3}_T(\d\d)([A-Z])([A-Z]{2})_\d{8}T\d{6}", re.ASCII
)
"""ESA's name of a product: satellite, processing baseline, tile."""
PROCESS = "crossres:sentinelhub"
"""Where an asset says which product of which service it is a window of."""
PASSED_ON = ("datetime", "instruments", "gsd", "proj:bbox", "proj:epsg")
PAGE = 100
START, END = datetime(2015, 6, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""What an open end of the time range stands for; the API wants two times."""


def from_sentinelhub(source: SentinelHubSource, area: BaseGeometry, times: DateRange) -> Iterator[Offered | Unusable]:
    """Search Sentinel Hub's catalogue and yield its items; `UserError` when it does not answer or refuses."""
    from sentinelhub import CRS, Geometry, SentinelHubCatalog

    service = SentinelHub(source.endpoint)
    catalog = SentinelHubCatalog(config=service.config)
    catalog.client = service.client

    def request() -> list[dict[str, Any]]:
        found = catalog.search(
            source.collection, geometry=Geometry(area, CRS.WGS84), limit=min(PAGE, source.max_items),
            time=(max(times.start, START).replace(microsecond=0), min(times.end, END).replace(microsecond=0)),
        )  # fmt: skip
        return list(islice(found, source.max_items + 1))

    features = service.ask(request)
    for feature in features[: source.max_items]:
        one = offered({**feature, "assets": {}} if isinstance(feature, dict) else feature, service.url)
        yield one if isinstance(one, Unusable) else Offered(_item(one.item, source, service.url), service.url)
    if len(features) > source.max_items:
        yield Unusable(service.url, f"stopped after max_items = {source.max_items}; there are more")


def _item(feature: dict[str, Any], source: SentinelHubSource, url: str) -> Item:
    """Return a feature of the catalogue as an item with one asset, from which `sentinelhub_scene` reads its window.

    The properties are brought to the names that other catalogues use. An id that is no product name gives no asset.
    """
    name = str(feature["id"]).removesuffix(".SAFE")
    given = feature["properties"]
    properties = {k: v for k, v in given.items() if k in PASSED_ON or k.startswith(("eo:", "view:", "s2:"))}
    properties["constellation"] = "sentinel-2"
    item: Item = {
        "type": "Feature", "stac_version": "1.0.0", "id": name, "collection": source.collection,
        "geometry": feature.get("geometry"), "bbox": feature.get("bbox"), "properties": properties,
        "links": [], "assets": {},
    }  # fmt: skip
    product = PRODUCT.fullmatch(name)
    if product is None:
        return item
    satellite, major, minor, zone, latitude_band, square = product.groups()
    properties["platform"] = f"sentinel-2{satellite.lower()}"
    properties["s2:processing_baseline"] = f"{major}.{minor}"
    properties["s2:product_uri"] = f"{name}.SAFE"
    properties["s2:mgrs_tile"] = f"{zone}{latitude_band}{square}"
    properties.setdefault("proj:epsg", (32600 if latitude_band >= "N" else 32700) + int(zone))
    properties |= {k: v for k, v in _sun(item).items() if k not in properties}
    item["assets"]["process"] = {
        "href": f"{url}/api/v1/process",
        "type": "image/tiff; application=geotiff",
        "roles": ["data"],
        "gsd": 10,
        "eo:bands": [{"name": esa, "common_name": band} for band, esa in BAND_IDS.items()],
        PROCESS: {
            "endpoint": source.endpoint, "collection": source.collection, "product": name,
        },
    }  # fmt: skip
    return item


def _sun(item: Item) -> dict[str, float]:
    """Return where the Sun stood over the footprint's centre; the catalogue seldom says it."""
    try:
        centre = unwrapped(from_geojson(item["geometry"], item["id"])).centroid
        time = parse_time(str(item["properties"].get("datetime")), item["id"])
    except UserError:  # what is wrong with the item is said where it is used
        return {}
    azimuth, elevation = sun_position(time, centre.x, centre.y)
    return {"view:sun_azimuth": round(azimuth, 2), "view:sun_elevation": round(elevation, 2)}
