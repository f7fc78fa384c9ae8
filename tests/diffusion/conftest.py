"""A small dataset, and the folder of real imagery."""

from fractions import Fraction
from pathlib import Path

import pytest
from small_world import write_dataset


@pytest.fixture
def small_dataset(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Eight x4 patches of 16 LR pixels, two of them for validation."""
    return write_dataset(tmp_path, Fraction(4), 16, 6, 2)
