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


def blocks_beside(output: Path) -> Path:
    """Return the folder for the blocks of a product."""
    return output.absolute().with_name(f".{output.name}.blocks")


def blocks_done(folder: Path) -> int:
    """Return how many blocks stand in a folder and in those within it."""
    return sum(1 for _ in folder.rglob("*-*.block"))


def remove_blocks(of_product: Path) -> None:
    """Remove the blocks of a product, of whatever they depend on, and their folders where those are empty then."""
    for folder in of_product.glob("*"):
        if folder.is_dir() and re.fullmatch(r"[0-9a-f]{16}", folder.name):
            for path in folder.glob("*-*.block"):
                path.unlink(missing_ok=True)
            with suppress(OSError):
                folder.rmdir()
    with suppress(OSError):
        of_product.rmdir()


def remove_blocks_within(folder: Path) -> None:
    """Remove the blocks of all products, <scene>/<arm> each, that stand in a folder."""
    for of_product in folder.glob("*/*"):
        remove_blocks(of_product)
    for empty in (*folder.glob("*"), folder):
        with suppress(OSError):
            empty.rmdir()


@dataclass(frozen=True)
class BlockStore:
    """The finished blocks of one product."""

    folder: Path

    @staticmethod
    def within(folder: Path, **what: Any) -> "BlockStore":
        """Return the blocks of a product that depend on `what`; `folder` is of that product, others are removed."""
        key = hashlib.sha256(json.dumps(what, sort_keys=True, default=str).encode()).hexdigest()[:16]
        store = BlockStore(folder.absolute() / key)
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
        remove_blocks(self.folder.parent)

    def _file(self, number: int) -> Path | None:
        return next(self.folder.glob(f"{number}-*.block"), None)


def _name(number: int, content: bytes) -> str:
    return f"{number}-{zlib.crc32(content):08x}.block"
