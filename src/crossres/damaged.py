"""Which input is to blame for the failure of a stage: asked when it has failed, so that it costs nothing otherwise."""

import errno
import os
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from crossres.files import parse_json, read_text, remedy

WRONG_NAME = {
    errno.ENOENT: "no such file",
    errno.ENOTDIR: "no such file: what it should lie in is a file itself",
    errno.EISDIR: "is a folder; a file is wanted",
    errno.EACCES: "may not be read; ask for permission to it",
    errno.EPERM: "may not be read; ask for permission to it",
    errno.ENAMETOOLONG: "its name is too long for this disk",
    errno.ELOOP: "is a link in a circle",
}
GET_IT_AGAIN = "get it, or copy it, again"


def blamed(error: Exception, inputs: Iterable[Path], kinds: Mapping[Path, str]) -> str | None:
    """Say in one line what is wrong with an input that may be the reason of an error; None where all is well with them.

    `kinds` says of an input which it is to be: "folder", or the ending of a format.
    """
    inputs = list(inputs)
    if isinstance(error, UnicodeEncodeError) and re.search("[\ud800-\udfff]", error.object):
        around = error.object[max(0, error.start - 80) : error.end + 80]
        return f"{around!r}: a name that is not UTF-8 cannot be used; rename the file"
    name = error.filename if isinstance(error, OSError) and error.errno in WRONG_NAME else None
    if isinstance(name, str) and any(_is_of(Path(name), given) for given in inputs):
        return f"{name}: {WRONG_NAME[error.errno]}"  # type: ignore[attr-defined]
    if isinstance(error, OSError) and error.errno is None and any(str(given) in str(error) for given in inputs):
        return " ".join(str(error).split())  # GDAL's own words, which name the file
    for given, kind in kinds.items():
        if (why := _wrong_kind(given, kind)) is not None:
            return f"{given}: {why}"
    broken = damaged(inputs)
    return None if broken is None else f"{broken}: damaged; {remedy(broken, GET_IT_AGAIN)}"


def _is_of(path: Path, given: Path) -> bool:
    path, given = path.absolute(), given.absolute()
    return path.is_relative_to(given) or given.is_relative_to(path)


def _wrong_kind(path: Path, kind: str) -> str | None:
    if not path.exists():
        return "no such file or folder"
    if not os.access(path, os.R_OK):
        return WRONG_NAME[errno.EACCES]
    if path.is_dir() != (kind == "folder"):
        return "is a folder; a file is wanted" if path.is_dir() else "is a file; a folder is wanted"
    if kind in READERS and path.suffix != kind and _fails(READERS[kind], path):
        return f"cannot be read as {kind.lstrip('.')}"
    return None


def damaged(inputs: Iterable[Path]) -> Path | None:
    """Return the first file of `inputs`, or within them, that cannot be read whole; None when all can be."""
    for given in inputs:
        for path in sorted(given.rglob("*")) if given.is_dir() else [given]:
            if _is_damaged(path):
                return path
    return None


def _is_damaged(path: Path) -> bool:
    read = READERS.get("zarr.json" if path.name == "zarr.json" else path.suffix)
    if read is None or not path.is_file():
        return False
    return _fails(read, path)


def _fails(read: Callable[[Path], Any], path: Path) -> bool:
    try:
        return bool(read(path))
    except (ImportError, MemoryError, PermissionError):  # of this environment, machine or user; the file may be whole
        return False
    except Exception:  # each format's library has errors of its own
        return True


def _read_raster(path: Path) -> None:
    import rasterio

    with rasterio.open(path) as src:
        for _, window in src.block_windows():
            src.read(window=window)


def _read_table(path: Path) -> None:
    import pyarrow.parquet

    for group in pyarrow.parquet.ParquetFile(path).iter_batches():
        group.validate()


def _read_picture(path: Path) -> None:
    from PIL import Image

    with Image.open(path) as image:
        image.load()


def _read_zarr(path: Path) -> None:
    """Read an array chunk by chunk; a group's own file only tells that it is one."""
    import zarr

    if parse_json(read_text(path))["node_type"] == "array":
        array = zarr.open_array(path.parent, mode="r")
        for start in range(0, array.shape[0], array.chunks[0]):
            array[start : start + array.chunks[0]]


def _read_array(path: Path) -> None:
    import numpy as np

    np.load(path, mmap_mode="r", allow_pickle=False)


READERS: dict[str, Callable[[Path], Any]] = {
    ".json": lambda path: parse_json(read_text(path)) is None,
    ".npy": _read_array,
    ".zip": lambda path: zipfile.ZipFile(path).testzip() is not None,
    ".parquet": _read_table,
    ".png": _read_picture,
    ".tif": _read_raster,
    "zarr.json": _read_zarr,
}
