"""What the remote files of one scene share while they are fetched."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from crossres.acquire.remote.progress import Progress

CONNECTIONS = 8
"""Requests at a time for one scene."""
ATTEMPTS = 8
"""Failures one after the other, without a byte between them, after which a server is given up."""


class Transfer:
    """What the remote files of one scene share: connections, a folder of finished ranges, progress."""

    def __init__(self, folder: Path, name: str, attempts: int = ATTEMPTS) -> None:
        self.folder = folder
        self.attempts = attempts
        self.progress = Progress(name)
        self.pool = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="fetch")
        self.stopped = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopped.set()
        self.pool.shutdown(cancel_futures=True)
        self.progress.close()
