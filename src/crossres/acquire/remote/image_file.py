"""An image file on a server, read by HTTP range requests that survive what servers do.

Every finished range is a file of its own, named by its place and its checksum: a process that was killed goes on where
it stopped, and memory holds none of it. These files stand in a folder named by address, size and version (ETag), so
that ranges of two versions cannot be mixed; what depends on settings is not kept.
"""

import hashlib
import re
import shutil
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import BinaryIO

import requests
from urllib3.exceptions import HTTPError

from crossres.acquire.remote.patience import LONGEST_RETRY_AFTER_S, SLOWEST_BYTES, SlowAnswerError, pieces
from crossres.acquire.remote.range_requests import PassingError, RangeRequests
from crossres.acquire.remote.ranges import RangeTable, done, finished, range_of
from crossres.acquire.remote.transfer import CONNECTIONS, Transfer
from crossres.acquire.stac.hrefs import shown, without_signature
from crossres.errors import UserError
from crossres.foreign_raster import STARTS, image_driver

DELAY_S = 0.5
"""Pause after the first failure; it doubles with each, up to LONGEST_DELAY_S."""
LONGEST_DELAY_S = 30.0
HEADER_BYTES = 64 * 1024
CHUNK_BYTES = 256 * 1024
"""What is fetched when a reader wants bytes that were not planned."""
RANGE_BYTES = 4 * 1024 * 1024
"""Most that is fetched, and kept or lost, at a time."""
LARGEST_GAP_BYTES = 64
"""Between neighbours: a COG writes the length of each block before it and its last bytes after it."""
WHOLE_BYTES = 1024**3
"""Largest file taken from a server that does not answer range requests."""
LARGEST_FILE_BYTES = 1024**4
"""What is said to be larger is no image, and its ranges would not fit into memory."""
LONGEST_START = max(map(len, STARTS))


class UnreachableError(UserError):
    """A server that does not answer now; what was fetched is worth keeping."""


