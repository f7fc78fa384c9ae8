"""Items of a static STAC catalogue, on disk or over http(s)."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag, urljoin

from pystac_client.exceptions import APIError

from crossres.acquire.remote.addresses import name_host
from crossres.acquire.remote.server_words import own_reason
from crossres.acquire.stac.foreign_json import LONGEST_REASON, offered, parse
from crossres.acquire.stac.hrefs import is_remote, resolved
from crossres.acquire.stac.io import LARGEST_ANSWER_BYTES, PatientIO, stac_io
from crossres.acquire.stac.offered import Offered, Unusable
from crossres.errors import UserError
from crossres.secrets import one_line, shown, without_signature

DEEPEST = 16
"""Levels of nested catalogues."""
MOST_LINKS = 100_000
MOST_FAILURES = 100
"""Links of servers that cannot be read, one after the other, after which the rest is not tried."""


def from_catalog(href: str) -> Iterator[Offered | Unusable]:
    """Read every item of a static catalogue (a path or URL of its root), in the order of its links.

    What a link leads to and cannot be used is a line of its own. Raises `UserError` when the root cannot be read.
    """
    root = href if is_remote(href) else str(Path(href))
    # A person's own file may name servers of the same machine.
    name_host(root if is_remote(root) else "localhost")
    return _Walk().from_root(root)


class _Walk:
    """A walk through a catalogue: where it was, and what it may still read."""

    def __init__(self) -> None:
        self._reader = stac_io()
        self._read_already: set[str] = set()
        self._failures = 0

    def from_root(self, root: str) -> Iterator[Offered | Unusable]:
        """Yield the items below a root."""
        content = self._read(root)
        if content.get("type") == "Feature":
            yield offered(content, without_signature(root))
            return
        # Links still to follow, the next one last, each with the places that it stands below.
        waiting = _links(content, root, ())
        while waiting:
            if len(self._read_already) >= MOST_LINKS or self._failures >= MOST_FAILURES:
                why = f"{MOST_LINKS} links were followed"
                if self._failures >= MOST_FAILURES:
                    why = f"{MOST_FAILURES} links one after the other could not be read"
                yield Unusable(without_signature(root), f"{why}; {len(waiting)} more are not")
                return
            href, above = waiting.pop()
            name = without_signature(above[-1])
            try:
                place = _place(href, above[-1])
                name = without_signature(place)
                if place in above:
                    raise UserError("is a catalogue that leads back to itself")
                if place in self._read_already:
                    continue
                self._read_already.add(place)
                content = self._read(place)
                if content.get("type") == "Feature":
                    yield offered(content, name)
                elif len(above) >= DEEPEST:
                    raise UserError(f"is nested deeper than {DEEPEST} levels of catalogues")
                else:
                    waiting += _links(content, place, above)
            except UserError as error:
                yield Unusable(name, str(error).removeprefix(f"{name}: ")[:LONGEST_REASON])

    def _read(self, place: str) -> dict[str, Any]:
        try:
            content = read_remote(place, self._reader)[0] if is_remote(place) else _read_local(Path(place))
        except UserError:
            self._failures += is_remote(place)
            raise
        self._failures = 0
        if not isinstance(content, dict):
            raise UserError(f"{without_signature(place)}: is no STAC catalogue, collection or item")
        return content


def read_remote(url: str, reader: PatientIO | None = None) -> tuple[Any, str]:
    """Return the JSON that stands at an http(s) URL, and the URL as it may be shown; `UserError` when it is none."""
    name = without_signature(url)
    try:
        return parse((reader or stac_io()).read_text(url)), name
    except APIError as error:
        status = getattr(error, "status_code", None)
        reason = own_reason(status, str(error)) if status else one_line(error)
    except ValueError as error:
        reason = one_line(error)
    raise UserError(f"{name}: cannot be read ({reason})")


def _read_local(path: Path) -> Any:
    try:
        if not path.is_file():  # nor a pipe, which would be waited for
            raise UserError(f"{path}: no such file")
        if path.stat().st_size > LARGEST_ANSWER_BYTES:
            raise UserError(f"{path}: is larger than {LARGEST_ANSWER_BYTES >> 20} MB; it is not read")
        return parse(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError:
        reason = "is no text in UTF-8"
    except ValueError as error:
        reason = f"is not valid JSON ({one_line(error)})"
    except OSError as error:
        reason = f"cannot be read ({error.strerror})"
    raise UserError(f"{path}: {reason}")


def _links(content: dict[str, Any], place: str, above: tuple[str, ...]) -> list[tuple[str, tuple[str, ...]]]:
    """Return the links of a catalogue to what it holds, the first one last."""
    if content.get("type") not in ("Catalog", "Collection"):
        raise UserError(f"{without_signature(place)}: is no STAC catalogue, collection or item")
    links = content.get("links")
    found = [
        (str(link.get("href", "")), (*above, place))
        for link in (links if isinstance(links, list) else [])
        if isinstance(link, dict) and link.get("rel") in ("item", "child")
    ]
    return found[MOST_LINKS::-1]


def _place(href: str, base: str) -> str:
    """Return where a link of a catalogue leads; `UserError` where it may not lead."""
    name = without_signature(base)
    try:
        full = urljoin(base, href) if is_remote(base) else href
    except ValueError:
        raise UserError(f"{name}: href '{shown(href, 100)}' is no address") from None
    place = resolved(full, base, name)
    return urldefrag(place).url if is_remote(place) else os.path.normpath(place)
