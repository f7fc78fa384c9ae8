"""Items of a STAC API, page by page, asked in the dialect that the server says it understands."""

import logging
import operator
import re
from collections.abc import Iterator
from typing import Any

import pystac_client
import requests
import shapely
from pystac_client.conformance import ConformanceClasses
from pystac_client.exceptions import APIError
from shapely.geometry import box, mapping
from shapely.geometry.base import BaseGeometry

from crossres.acquire.pairing.candidates import Offered
from crossres.acquire.stac.hrefs import without_signature
from crossres.acquire.stac.io import stac_io
from crossres.acquire.stac.items import Item
from crossres.errors import UserError
from crossres.settings.search import StacApiSource

log = logging.getLogger(__name__)

PAGE_ITEMS = 200
"""Items asked for at once: Sentinel-2 items have up to 23 kB, and some servers cannot answer with more than 6 MB."""

# Of the query extension: its name, in CQL2, in Python.
OPERATORS = {
    "eq": ("=", operator.eq),
    "neq": ("<>", operator.ne),
    "lt": ("<", operator.lt),
    "lte": ("<=", operator.le),
    "gt": (">", operator.gt),
    "gte": (">=", operator.ge),
}


def from_api(source: StacApiSource, area: BaseGeometry, datetime_range: str | None) -> Iterator[Offered]:
    """Search a STAC API and yield its items page by page; `UserError` when it does not answer.

    Conditions of `source.query` are sent as the query extension or as a CQL2 filter, whichever the server conforms to,
    and tested here where it knows neither.
    """
    try:
        client = pystac_client.Client.open(source.url, stac_io=stac_io())
        count = 0
        for page in _search(client, source, area, datetime_range).pages_as_dicts():
            items = page.get("features", [])
            count += len(items)
            log.info("%s: %d items", without_signature(source.url), count)
            for item in items:
                if _speaks(client, "QUERY") or _speaks(client, "FILTER") or _satisfies(item, source.query):
                    yield Offered(item, _self_href(item) or source.url)
    # pystac-client raises NotImplementedError when a server conforms to no item search.
    except (APIError, requests.RequestException, NotImplementedError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{without_signature(source.url)}: the search failed ({one_line(error)}); try again or check the source"
        ) from None
    if count >= source.max_items:
        log.warning(
            "%s: stopped after max_items = %d; there may be more", without_signature(source.url), source.max_items
        )


def _search(
    client: pystac_client.Client, source: StacApiSource, area: BaseGeometry, datetime_range: str | None
) -> pystac_client.ItemSearch:
    links = [link for link in client.links if link.rel == "search"]
    methods = {str(link.extra_fields.get("method") or "GET").upper() for link in links}
    method = "POST" if "POST" in methods else "GET"
    arguments: dict[str, Any] = {"method": method}
    # A polygon of many corners would be too long for a URL; what lies outside of it is declined later on.
    if method == "GET" or shapely.equals(area, box(*area.bounds)):
        arguments["bbox"] = area.bounds
    else:
        arguments["intersects"] = mapping(area)
    if source.query and _speaks(client, "QUERY"):
        arguments["query"] = source.query
    elif source.query and _speaks(client, "FILTER"):
        arguments["filter"] = cql2_json(source.query) if method == "POST" else cql2_text(source.query)
        arguments["filter_lang"] = "cql2-json" if method == "POST" else "cql2-text"
    return client.search(
        collections=list(source.collections),
        datetime=datetime_range,
        limit=min(PAGE_ITEMS, source.max_items),
        max_items=source.max_items,
        **arguments,
    )


def cql2_json(query: dict[str, dict[str, float | str]]) -> dict[str, Any]:
    """Return conditions of the query extension as CQL2 JSON; `UserError` for an operator that is not known."""
    terms = [
        {"op": _operator(name)[0], "args": [{"property": key}, value]}
        for key, conditions in query.items()
        for name, value in conditions.items()
    ]
    return terms[0] if len(terms) == 1 else {"op": "and", "args": terms}


def cql2_text(query: dict[str, dict[str, float | str]]) -> str:
    """Return conditions of the query extension as CQL2 text; `UserError` for an operator that is not known."""

    def literal(value: float | str) -> str:
        return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else f"{value:g}"

    return " AND ".join(
        f'"{key}" {_operator(name)[0]} {literal(value)}'
        for key, conditions in query.items()
        for name, value in conditions.items()
    )


def _satisfies(item: Item, query: dict[str, dict[str, float | str]]) -> bool:
    properties = item.get("properties") or {}
    return all(
        key in properties and _operator(name)[1](properties[key], value)
        for key, conditions in query.items()
        for name, value in conditions.items()
    )


def _operator(name: str) -> tuple[str, Any]:
    if name not in OPERATORS:
        raise UserError(f"query: operator {name!r} is not known; use one of {', '.join(OPERATORS)}")
    return OPERATORS[name]


def _speaks(client: pystac_client.Client, extension: str) -> bool:
    return client.conforms_to(ConformanceClasses[extension])


def one_line(error: Exception) -> str:
    """Return what an error says, shortened to a line, without queries and passwords of the URLs in it."""
    text = re.sub(r"\?\S+|//\S+@", "…", " ".join(str(error).split()))
    return text[:200] or type(error).__name__


def _self_href(item: Item) -> str | None:
    return next((link["href"] for link in item.get("links", []) if link.get("rel") == "self"), None)
