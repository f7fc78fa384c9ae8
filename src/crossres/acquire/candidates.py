"""Scenes that a source offers: read from a static catalogue or a STAC API, reduced to what pairing needs."""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pystac_client
import requests
from pystac_client.exceptions import APIError
from pystac_client.stac_api_io import StacApiIO
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry
from urllib3.util import Retry

from crossres.acquire.hrefs import is_remote
from crossres.acquire.items import Item, item_time, safe_id
from crossres.acquire.regions import from_geojson
from crossres.errors import UserError
from crossres.files import read_json
from crossres.settings.search import StacApiSource

log = logging.getLogger(__name__)

TIMEOUT_S = 30
LARGEST_DEPTH = 16
"""Levels of nested catalogues; deeper ones are taken as a loop."""


@dataclass(frozen=True)
class Candidate:
    """One scene offered by a source."""

    item: Item
    base: str
    """File or URL that the item's hrefs are relative to."""

    @cached_property
    def id(self) -> str:
        """The item's id, made safe as a file name."""
        return safe_id(str(self.item.get("id") or ""))

    @cached_property
    def region(self) -> BaseGeometry:
        """Its footprint in degrees."""
        return from_geojson(self.item.get("geometry"), f"item {self.id}")

    @cached_property
    def time(self) -> datetime:
        """When it was acquired, in UTC."""
        return item_time(self.item)

    @cached_property
    def cloud_percent(self) -> float | None:
        """Its `eo:cloud_cover`; None when not given."""
        value = (self.item.get("properties") or {}).get("eo:cloud_cover")
        return None if value is None else float(value)


def from_catalog(href: str) -> list[Candidate]:
    """Read every item of a static catalogue (a path or URL of its root), in the order of its links.

    Raises `UserError` when the catalogue or an item cannot be read.
    """
    return list(_walk(href if is_remote(href) else str(Path(href)), 0))


def from_api(source: StacApiSource, area: BaseGeometry, datetime_range: str | None) -> list[Candidate]:
    """Search a STAC API; `UserError` when it does not answer."""
    try:
        client = pystac_client.Client.open(source.url, stac_io=_stac_io())
        found = client.search(
            collections=list(source.collections),
            intersects=mapping(area),
            datetime=datetime_range,
            query=source.query or None,
            max_items=source.max_items,
        )
        items = list(found.items_as_dicts())
    except (APIError, requests.RequestException, NotImplementedError, KeyError, ValueError) as error:
        raise UserError(
            f"{source.url}: the search failed ({_one_line(error)}); try again or check the source"
        ) from None
    if len(items) == source.max_items:
        log.warning("%s: stopped after max_items = %d; there may be more", source.url, source.max_items)
    return [Candidate(item, _self_href(item) or source.url) for item in items]


def _walk(href: str, depth: int) -> Iterator[Candidate]:
    content = _read(href)
    if content.get("type") == "Feature":
        yield Candidate(content, href)
        return
    if content.get("type") not in {"Catalog", "Collection"}:
        raise UserError(f"{href}: is no STAC catalogue, collection or item")
    if depth > LARGEST_DEPTH:
        raise UserError(f"{href}: catalogues are nested deeper than {LARGEST_DEPTH} levels")
    for link in content.get("links", []):
        if link.get("rel") in {"item", "child"}:
            yield from _walk(_link(link.get("href", ""), href), depth + 1)


def _link(href: str, base: str) -> str:
    if is_remote(base):
        return urljoin(base, href)
    return href if is_remote(href) else str(Path(base).parent / href)


def _read(href: str) -> dict[str, Any]:
    if not is_remote(href):
        content = read_json(Path(href))
    else:
        try:
            content = json.loads(_stac_io().read_text(href))
        except (APIError, requests.RequestException, ValueError, OSError) as error:
            raise UserError(f"{href}: cannot be read ({_one_line(error)})") from None
    if not isinstance(content, dict):
        raise UserError(f"{href}: is no STAC catalogue, collection or item")
    return content


def _stac_io() -> StacApiIO:
    # max_retries=5 alone would give up at the first 429, and would not repeat a POST.
    retry = Retry(total=5, backoff_factor=0.5, status_forcelist=[429, 500, 502, 503, 504], allowed_methods=None)
    return StacApiIO(max_retries=retry, timeout=TIMEOUT_S)


def _self_href(item: Item) -> str | None:
    return next((link["href"] for link in item.get("links", []) if link.get("rel") == "self"), None)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text[:200] or type(error).__name__
