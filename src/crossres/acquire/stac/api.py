"""Items of a STAC API, page by page, asked in the dialect that the server says it understands."""

import logging
import operator
from collections.abc import Iterator
from typing import Any

import pystac_client
import shapely
from pystac_client.conformance import ConformanceClasses
from shapely.geometry import box, mapping
from shapely.geometry.base import BaseGeometry

from crossres.acquire.remote.addresses import name_host
from crossres.acquire.remote.server_words import own_reason
from crossres.acquire.stac.foreign_json import LONGEST_REASON, offered
from crossres.acquire.stac.io import TIMEOUT_S, PatientIO, stac_io
from crossres.acquire.stac.offered import Offered, Unusable
from crossres.acquire.stac.pages import PageError, pages
from crossres.errors import UserError
from crossres.imagery.items import Item
from crossres.secrets import one_line, without_signature
from crossres.settings.search import StacApiSource

log = logging.getLogger(__name__)

PAGE_ITEMS = 200
"""Items asked for at once: Sentinel-2 items have up to 23 kB, and some servers cannot answer with more than 6 MB."""

MOST_IDLE_PAGES = 100
"""Pages in a row without an item that is new, after which a server is taken to go round in a circle."""

# Of the query extension: its name, in CQL2, in Python.
OPERATORS = {
    "eq": ("=", operator.eq),
    "neq": ("<>", operator.ne),
    "lt": ("<", operator.lt),
    "lte": ("<=", operator.le),
    "gt": (">", operator.gt),
    "gte": (">=", operator.ge),
}


def from_api(source: StacApiSource, area: BaseGeometry, datetime_range: str | None) -> Iterator[Offered | Unusable]:
    """Search a STAC API and yield its items page by page, each once, and a line for whatever it does not give.

    Conditions of `source.query` are sent as the query extension or as a CQL2 filter, whichever the server conforms to,
    and tested here where it knows neither. Raises `UserError` when nothing at all comes of it.
    """
    name = without_signature(source.url)
    for conditions in source.query.values():
        for operator_name in conditions:
            _operator(operator_name)
    name_host(source.url)
    reader = stac_io()
    client, search = _opened(source, area, datetime_range, reader)
    is_filtered = _speaks(client, "QUERY") or _speaks(client, "FILTER")
    count, idle, matched, rest = 0, 0, None, False
    seen: set[tuple[str, str]] = set()
    try:
        for page in pages(reader, search.url, str(search.method), search.get_parameters()):
            matched = page.matched if page.matched is not None else matched
            before = count
            for feature in page.features:
                one = offered(feature, page.url)
                if isinstance(one, Offered):
                    identity = str(one.item.get("collection")), one.item["id"]
                    if identity in seen:
                        continue
                    seen.add(identity)
                if count == source.max_items:
                    rest = True
                    break
                count += 1
                if isinstance(one, Unusable) or is_filtered or _satisfies(one.item, source.query):
                    yield one
            log.info("%s: %d items", name, count)
            idle = 0 if count > before else idle + 1
            if idle == MOST_IDLE_PAGES and not page.is_last:
                raise PageError(f"{MOST_IDLE_PAGES} pages one after the other brought nothing new")
            if rest or (count == source.max_items and not page.is_last):
                rest = True
                break
    except PageError as error:
        if count == 0:
            raise UserError(f"{name}: the search failed ({error}); try again or check the source") from None
        yield _missing(name, f"the search broke off after {count} items ({error})")
        return
    if rest and (matched is None or matched > count):
        of = "" if matched is None else f" of {matched}"
        yield _missing(name, f"stopped after max_items = {source.max_items}{of}; there may be more")
    elif matched is not None and matched > count:
        yield _missing(name, f"gave {count} of the {matched} items that it says match")


def _missing(name: str, reason: str) -> Unusable:
    return Unusable(name, reason[:LONGEST_REASON])


def _opened(
    source: StacApiSource, area: BaseGeometry, datetime_range: str | None, reader: PatientIO
) -> tuple[pystac_client.Client, pystac_client.ItemSearch]:
    """Return what an API says of itself, and the search, not asked yet."""
    try:
        client = pystac_client.Client.open(source.url, stac_io=reader, timeout=TIMEOUT_S)
        return client, _search(client, source, area, datetime_range)
    except UserError:
        raise
    except Exception as error:  # there is no end to what pystac raises for a landing page that is none
        status = getattr(error, "status_code", None)
        reason = own_reason(status, str(error)) if status else one_line(error)
        raise UserError(
            f"{without_signature(source.url)}: the search failed ({reason}); try again or check the source"
        ) from None


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
    properties = item["properties"]
    try:
        return all(
            key in properties and _operator(name)[1](properties[key], value)
            for key, conditions in query.items()
            for name, value in conditions.items()
        )
    except TypeError:  # a text is neither more nor less than a number
        return False


def _operator(name: str) -> tuple[str, Any]:
    if name not in OPERATORS:
        raise UserError(f"query: operator {name!r} is not known; use one of {', '.join(OPERATORS)}")
    return OPERATORS[name]


def _speaks(client: pystac_client.Client, extension: str) -> bool:
    return client.conforms_to(ConformanceClasses[extension])
