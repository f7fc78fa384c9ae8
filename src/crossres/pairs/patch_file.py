"""The patches of one pair on disk: a zip of .npz files of some patches each, so that a large scene needs little memory.

Each is compressed where its patches are made, in any thread, and put away in their order.
"""

import io
import threading
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np

from crossres.pairs.store import DIMS

PORTION = 64
"""Patches that are made, compressed and held in memory together, at most."""
LEVEL = 1
"""Deflate level: most of the gain of level 6 in a fraction of its time."""


def portion(patches: Sequence[dict[str, np.ndarray]]) -> bytes:
    """Return patches as an .npz: `lr`, `hr` (n, C, y, x) uint16 DN, `mask` (n, y, x) uint8. Nothing of none."""
    if not patches:
        return b""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as members:
        for name in DIMS:
            array = io.BytesIO()
            np.lib.format.write_array(array, np.stack([patch[name] for patch in patches]), allow_pickle=False)
            members.writestr(_member(f"{name}.npy"), array.getbuffer(), zipfile.ZIP_DEFLATED, LEVEL)
    return written.getvalue()


class PatchWriter:
    """Writes what `portion` returns, from any thread, in the order of their turns 0, 1, 2 and so on."""

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path, "w")
        self._lock = threading.Lock()
        self._waiting: dict[int, bytes] = {}
        self._turn = self._count = 0

    def __enter__(self) -> "PatchWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._zip.close()

    def add(self, turn: int, patches: bytes) -> None:
        """Put a portion away as soon as all before it are there; an empty one only takes its turn."""
        with self._lock:
            self._waiting[turn] = patches
            while (ready := self._waiting.pop(self._turn, None)) is not None:
                self._turn += 1
                if ready:
                    self._zip.writestr(_member(f"{self._count:06d}.npz"), ready)
                    self._count += 1


def read_patches(path: Path) -> Iterator[dict[str, np.ndarray]]:
    """Yield the patches of a pair in the order they were added; memory holds one portion."""
    with zipfile.ZipFile(path) as members:
        for name in sorted(members.namelist()):
            with np.load(io.BytesIO(members.read(name))) as stored:
                arrays = {key: stored[key] for key in DIMS}
            for k in range(len(arrays["lr"])):
                yield {key: values[k] for key, values in arrays.items()}


def _member(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name)  # one made by its name alone would carry the clock
