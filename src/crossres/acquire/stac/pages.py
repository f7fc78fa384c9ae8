"""The pages of a STAC search, one after the other, whatever a server's links lead to.

pystac-client takes an empty page for the last one, and follows links that lead to themselves for ever.
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from pystac_client.exceptions import APIError

from crossres.acquire.remote.server_words import own_reason
from crossres.acquire.stac.io import PatientIO
from crossres.errors import UserError
from crossres.secrets import one_line, without_signature


class PageError(Exception):
    """Why there is no further page although there should be."""


class Page(NamedTuple):
    """One answer."""

    url: str
    """Where it was read, without secrets: what the hrefs of its items are relative to."""
    features: list[Any]
    matched: int | None
    """How many items the server says that there are; None when it does not say."""
    is_last: bool


def pages(reader: PatientIO, url: str, method: str, question: dict[str, Any]) -> Iterator[Page]:
    """Yield the pages of a search that is asked at `url` by a method; `PageError` for one that cannot be had."""
    headers: dict[str, str] = {}
    parameters = question
    asked: set[str] = set()
    while True:
        request = json.dumps([method, url, parameters], sort_keys=True, default=str)
        if request in asked:
            raise PageError("its link to the next page leads back to a page that it gave already")
        asked.add(request)
        content = _read(reader, url, method, headers, parameters)
        features, links = content.get("features"), content.get("links")
        if not isinstance(features, list):
            raise PageError("it answers with something else than a collection of items")
        found = [link for link in (links if isinstance(links, list) else []) if _leads_on(link)]
        yield Page(without_signature(url), features, _matched(content), not found)
        if not found:
            return
        url, method, headers, parameters = _next(found[0], url, question)


def _read(
    reader: PatientIO, url: str, method: str, headers: dict[str, str], parameters: dict[str, Any]
) -> dict[str, Any]:
    if urlsplit(url).scheme.lower() not in {"http", "https"}:
        raise PageError("its link leads to no http(s) address")
    try:
        return reader.json_loads(reader.request(url, method, headers, parameters))
    except UserError as error:
        raise PageError(str(error)) from None
    except APIError as error:
        status = getattr(error, "status_code", None)
        raise PageError(own_reason(status, str(error)) if status else one_line(error)) from None
    except ValueError as error:
        raise PageError(f"its answer {one_line(error)}") from None


def _leads_on(link: Any) -> bool:
    return isinstance(link, dict) and link.get("rel") == "next"


def _next(link: dict[str, Any], url: str, question: dict[str, Any]) -> tuple[str, str, dict[str, str], dict[str, Any]]:
    """Return what to ask for the next page: URL, method, headers and body or query."""
    href, method, body = link.get("href"), str(link.get("method") or "GET").upper(), link.get("body")
    if not isinstance(href, str) or method not in {"GET", "POST"}:
        raise PageError("its link to the next page cannot be followed")
    try:
        target = urljoin(url, href)
        stays = urlsplit(target).netloc == urlsplit(url).netloc
    except ValueError:
        raise PageError("its link to the next page is no address") from None
    given = link.get("headers")
    headers = {str(k): str(v) for k, v in given.items()} if isinstance(given, dict) and stays else {}
    if method == "GET":  # all of the question is in the link
        return target, method, headers, {}
    body = body if isinstance(body, dict) else {}
    return target, method, headers, {**question, **body} if link.get("merge") else body


def _matched(content: dict[str, Any]) -> int | None:
    context = content.get("context")
    found = content.get("numberMatched", context.get("matched") if isinstance(context, dict) else None)
    return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else None
