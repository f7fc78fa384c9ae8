"""Outputs in the making: their names, what is done when a process is ended, and what killed ones left."""

import glob
import os
import re
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

DAY_S = 86400.0

_open: dict[Path, int] = {}
"""What this process writes at the moment, with its id: a forked child has a copy, and these are not its own."""


class _End:
    """Whether SIGTERM came, and whether it has to wait."""

    asked = False
    waits = False


@contextmanager
def unfinished(path: Path) -> Iterator[Path]:
    """Yield the name beside `path` that it is written under; nothing stands there before and after."""
    part = path.with_name(f".part-{socket.gethostname()}-{os.getpid()}-{path.name}")
    _remove(part)
    _open[part] = os.getpid()
    try:
        yield part
    finally:
        del _open[part]
        for left in _beside(part):
            _remove(left)
        _settle(_aside(path), path)


def is_inside_another(part: Path) -> bool:
    """Whether it lies in what this process also writes at the moment."""
    return any(part != outer and part.is_relative_to(outer) for outer in _open)


@contextmanager
def replaced(path: Path) -> Iterator[None]:
    """Have `path`, a folder, aside while the block puts another in its place; `unfinished` puts back or removes it."""
    _End.waits = True
    try:
        path.rename(_aside(path))
        yield
    finally:
        _End.waits = False
        if _End.asked:
            _settle(_aside(path), path)
            _end()


def _aside(path: Path) -> Path:
    return path.with_name(f".replaced-{_host()}-{os.getpid()}-{path.name}")


def _host() -> str:
    """Return this machine's name without hyphens, which part the names of leftovers."""
    return socket.gethostname().replace("-", "_")


def _settle(aside: Path, path: Path) -> None:
    """Remove a folder that was renamed aside, or put it back where no other took its place."""
    with suppress(FileNotFoundError):  # there is none, or another process does the same
        if os.path.lexists(path):
            _remove(aside)
        else:
            aside.rename(path)


def clear_leftovers(folder: Path) -> None:
    """Remove what killed processes left, and put a folder back that one of them had aside and nothing took its place.

    Those of this machine go at once, those of others when nothing in them has changed for a day.
    """
    for part in folder.glob(".part-*-*-*"):
        # A name that goes on with a second number may be of a host whose name begins like this one's.
        own = re.fullmatch(rf"\.part-{re.escape(socket.gethostname())}-(\d+)-(?!\d+-).+", part.name, re.DOTALL)
        known = own or re.fullmatch(r"\.part-.+-\d+-.+", part.name, re.DOTALL)
        if known and (not psutil.pid_exists(int(own[1])) if own else _age_s(part, "st_mtime") > DAY_S):
            _remove(part)
    for aside in folder.glob(".replaced-*-*-*"):
        found = re.fullmatch(r"\.replaced-([^-]+)-(\d+)-(.+)", aside.name, re.DOTALL)
        if found is None:
            continue
        # What is inside is as old as it was; when it was renamed, its status changed.
        own_host = found[1] == _host()
        if not psutil.pid_exists(int(found[2])) if own_host else _age_s(aside, "st_ctime") > DAY_S:
            _settle(aside, folder / found[3])


def _age_s(path: Path, time_of: str) -> float:
    """Return how long ago the newest thing within a path changed."""
    try:
        newest: float = max(getattr(inner.lstat(), time_of) for inner in (path, *path.rglob("*")))
    except FileNotFoundError:
        return 0.0
    return time.time() - newest


def _beside(part: Path) -> Iterator[Path]:
    """Return a part and what libraries put beside it under a longer name."""
    return part.parent.glob(f"{glob.escape(part.name)}*")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, onerror=_unless_gone)
    else:
        path.unlink(missing_ok=True)


def _unless_gone(_: Any, __: str, error: Any) -> None:
    if not isinstance(error[1], FileNotFoundError):  # another process removes the same
        raise error[1]


def leave_nothing_when_terminated() -> None:
    """Have SIGTERM end this process as it always does, but without what it has half written."""
    signal.signal(signal.SIGTERM, _terminated)


def _terminated(*_: Any) -> None:
    _End.asked = True
    if not _End.waits:
        _end()


def _end() -> None:
    for part in [part for part, pid in _open.items() if pid == os.getpid()]:
        for left in _beside(part):
            with suppress(OSError):
                _remove(left)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.raise_signal(signal.SIGTERM)
