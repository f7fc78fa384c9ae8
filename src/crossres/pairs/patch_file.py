"""The patches of one pair on disk: an .npz written and read in portions, so that a large scene needs little memory."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np

from crossres.pairs.store import DIMS

PORTION = 64
"""Patches held in memory at once."""
LEVEL = 1
"""Deflate level: most of the gain of level 6 in a fraction of its time."""


class PatchWriter:
    """Writes patches one by one, as members `<array>/<portion>.npy` of (n, ...) patches each."""

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL)
        self._waiting: list[dict[str, np.ndarray]] = []
        self._portions = 0

    def __enter__(self) -> "PatchWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if kind is None:
            self._flush()
        self._zip.close()

    def add(self, patch: dict[str, np.ndarray]) -> None:
        """Add a patch: `lr`, `hr` (C, y, x) uint16 DN, `mask` (y, x) uint8."""
        self._waiting.append(patch)
        if len(self._waiting) == PORTION:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            for name in DIMS:
                # A member made by its name alone would carry the clock.
                member = zipfile.ZipInfo(f"{name}/{self._portions:06d}.npy")
                member.compress_type = zipfile.ZIP_DEFLATED
                with self._zip.open(member, "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, np.stack([p[name] for p in self._waiting]), allow_pickle=False)
            self._waiting, self._portions = [], self._portions + 1


def read_patches(path: Path) -> Iterator[dict[str, np.ndarray]]:
    """Yield the patches of a pair in the order they were added; memory holds one portion."""
    with np.load(path) as stored:
        for portion in sorted(name.partition("/")[2] for name in stored.files if name.startswith("lr/")):
            arrays = {name: stored[f"{name}/{portion}"] for name in DIMS}
            for k in range(len(arrays["lr"])):
                yield {name: values[k] for name, values in arrays.items()}
