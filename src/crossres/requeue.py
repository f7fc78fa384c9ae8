"""A job of SLURM that can go on from what it has saved is queued again before its time is over.

SLURM says so with SIGUSR1 where it is asked to (`sbatch --signal=USR1@120`). Who would be queued again without having
got anywhere is not: it would never end.
"""

import logging
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

log = logging.getLogger(__name__)


def queue_again() -> None:
    """Have SLURM end this job and start it again when it is its turn; nothing outside a job of SLURM."""
    job = os.environ.get("SLURM_JOB_ID")
    if job is None:
        return
    try:
        done = subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True, check=False)
    except OSError as error:
        log.warning("job %s is not queued again (%s)", job, error)
        return
    if done.returncode:
        log.warning("job %s is not queued again: %s", job, " ".join((done.stdout + done.stderr).split()))
    else:
        log.info("job %s is queued again, and goes on from what is saved", job)


@contextmanager
def queued_again_on_sigusr1(got_on: Callable[[], bool]) -> Iterator[None]:
    """Queue the job again when SIGUSR1 comes within the block, if `got_on` says that anything was done in it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def again(*_: Any) -> None:
        if got_on():
            queue_again()

    before = signal.signal(signal.SIGUSR1, again)
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)
