"""A tensor out of a file of PyTorch, without PyTorch, and without running what the file says.

Such a file is a zip: `*/data.pkl` says how the tensor lies in `*/data/<key>`, which holds its numbers. Of the pickle
only what a plain tensor takes is let through: these names stand for functions of this module, and all others are
refused, as `torch.load(weights_only=True)` does.
"""

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from crossres.errors import UserError

TYPES = {
    "ByteStorage": "<u1", "CharStorage": "<i1", "ShortStorage": "<i2", "IntStorage": "<i4", "LongStorage": "<i8",
    "HalfStorage": "<f2", "FloatStorage": "<f4", "DoubleStorage": "<f8",
}  # fmt: skip
LARGEST_PICKLE_BYTES = 1 << 20
LOCAL_HEADER_BYTES = 30


def read_tensor(path: Path) -> np.ndarray:
    """Return the only tensor of a file, its numbers on the disk until they are used; `UserError` for anything else."""
    try:
        with zipfile.ZipFile(path) as archive:
            name = next(entry for entry in archive.namelist() if entry.endswith("/data.pkl"))
            folder = name.removesuffix("data.pkl")
            order = f"{folder}byteorder"
            if archive.getinfo(name).file_size > LARGEST_PICKLE_BYTES:
                raise ValueError("too large")
            if order in archive.namelist() and archive.read(order) != b"little":
                raise ValueError("not little-endian")
            found = _Plain(path, archive, f"{folder}data/", archive.read(name)).load()
    except Exception as error:  # a damaged or hostile file raises errors of many kinds
        raise UserError(
            f"{path}: is no plain tensor of PyTorch ({type(error).__name__}); download and unpack it again"
        ) from None
    if not isinstance(found, np.ndarray):
        raise UserError(f"{path}: holds no tensor but {type(found).__name__}; download and unpack it again")
    return found


class _Plain(pickle.Unpickler):
    """Reads a pickle of one tensor; any other name in it is an error."""

    def __init__(self, path: Path, archive: zipfile.ZipFile, folder: str, content: bytes) -> None:
        super().__init__(io.BytesIO(content))
        self._path, self._archive, self._folder = path, archive, folder

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _strided
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch" and name in TYPES:
            return TYPES[name]
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a plain tensor")

    def persistent_load(self, pid: Any) -> np.ndarray:
        kind, type_, key, _, count = pid
        entry = self._archive.getinfo(f"{self._folder}{key}")
        data_type = np.dtype(type_)
        if kind != "storage" or type_ not in TYPES.values() or entry.compress_type != zipfile.ZIP_STORED:
            raise pickle.UnpicklingError("is no plain storage")
        if not 0 <= int(count) * data_type.itemsize <= entry.file_size:
            raise pickle.UnpicklingError("is cut off")
        with self._path.open("rb") as file:
            file.seek(entry.header_offset)
            lengths = struct.unpack("<HH", file.read(LOCAL_HEADER_BYTES)[26:])
        start = entry.header_offset + LOCAL_HEADER_BYTES + sum(lengths)
        return np.memmap(self._path, data_type, "r", start, (int(count),))


def _strided(storage: np.ndarray, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any) -> np.ndarray:
    """Return the tensor that lies in a storage, offset and strides counted in numbers."""
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    if min(offset, *shape, *strides) < 0 or 0 in shape or last >= storage.size:
        raise pickle.UnpicklingError("lies outside of its storage")
    size = storage.itemsize
    return np.ndarray(shape, storage.dtype, storage, offset * size, tuple(step * size for step in strides))
