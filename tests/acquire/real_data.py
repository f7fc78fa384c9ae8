"""Real imagery for tests: its rights differ from file to file, so it is not part of the project."""

import os
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("CROSSRES_REAL_DATA", ""))

needs_real_data = pytest.mark.skipif(
    not os.environ.get("CROSSRES_REAL_DATA"), reason="CROSSRES_REAL_DATA does not name the folder of real imagery"
)
PMS1 = ROOT / "gaofen2" / "GF2_PMS1_W91.0_N17.6_20200510_L1A0004793969"
PMS2 = ROOT / "gaofen2" / "GF2_PMS2_W72.3_S36.7_20230213_L1A2147483647"
