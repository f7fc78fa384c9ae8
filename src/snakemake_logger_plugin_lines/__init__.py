"""`snakemake --logger lines`: what is about jobs that go well is one line a job; all else is as it is without.

Snakemake's own log in .snakemake/log stays whole, and so does what a dry run says.
"""

import logging
import sys
import time

from snakemake.logging import ColorizingTextHandler
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

LEFT_OUT = (LogEvent.WORKFLOW_STARTED, LogEvent.JOB_STARTED, LogEvent.JOB_FINISHED, LogEvent.PROGRESS)
SELECTING = "Select jobs to execute..."
"""Said each time a job may start, as no event."""


class LogHandler(LogHandlerBase):
    """Writes to the terminal."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = False
    has_formatter = False
    needs_rulegraph = False

    def __post_init__(self) -> None:
        stream = sys.stdout if self.common_settings.dryrun else sys.stderr
        self._terminal = ColorizingTextHandler(nocolor=self.common_settings.nocolor, stream=stream)
        self._done = self._total = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; of a job that starts its message, behind how many jobs are done."""
        event, said = getattr(record, "event", None), record.__dict__
        if event == LogEvent.RUN_INFO:
            self._total = said["stats"].get("total", 0)
        elif event == LogEvent.PROGRESS:
            self._done, self._total = said["done"], said["total"]
        if not self.common_settings.dryrun:
            if event in LEFT_OUT or record.msg == SELECTING:
                return
            if event == LogEvent.JOB_INFO:
                what = said["rule_msg"] or said["rule_name"]
                line = f"{time.strftime('%H:%M:%S')} {self._done}/{self._total} {what}"
                record = logging.makeLogRecord({"levelno": record.levelno, "levelname": record.levelname, "msg": line})
        self._terminal.setFormatter(self.formatter)
        self._terminal.emit(record)
