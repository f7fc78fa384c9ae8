"""Time and peak memory of one call in a process of its own, so that no other call's memory is counted."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path


def report(work: Callable[[], object]) -> None:
    """Do some work in this process and print seconds, CPU seconds, peak and starting memory in MB, as JSON."""
    bare = _peak_mb()
    start, cpu = time.perf_counter(), time.process_time()
    work()
    print(json.dumps([time.perf_counter() - start, time.process_time() - cpu, _peak_mb(), bare]))


def reported(script: str, root: Path) -> list[float]:
    """Return what `report` prints in a new process that runs `script --root ROOT`."""
    command = [sys.executable, script, "--root", str(root)]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return json.loads(said.splitlines()[-1])


def _peak_mb() -> float:
    # Linux's ru_maxrss also counts what the process that started this one held.
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024
