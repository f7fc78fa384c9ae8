"""A large array takes the memory that the one before it gave back, in any thread: no page is cleared again."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys, threading
from crossres.imagery.engine import keep_memory

size = 80_000_000

def fill():
    for _ in range(5):
        b"x" * size

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    thread = threading.Thread(target=fill)
    thread.start()
    thread.join()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

if sys.argv[1] == "kept":
    keep_memory()
print(faults())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc")
def test_memory_of_large_arrays_is_used_again():
    kept, left = (
        int(subprocess.run([sys.executable, "-c", PROGRAM, how], check=True, capture_output=True, text=True).stdout)
        for how in ("kept", "left alone")
    )
    assert kept < 0.3 * left
