"""Byte ranges of a remote file: which were asked for, and the files that finished ones are kept in."""

import bisect
import re
import zlib
from concurrent.futures import Future
from pathlib import Path


class RangeTable:
    """Which ranges of a file were asked for, none over another. Whoever shares it among threads holds a lock."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ranges: dict[int, tuple[int, Future[Path]]] = {}

    def add(self, first: int, last: int, future: "Future[Path]") -> None:
        """Note a range and what will be its file."""
        if first not in self._ranges:
            bisect.insort(self._starts, first)
        self._ranges[first] = last, future

    def at(self, position: int) -> tuple[int, int, "Future[Path]"] | None:
        """Return the range that holds a byte, if one does."""
        i = bisect.bisect_right(self._starts, position)
        if i:
            first = self._starts[i - 1]
            last, future = self._ranges[first]
            if position < last:
                return first, last, future
        return None

    def gap_at(self, position: int, step: int, size: int) -> tuple[int, int]:
        """Return what is missing around a byte, within the multiples of `step` on either side of it."""
        i = bisect.bisect_right(self._starts, position)
        following = self._starts[i] if i < len(self._starts) else size
        before = self._ranges[self._starts[i - 1]][0] if i else 0
        return max(position // step * step, before), min((position // step + 1) * step, following)

    def missing(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return the gaps of a range."""
        gaps = []
        for first in self._starts:
            last = self._ranges[first][0]
            if last <= start or first >= end:
                continue
            if first > start:
                gaps.append((start, first))
            start = max(start, last)
        return [*gaps, (start, end)] if start < end else gaps


def finished(part: Path, folder: Path, first: int, last: int) -> Path:
    """Give a range that is whole its name; a killed process leaves nothing under such a name that is not."""
    return part.replace(folder / f"{first}-{last}-{_checksum(part)}")


def range_of(path: Path) -> tuple[int, int] | None:
    """Return the range that a file holds; None where it is not what its name says."""
    name = re.fullmatch(r"(\d+)-(\d+)-([0-9a-f]{8})", path.name)
    if name is None:
        return None
    first, last = int(name[1]), int(name[2])
    return (first, last) if path.stat().st_size == last - first and _checksum(path) == name[3] else None


def done(path: Path) -> "Future[Path]":
    """Return a range's file that is there already."""
    future: Future[Path] = Future()
    future.set_result(path)
    return future


def _checksum(path: Path) -> str:
    value = 0
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            value = zlib.crc32(piece, value)
    return f"{value:08x}"
