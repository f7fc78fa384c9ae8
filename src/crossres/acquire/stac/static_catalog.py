"""Items of a static STAC catalogue, on disk or over http(s)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests
from pystac_client.exceptions import APIError

from crossres.acquire.pairing.candidates import Offered
from crossres.acquire.stac.api import one_line
from crossres.acquire.stac.hrefs import is_remote
from crossres.acquire.stac.io import stac_io
from crossres.errors import UserError
from crossres.files import read_json

LARGEST_DEPTH = 16
"""Levels of nested catalogues; deeper ones are taken as a loop."""


def from_catalog(href: str) -> Iterator[Offered]:
    """Read every item of a static catalogue (a path or URL of its root), in the order of its links.

    Raises `UserError` when the catalogue or an item cannot be read.
    """
    return _walk(href if is_remote(href) else str(Path(href)), 0)


def _walk(href: str, depth: int) -> Iterator[Offered]:
    content = _read(href)
    if content.get("type") == "Feature":
        yield Offered(content, href)
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
            content = json.loads(stac_io().read_text(href))
        except (APIError, requests.RequestException, ValueError, OSError) as error:
            raise UserError(f"{href}: cannot be read ({one_line(error)})") from None
    if not isinstance(content, dict):
        raise UserError(f"{href}: is no STAC catalogue, collection or item")
    return content
