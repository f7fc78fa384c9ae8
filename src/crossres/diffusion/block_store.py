"""Blocks of a product in progress, one file each, beside the product: what is done survives a kill.

The blocks stand in a folder that is named by a hash of all that they depend on, so those of other settings, of
another model or scene are never used. Several processes may write at once, each its own blocks.
"""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crossres.files import whole


@dataclass(frozen=True)
class BlockStore:
    """The finished blocks of one product."""

    folder: Path

    @staticmethod
    def beside(output: Path, **what: Any) -> "BlockStore":
        """Return the blocks of the product `output` that depend on `what`; others of that product are removed."""
        key = hashlib.sha256(json.dumps(what, sort_keys=True, default=str).encode()).hexdigest()[:16]
        store = BlockStore(output.with_name(f".{output.name}.blocks") / key)
        if store.folder.parent.is_dir() and not store.folder.is_dir():
            shutil.rmtree(store.folder.parent)
        return store

    def has(self, number: int) -> bool:
        """Return whether a block is done."""
        return self._file(number).exists()

    def write(self, number: int, values: np.ndarray) -> None:
        """Keep a block, whole or not at all."""
        with whole(self._file(number)) as part:
            np.save(part, values, allow_pickle=False)

    def read(self, number: int) -> np.ndarray:
        """Return a block."""
        return np.load(self._file(number), allow_pickle=False)

    def remove(self) -> None:
        """Remove all blocks, when the product is written."""
        shutil.rmtree(self.folder.parent, ignore_errors=True)

    def _file(self, number: int) -> Path:
        return self.folder / f"{number}.npy"
