"""How long a server is waited for, whatever it asks."""

import email.utils
import logging
import re
import time
from collections.abc import Iterator

from urllib3.response import BaseHTTPResponse
from urllib3.util import Retry

LONGEST_RETRY_AFTER_S = 300.0
"""A server that asks for a longer pause is given up."""
SLOWEST_BYTES, SLOWEST_S = 16 * 1024, 60.0
"""An answer that brings less than this in this time is given up: a timeout alone waits for ever for drops."""

# At DEBUG these log URLs with their queries, which may hold a token; urllib3 does so for each retry, too.
for _name in ("urllib3", "pystac_client", "planetary_computer"):
    logging.getLogger(_name).setLevel(logging.ERROR)


class SlowAnswerError(OSError):
    """An answer that comes in drops."""


def retry_after_s(text: str | None) -> float | None:
    """Return the pause in seconds that a `Retry-After` header asks for, at least 0; None for what is none."""
    text = (text or "").strip()
    if re.fullmatch(r"[0-9]{1,100}", text):
        return float(text)
    try:
        date = email.utils.parsedate_tz(text[:100])
        return None if date is None else max(email.utils.mktime_tz(date) - time.time(), 0.0)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


class Patience(Retry):
    """Retries that wait as long as a server asks, up to LONGEST_RETRY_AFTER_S, and not at all for nonsense."""

    def parse_retry_after(self, retry_after: str) -> float:
        return min(retry_after_s(retry_after) or 0.0, LONGEST_RETRY_AFTER_S)


def pieces(answer: BaseHTTPResponse, most: int, *, decoded: bool = False) -> Iterator[bytes]:
    """Yield an answer's body as it comes in, in pieces of at most `most` bytes; `SlowAnswerError` when it hardly does.

    `decoded` undoes a Content-Encoding.
    """
    since, received = time.monotonic(), 0
    while piece := answer.read1(most, decode_content=decoded):
        yield piece
        received += len(piece)
        now = time.monotonic()
        if now - since > SLOWEST_S:
            if received < SLOWEST_BYTES:
                raise SlowAnswerError(f"it sends less than {SLOWEST_BYTES >> 10} kB in {SLOWEST_S:g} s")
            since, received = now, 0
