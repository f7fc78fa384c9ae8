"""TensorBoard's event files, where it is installed: they hold the time of day, so they are logs and no results."""

import importlib.util
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)


class Events:
    """Curves of a run as TensorBoard shows them; does nothing without a writer."""

    def __init__(self, writer: Any = None) -> None:
        self._writer = writer

    def write(self, row: dict[str, float]) -> None:
        """Add one row of history."""
        if self._writer is None:
            return
        for name, value in row.items():
            if name != "step":
                self._writer.add_scalar(name, value, int(row["step"]))


@contextmanager
def open_events(folder: Path | None) -> Iterator[Events]:
    """Yield what writes event files into `folder`; nothing is written without one, or without TensorBoard."""
    if folder is None or importlib.util.find_spec("tensorboard") is None:
        if folder is not None:
            log.info("no TensorBoard event files: the package tensorboard is not installed")
        yield Events()
        return
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder)) as writer:
        yield Events(writer)
