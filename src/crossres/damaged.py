"""Which of a stage's inputs are damaged: asked when a stage has failed, so that it costs nothing where none is."""

import json
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any


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

    if json.loads(path.read_text())["node_type"] == "array":
        array = zarr.open_array(path.parent, mode="r")
        for start in range(0, array.shape[0], array.chunks[0]):
            array[start : start + array.chunks[0]]


READERS: dict[str, Callable[[Path], Any]] = {
    ".json": lambda path: json.loads(path.read_text(encoding="utf-8")) is None,
    ".npz": lambda path: zipfile.ZipFile(path).testzip() is not None,
    ".parquet": _read_table,
    ".png": _read_picture,
    ".tif": _read_raster,
    "zarr.json": _read_zarr,
}
