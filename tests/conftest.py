"""What all tests share: hypothesis makes the same inputs each time, and a busy machine is no failure."""

import os

# As the commands do, before numpy and torch are loaded: tests run side by side, and their threads would only wait.
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

from hypothesis import settings

settings.register_profile("kept", derandomize=True, deadline=None)
settings.load_profile("kept")
