"""Paths as a configuration writes them."""

import os
from pathlib import Path

from crossres.errors import UserError


def expand(path: str, run_folder: Path) -> str:
    """Fill in `{run}` and environment variables; `UserError` when a variable is not set."""
    filled = os.path.expandvars(path.replace("{run}", run_folder.as_posix()))
    if "$" in filled:
        raise UserError(f"{path}: the environment variable in this path is not set; set it and run again")
    return filled
