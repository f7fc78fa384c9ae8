"""Answers of STAC servers, read with patience and up to a size."""

import io
import logging
import time
from typing import Any

import requests
from pystac_client.exceptions import APIError
from pystac_client.stac_api_io import StacApiIO
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from crossres.acquire.stac.hrefs import without_signature
from crossres.errors import UserError

TIMEOUT_S = 60
ATTEMPTS = 5
DELAY_S = 0.5
LARGEST_ANSWER_BYTES = 64 * 1024**2
"""A page of 100 items is some megabytes; what sends more than this is no STAC server."""

# It logs every retry with the URL's query, which may hold a token.
logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)


def stac_io() -> StacApiIO:
    """Return a reader that waits and asks again when a server is busy, away or breaks off."""
    # max_retries=5 alone would give up at the first 429, and would not repeat a POST.
    retry = Retry(total=5, backoff_factor=0.5, status_forcelist=[429, 500, 502, 503, 504], allowed_methods=None)
    reader = _PatientIO(max_retries=retry, timeout=TIMEOUT_S)
    reader.session.stream = True  # so that an answer's size is looked at before it is in memory
    reader.session.hooks["response"].append(_bounded)
    return reader


class _PatientIO(StacApiIO):
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


def _bounded(answer: requests.Response, **_: Any) -> None:
    """Read an answer, but no more than the limit."""
    content = answer.raw.read(LARGEST_ANSWER_BYTES + 1, decode_content=True)
    if len(content) > LARGEST_ANSWER_BYTES:
        answer.close()
        url, limit_mb = without_signature(answer.url), LARGEST_ANSWER_BYTES >> 20
        raise UserError(f"{url}: its answer is larger than {limit_mb} MB; it is not read")
    answer.raw = io.BytesIO(content)
