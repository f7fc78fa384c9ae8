"""The training cache: the arrays of a patch dataset uncompressed, mapped into memory instead of read."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from crossres.errors import UserError
from crossres.files import read_json, remedy

NAMES = ("lr", "hr", "mask")


def open_cache(folder: Path, index: Path) -> dict[str, Any] | None:
    """Return the mapped (patch, ...) arrays of a training cache by name; None when `folder` is no cache.

    The cache states which index it was made for, and the index holds a digest of every patch: raises `UserError` when
    `index` is another one, and not that of a fold of the same patches.
    """
    if not (folder / "cache.json").is_file():
        return None
    about = read_json(folder / "cache.json")
    if about["index_sha256"] != hashlib.sha256(index.read_bytes()).hexdigest() and not _has_patches(about, index):
        what = remedy(folder / "cache.json", "make it again with `crossres cache`")
        raise UserError(f"{folder}: made from another dataset than {index} tells of; {what}")
    return {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in NAMES}


def _has_patches(about: dict[str, Any], index: Path) -> bool:
    if "patches_sha256" not in about:
        return False
    digests = pd.read_parquet(index, columns=["digest"])["digest"]
    return bool(about["patches_sha256"] == hashlib.sha256("".join(digests).encode()).hexdigest())
