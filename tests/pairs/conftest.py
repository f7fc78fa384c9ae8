"""Aligned pairs in a folder of the test's own."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aligned_pairs import write_aligned


@pytest.fixture
def write_pair(tmp_path: Path) -> Callable[..., tuple[dict[str, Any], Path]]:
    """Return `write_aligned` for a folder of the test's own."""
    return partial(write_aligned, tmp_path)
