"""What a scheduler asks of a training run: SIGUSR1 to save, SIGTERM to save and end."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass
class Asked:
    """What has been asked for and is still to be done."""

    save: bool = False
    stop: bool = False


def nothing_to_save_yet() -> None:
    """Pass over SIGUSR1 until a run can save: a process that has not been told what to do with it ends."""
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)


@contextmanager
def asked() -> Iterator[Asked]:
    """Yield what signals ask for, between two steps; outside the main thread, which alone hears them, nothing."""
    said = Asked()
    if threading.current_thread() is not threading.main_thread():
        yield said
        return

    def save(*_: Any) -> None:
        said.save = True

    def stop(*_: Any) -> None:
        said.stop = True

    before = {number: signal.signal(number, what) for number, what in ((signal.SIGUSR1, save), (signal.SIGTERM, stop))}
    try:
        yield said
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
