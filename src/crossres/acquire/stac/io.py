"""Answers of STAC servers, read with patience, up to a size, and from no private address that is not named."""

import io
import time
from typing import Any
from urllib.parse import urlsplit

import requests
from pystac.link import HREF, Link
from pystac_client.exceptions import APIError
from pystac_client.stac_api_io import StacApiIO
from urllib3.exceptions import HTTPError

from crossres.acquire.remote.addresses import mount_checked
from crossres.acquire.remote.patience import Patience, pieces
from crossres.acquire.stac.foreign_json import parse
from crossres.errors import UserError
from crossres.secrets import shown, without_signature

TIMEOUT_S = 60
ATTEMPTS = 5
DELAY_S = 0.5
REDIRECTS = 5
LARGEST_ANSWER_BYTES = 64 * 1024**2
"""A page of 100 items is some megabytes; what sends more than this is no STAC server."""


def stac_io() -> "PatientIO":
    """Return a reader that waits and asks again when a server is busy, away or breaks off."""
    # max_retries=5 alone would give up at the first 429, and would not repeat a POST.
    retry = Patience(total=5, backoff_factor=0.5, status_forcelist=[429, 500, 502, 503, 504], allowed_methods=None)
    reader = PatientIO(timeout=TIMEOUT_S)
    mount_checked(reader.session, max_retries=retry)
    reader.session.max_redirects = REDIRECTS
    reader.session.stream = True  # so that an answer's size is looked at before it is in memory
    reader.session.hooks["response"].append(_bounded)
    return reader


class PatientIO(StacApiIO):
    """Also asks again for an answer that broke off, which urllib3 leaves to its caller."""

    def request(
        self,
        href: str,
        method: str | None = None,
        headers: dict[str, str] | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> str:
        for attempt in range(ATTEMPTS):
            try:
                return super().request(href, method, headers, parameters)
            except APIError as error:
                if isinstance(error.__context__, UserError):
                    raise error.__context__ from None
                broke_off = isinstance(error.__context__, HTTPError)
                if not broke_off or attempt == ATTEMPTS - 1:
                    raise
            time.sleep(DELAY_S * 2**attempt)
        raise AssertionError("unreachable")

    def read_text(self, source: HREF, *args: Any, **kwargs: Any) -> str:
        """Read a URL; what a server's answer names is never read from this machine."""
        href = source.href if isinstance(source, Link) else str(source)
        if urlsplit(href).scheme.lower() not in {"http", "https"}:
            raise UserError(f"{shown(href, 100)}: is no http(s) address; it is not read")
        return super().read_text(source, *args, **kwargs)

    def json_loads(self, txt: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Read JSON so that one bad value does not spoil all of it; ValueError for what is no object."""
        content = parse(txt)
        if not isinstance(content, dict):
            raise ValueError("is no JSON object")
        return content


def _bounded(answer: requests.Response, **_: Any) -> None:
    """Read an answer, but no more than the limit."""
    content = bytearray()
    for piece in pieces(answer.raw, 1 << 20, decoded=True):
        content += piece
        if len(content) > LARGEST_ANSWER_BYTES:
            answer.close()
            url, limit_mb = without_signature(answer.url), LARGEST_ANSWER_BYTES >> 20
            raise UserError(f"{url}: its answer is larger than {limit_mb} MB; it is not read")
    answer.raw = io.BytesIO(content)
