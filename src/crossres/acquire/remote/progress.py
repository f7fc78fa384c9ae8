"""How far a transfer is: a bar on a terminal, plain lines in a log."""

import logging
import sys
import threading

from tqdm import tqdm

log = logging.getLogger(__name__)

MB = 1_000_000


class Progress:
    """Bytes received of those that are needed; for any number of threads."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._said = 0
        self.needed = 0
        self.received = 0
        self._bar = tqdm(desc=name, unit="B", unit_scale=True, disable=not sys.stderr.isatty())

    def need(self, count: int) -> None:
        """Add bytes that will be fetched."""
        with self._lock:
            self.needed += count
            self._bar.total = self.needed
            self._bar.refresh()

    def receive(self, count: int) -> None:
        """Say that bytes came in; a log gets a line at every tenth of the whole."""
        with self._lock:
            self.received += count
            self._bar.update(count)
            tenth = 10 * self.received // max(self.needed, 1)
            if self._bar.disable and tenth > self._said and self.needed >= MB:
                self._said = tenth
                log.info("%s: %.1f of %.1f MB", self._name, self.received / MB, self.needed / MB)

    def close(self) -> None:
        """Leave the line of the bar."""
        self._bar.close()
