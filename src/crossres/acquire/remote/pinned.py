"""A file on a server whose SHA-256 is known before it is fetched: it is that file, or nothing is kept."""

import hashlib
import re
import time
from pathlib import Path
from typing import BinaryIO

import requests
from urllib3.exceptions import HTTPError

from crossres.acquire.remote.addresses import name_host
from crossres.acquire.remote.patience import LONGEST_RETRY_AFTER_S, pieces
from crossres.acquire.remote.range_requests import PassingError, RangeRequests
from crossres.errors import UserError

ATTEMPTS = 5
"""Failures one after the other, without a byte between them, after which a server is given up."""
DELAY_S = 0.5
PIECE_BYTES = 1 << 20


def fetch_pinned(url: str, sha256: str, path: Path, most_bytes: int) -> None:
    """Write the file at a URL that a person typed to `path`; `UserError` unless its SHA-256 is this one.

    What broke off goes on where it stopped. A file of more than `most_bytes` is not fetched.
    """
    name_host(url)
    asked = RangeRequests(url, 1)
    failures, size = 0, -1
    with path.open("wb") as out:
        while out.tell() != size:
            at = out.tell()
            try:
                size = _append(asked, out, most_bytes)
            except PassingError as error:
                failures = 1 if out.tell() > at else failures + 1
                pause_s = DELAY_S * 2**failures if error.pause_s is None else error.pause_s
                if failures == ATTEMPTS or pause_s > LONGEST_RETRY_AFTER_S:
                    raise UserError(f"{asked.shown}: cannot be fetched ({error}); run again later") from None
                time.sleep(pause_s)
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise UserError(
            f"{asked.shown}: has the SHA-256 {found}, not {sha256}; it is not the file that was meant, and is not kept"
        )


def _append(asked: RangeRequests, out: BinaryIO, most_bytes: int) -> int:
    """Append what one answer holds; return the size of the file."""
    at = out.tell()
    with asked.ask(at, most_bytes + 1) as answer:
        size = _size(answer, at)
        if size > most_bytes:
            raise UserError(f"{asked.shown}: is larger than {most_bytes >> 20} MiB; it is not fetched")
        if answer.status_code == 200 and at:  # a server that knows no ranges begins again
            out.seek(0)
            out.truncate()
        coming = pieces(answer.raw, PIECE_BYTES)
        while out.tell() < size:
            try:
                piece = next(coming, b"")
            except (HTTPError, OSError) as error:
                raise PassingError(f"the connection broke: {type(error).__name__}") from None
            if not piece:
                break
            out.write(piece[: size - out.tell()])
    if out.tell() < size:
        raise PassingError("its answer is too short")
    return size


def _size(answer: requests.Response, at: int) -> int:
    """Return the size of the file that an answer is of."""
    if answer.status_code == 206:
        span = re.fullmatch(r"bytes ([0-9]{1,19})-[0-9]{1,19}/([0-9]{1,19})", answer.headers.get("Content-Range", ""))
        if not span or int(span[1]) != at:
            raise PassingError("it sent other bytes than were asked for")
        return int(span[2])
    length = answer.headers.get("Content-Length", "")
    if not re.fullmatch(r"[0-9]{1,19}", length):
        raise PassingError("it does not say how long the file is")
    return int(length)
