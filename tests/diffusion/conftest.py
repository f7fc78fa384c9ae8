"""A small dataset, and the folder of real imagery."""

import os
from fractions import Fraction
from pathlib import Path

import pytest
from small_world import write_dataset


@pytest.fixture
def small_dataset(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Eight x4 patches of 16 LR pixels, two of them for validation."""
    return write_dataset(tmp_path, Fraction(4), 16, 6, 2)


@pytest.fixture
def real_data() -> Path:
    """The folder of real imagery that CROSSRES_REAL_DATA names."""
    folder = os.environ.get("CROSSRES_REAL_DATA")
    if not folder:
        pytest.skip("CROSSRES_REAL_DATA is not set: no real imagery to test with")
    return Path(folder)
