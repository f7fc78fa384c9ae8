"""Blocks of a product in progress, one file each, beside the product: what is done survives a kill.

The blocks stand in a folder that is named by a hash of all that they depend on, so those of other settings, of
another model or scene are never used. Each file is named by its checksum, too, so that a damaged one is made again.
Several processes may write at once, on any machine that sees the folder, each its own blocks.
"""

import hashlib
import io
import json
import re
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crossres.files import whole

LEVEL = 1
"""Of compression: the product is compressed well afterwards."""


@dataclass(frozen=True)
class BlockStore:
    """The finished blocks of one product."""

    folder: Path

    @staticmethod
    def beside(output: Path, **what: Any) -> "BlockStore":
        """Return the blocks of the product `output` that depend on `what`; others of that product are removed."""
        key = hashlib.sha256(json.dumps(what, sort_keys=True, default=str).encode()).hexdigest()[:16]
        store = BlockStore(output.absolute().with_name(f".{output.name}.blocks") / key)
        if store.folder.parent.is_dir() and not store.folder.is_dir():
            store.remove()
        return store

    def has(self, number: int) -> bool:
        """Return whether a block is done; one that is damaged is removed."""
        path = self._file(number)
        if path is None:
            return False
        if _name(number, path.read_bytes()) == path.name:
            return True
        path.unlink(missing_ok=True)
        return False

    def write(self, number: int, values: np.ndarray) -> None:
        """Keep a block, whole or not at all."""
        plain = io.BytesIO()
        np.save(plain, values, allow_pickle=False)
        content = zlib.compress(plain.getbuffer(), LEVEL)
        with whole(self.folder / _name(number, content)) as part:
            part.write_bytes(content)

    def read(self, number: int) -> np.ndarray:
        """Return a block that is done."""
        path = self._file(number)
        assert path is not None
        return np.load(io.BytesIO(zlib.decompress(path.read_bytes())), allow_pickle=False)

    def remove(self) -> None:
        """Remove all blocks of the product, when it is written; nothing else that may stand there."""
        for folder in self.folder.parent.glob("*"):
            if folder.is_dir() and re.fullmatch(r"[0-9a-f]{16}", folder.name):
                for path in folder.glob("*-*.block"):
                    path.unlink(missing_ok=True)
                with suppress(OSError):
                    folder.rmdir()
        with suppress(OSError):
            self.folder.parent.rmdir()

    def _file(self, number: int) -> Path | None:
        return next(self.folder.glob(f"{number}-*.block"), None)


def _name(number: int, content: bytes) -> str:
    return f"{number}-{zlib.crc32(content):08x}.block"
