"""The training cache: the arrays of a patch dataset uncompressed, mapped into memory instead of read."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from crossres.errors import UserError
from crossres.files import read_json, remedy

NAMES = ("lr", "hr", "mask")


def open_cache(folder: Path, index: Path) -> dict[str, Any] | None:
    """Return the mapped (patch, ...) arrays of a training cache by name; None when `folder` is no cache.

    The cache states which index it was made for, and the index holds a digest of every patch: raises `UserError` when
    `index` is another one.
    """
    if not (folder / "cache.json").is_file():
        return None
    if read_json(folder / "cache.json")["index_sha256"] != hashlib.sha256(index.read_bytes()).hexdigest():
        what = remedy(folder / "cache.json", "make it again with `crossres cache`")
        raise UserError(f"{folder}: made from another dataset than {index} tells of; {what}")
    return {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in NAMES}
