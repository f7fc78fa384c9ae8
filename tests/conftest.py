"""What all tests share: the same inputs from hypothesis each time, a busy machine that fails nothing, real imagery."""

import os
from pathlib import Path

import pytest

# As the commands do, before numpy and torch are loaded: tests run side by side, and their threads would only wait.
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

from hypothesis import settings

settings.register_profile("kept", derandomize=True, deadline=None)
settings.load_profile("kept")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real imagery, whose rights differ from file to file: it is not part of the project."""
    folder = os.environ.get("CROSSRES_REAL_DATA")
    if not folder:
        pytest.skip("CROSSRES_REAL_DATA is not set: no real imagery to test on")
    return Path(folder).resolve()