class RemoteFile:
    """An image of a known size on a server; any number of threads may read it."""

    def __init__(self, href: str, transfer: Transfer) -> None:
        """Ask for the start of the file; `UserError` when it is not there, not allowed or no TIFF or JPEG 2000."""
        self.href = href
        self.shown = without_signature(href)
        self.size = 0
        self._transfer = transfer
        self._version: str | None = None
        self._is_sent_whole = False
        self._lock = threading.Lock()
        self._requests = RangeRequests(href, CONNECTIONS)
        self._ranges = RangeTable()
        transfer.folder.mkdir(parents=True, exist_ok=True)
        unnamed = hashlib.sha256(href.encode()).hexdigest()[:24]
        first = transfer.folder / f"{unnamed}.start"
        transfer.progress.need(HEADER_BYTES)
        end = self._fetch_into(first, 0, HEADER_BYTES)
        head = first.read_bytes()[:16]
        self.driver = image_driver(head)
        named = hashlib.sha256(f"{href}\n{self.size}\n{self._version}".encode()).hexdigest()[:24]
        self._folder = transfer.folder / named
        if self._version is None and self._folder.exists():
            shutil.rmtree(self._folder)  # nothing says that it is still the same file
        self._folder.mkdir(exist_ok=True)
        self._keep_finished()
        self._ranges.add(0, end, done(finished(first, self._folder, 0, end)))

    def read(self, start: int, count: int) -> bytes:
        """Return bytes; those that were not planned are fetched now."""
        end = min(start + count, self.size)
        parts: list[bytes] = []
        while start < end:
            first, last, future = self._range_at(start)
            with future.result().open("rb") as file:
                file.seek(start - first)
                parts.append(file.read(min(end, last) - start))
            start = min(end, last)
        return b"".join(parts)

    def plan(self, ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return what is missing of byte ranges (start, end), neighbours together, in steps of RANGE_BYTES."""
        wanted: list[tuple[int, int]] = []
        for start, end in sorted(set(ranges)):
            if end > self.size:
                raise UserError(f"{self.shown}: is truncated: it needs {end} bytes and has {self.size}; search again")
            if wanted and start <= wanted[-1][1] + LARGEST_GAP_BYTES:
                wanted[-1] = wanted[-1][0], max(end, wanted[-1][1])
            else:
                wanted.append((start, end))
        gaps = [gap for start, end in wanted for gap in self._missing(start, end)]
        return [(at, min(at + RANGE_BYTES, end)) for start, end in gaps for at in range(start, end, RANGE_BYTES)]

    def start(self, first: int, last: int) -> None:
        """Start to fetch a range that `plan` returned."""
        self._transfer.progress.need(last - first)
        with self._lock:
            self._ranges.add(first, last, self._transfer.pool.submit(self._fetch, first, last))

    def is_complete(self) -> bool:
        """Return whether every byte of the file was asked for."""
        return not self._missing(0, self.size)

    def pieces(self) -> Iterator[bytes]:
        """Yield the file from start to end."""
        for start in range(0, self.size, RANGE_BYTES):
            yield self.read(start, RANGE_BYTES)

    def _range_at(self, position: int) -> tuple[int, int, "Future[Path]"]:
        with self._lock:
            if found := self._ranges.at(position):
                return found
            first, last = self._ranges.gap_at(position, CHUNK_BYTES, self.size)
            self._transfer.progress.need(last - first)
            future = self._transfer.pool.submit(self._fetch, first, last)
            self._ranges.add(first, last, future)
            return first, last, future

    def _missing(self, start: int, end: int) -> list[tuple[int, int]]:
        with self._lock:
            return self._ranges.missing(start, end)

    def _keep_finished(self) -> None:
        """Take over what an earlier process finished, if it is what its name says."""
        for path in sorted(self._folder.iterdir()):
            span = range_of(path)
            if span and self._missing(*span) == [span]:
                self._ranges.add(*span, done(path))
            else:
                path.unlink()

    def _fetch(self, first: int, last: int) -> Path:
        part = self._folder / f".{first}-{last}.part"
        self._fetch_into(part, first, last)
        return finished(part, self._folder, first, last)

    def _fetch_into(self, part: Path, first: int, last: int) -> int:
        """Write a range to a file through failures; return where it ends, which a short file decides."""
        failures = 0
        with part.open("wb") as out:
            while (at := first + out.tell()) < last:
                try:
                    self._append(out, at, last)
                except PassingError as error:
                    failures = 1 if first + out.tell() >= at + SLOWEST_BYTES else failures + 1
                    self._pause(failures, error)
                last = self.size if self._is_sent_whole else min(last, self.size or last)
        return last

    def _pause(self, failures: int, error: PassingError) -> None:
        """Wait before the next attempt: exponentially longer, and as long as the server asks for."""
        pause_s = min(DELAY_S * 2 ** (failures - 1), LONGEST_DELAY_S) if error.pause_s is None else error.pause_s
        if failures >= self._transfer.attempts or pause_s > LONGEST_RETRY_AFTER_S:
            asks = f" and asks to come back in {pause_s:.15g} s" if pause_s > LONGEST_RETRY_AFTER_S else ""
            raise UnreachableError(
                f"{self.shown}: cannot be read from its server ({error}{asks}); run again later, "
                "what was fetched so far is kept"
            )
        if self._transfer.stopped.wait(pause_s):
            raise UnreachableError(f"{self.shown}: its transfer was stopped")

    def _append(self, out: BinaryIO, first: int, last: int) -> None:
        """Append what one answer holds of a range."""
        with self._requests.ask(first, last) as answer:
            position = self._placed(answer, first)
            last = self.size if self._is_sent_whole else min(last, self.size)
            start = b""
            try:
                for piece in pieces(answer.raw, CHUNK_BYTES):
                    if position == 0:
                        piece, start = start + piece, start + piece
                        if len(piece) < LONGEST_START:
                            continue
                        self._refuse_what_is_no_image(piece, answer)
                    wanted = piece[max(0, first - position) : max(0, last - position)]
                    position += len(piece)
                    out.write(wanted)
                    self._transfer.progress.receive(len(wanted))
                    if position >= last:
                        break
            except SlowAnswerError as error:
                raise PassingError(str(error)) from None
            except (HTTPError, OSError) as error:
                raise PassingError(f"the connection broke: {type(error).__name__}") from None
            if position == 0:
                self._refuse_what_is_no_image(start, answer)
            if position < last:
                raise PassingError("its answer is too short")

    def _placed(self, answer: requests.Response, first: int) -> int:
        """Return where an answer's body begins in the file, whose size and version it must agree with."""
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise UserError(f"{self.shown}: its server compresses what it sends, so that no part of it can be read")
        if answer.status_code == 206:
            span = re.fullmatch(
                r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19})", answer.headers.get("Content-Range", "")
            )
            if not span or int(span[1]) != first:
                raise PassingError("it sent other bytes than were asked for")
            total, position = int(span[3]), first
        else:
            length = answer.headers.get("Content-Length", "")
            total, position = int(length) if re.fullmatch(r"[0-9]{1,19}", length) else -1, 0
            if not 0 < total <= WHOLE_BYTES:
                self._refuse_what_is_no_image(next(pieces(answer.raw, 16), b""), answer)
                raise UserError(
                    f"{self.shown}: its server does not answer range requests; copy the file to a folder of your own"
                )
            self._is_sent_whole |= self.size == 0
        if total > LARGEST_FILE_BYTES:
            raise UserError(f"{self.shown}: its server says that it has {total} bytes; it is not read")
        version = answer.headers.get("ETag") or answer.headers.get("Last-Modified")
        if self.size and (total, version) != (self.size, self._version):
            raise UserError(f"{self.shown}: changed on its server while it was read; run again")
        self.size, self._version = total, version
        return position

    def _refuse_what_is_no_image(self, start: bytes, answer: requests.Response) -> None:
        if len(start) < LONGEST_START and len(start) < self.size:
            raise PassingError("its answer is too short")
        if image_driver(start) is None:
            kind = shown(answer.headers.get("Content-Type", "").partition(";")[0], 60) or "something else"
            page = start.lstrip()[:1] in (b"<", b"{")
            hint = "a page, perhaps a login or an error" if page else "no image"
            raise UserError(f"{self.shown}: is neither TIFF nor JPEG 2000: its server sent {kind}, {hint}")
