"""The fixture `bounded`: what reading an input of somebody else may come to."""

import ctypes
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TypeVar

import pyproj
import pytest

from crossres.errors import UserError

Result = TypeVar("Result")
PROJECT = Path(__file__).parents[2]
ALLOWED = tuple(
    os.path.realpath(folder)
    for folder in (PROJECT, sys.prefix, sys.base_prefix, "/proc", "/sys", "/dev", "/usr", "/lib", "/lib64",
                   "/etc/fonts", "/etc/localtime", pyproj.datadir.get_data_dir())
)  # fmt: skip
HANG_S = 120
"""Seconds on the clock after which a call hangs; a machine with other work is slow, too."""
LONGEST_LINE = 2000
_watched: list[tuple[str, str]] | None = None


class TooSlow(BaseException):
    """Not an `Exception`: nothing that is tried catches it."""


@dataclass
class Bounded:
    """Run a call on a foreign input; the test fails on anything but a result or a `UserError` of one line.

    Use it as `result = bounded(lambda: read(path))` with inputs written into `bounded.folder`; the result is None when
    the input was refused, and `bounded.refused` is then the line. A test fails

    - on any other exception, and on a line that is empty, long, more than one, not printable or advises to delete;
    - after `seconds` of processor time (also in an endless loop), or when it hangs;
    - when memory grew by more than `megabytes` at any moment;
    - on a file that Python opens outside of `bounded.folder`, links followed (but of the installation, the project and
      `tempfile`), and on a connection to another machine. Files that GDAL or other C code opens are not seen: give it
      something to find outside, and look for that in what comes back.

    One instance serves a module, so that hypothesis can call a test many times; `mutations.py` beside it makes inputs.
    """

    folder: Path
    seconds: float = 5.0
    megabytes: float = 500.0
    refused: str | None = None

    def __call__(self, call: Callable[[], Result]) -> Result | None:
        self.refused, result, error = None, None, None
        start_mb, started = _reset_peak_mb(), time.process_time()
        with self._watch() as events:
            try:
                result = call()
            except UserError as caught:
                self.refused = str(caught)
            except (Exception, TooSlow) as caught:
                error = caught
        took, grown = time.process_time() - started, _peak_mb() - start_mb
        if isinstance(error, TooSlow) or took > self.seconds:
            pytest.fail(f"took {took:.1f} s of processor time and more")
        if error is not None:
            raise AssertionError(f"neither a result nor a line: {error!r:.300}") from error
        assert grown <= self.megabytes, f"memory grew by {grown:.0f} MB"
        assert not events, f"reached out of its folder: {events[:3]}"
        if self.refused is not None:
            assert self.refused and self.refused.isprintable(), f"not one printable line: {self.refused!r:.500}"
            assert len(self.refused) <= LONGEST_LINE, f"{len(self.refused)} characters: {self.refused:.500}"
            assert "delete" not in self.refused, self.refused
        return result

    @contextmanager
    def _watch(self) -> Iterator[list[tuple[str, str]]]:
        global _watched
        found: list[tuple[str, str]] = []
        timers = ((signal.ITIMER_PROF, signal.SIGPROF, self.seconds + 1), (signal.ITIMER_REAL, signal.SIGALRM, HANG_S))
        before = [signal.signal(number, _stop) for _, number, _ in timers]
        events: list[tuple[str, str]] = []
        try:
            for timer, _, limit in timers:
                signal.setitimer(timer, limit)
            _watched = events
            yield found
        finally:
            _watched = None
            for (timer, number, _), handler in zip(timers, before, strict=True):
                signal.setitimer(timer, 0)
                signal.signal(number, handler)
            found += [event for event in events if not self._is_allowed(*event)]

    def _is_allowed(self, kind: str, target: str) -> bool:
        if kind == "connect":
            return target in {"::1", "localhost"} or target.startswith("127.")
        inside = (os.path.realpath(self.folder), os.path.realpath(tempfile.gettempdir()), *ALLOWED)
        return any(target == folder or target.startswith(folder + os.sep) for folder in inside)


@pytest.fixture(scope="module")
def bounded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bounded]:
    """See `Bounded`; temporary files stand in a folder of their own meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("temporary")))
        yield Bounded(tmp_path_factory.mktemp("input"))


def _stop(number: int, frame: FrameType | None) -> None:
    raise TooSlow


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if _watched is None:
        return
    if event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
        _watched.append(("open", os.path.realpath(os.fsdecode(arguments[0]))))
    elif event in {"socket.connect", "socket.sendto"} and isinstance(arguments[1], tuple):
        _watched.append(("connect", str(arguments[1][0])))


def _reset_peak_mb() -> float:
    """Forget the process's peak of memory, and return how much it holds now, without what was freed before."""
    ctypes.CDLL(None).malloc_trim(0)  # a test that sampled a scene has told glibc to keep it (`engine.keep_memory`)
    Path("/proc/self/clear_refs").write_text("5")
    return _peak_mb()


def _peak_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


sys.addaudithook(_audit)  # for good: Python takes none away again
