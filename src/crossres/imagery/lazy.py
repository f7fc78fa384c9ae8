"""A raster's pixels as a dask array: read when they are computed, by whole blocks of the file, in any thread."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import dask.array as da
import numpy as np
import rasterio
from dask.base import tokenize
from rasterio.enums import MaskFlags
from rasterio.windows import Window

from crossres.imagery.raster import open_raster

CHUNK_PX = 1024
"""Side of a chunk: whole blocks of the COGs that are written here, which have 256 pixels."""

Kind = Literal["reflectance", "numbers"]


class RasterSource:
    """Some bands of a raster, (band, row, column), that are read where they are sliced.

    As `reflectance` (or whatever scale and offset of the file make): float32, NaN where the file has no data. As
    `numbers`: what the file holds. Each thread has the file open for itself, since GDAL's datasets cannot be shared.
    """

    ndim = 3

    def __init__(self, path: Path, indices: Sequence[int], kind: Kind) -> None:
        self.path, self.indices, self.kind = path, list(indices), kind
        self._local = threading.local()
        with open_raster(path) as src:
            self.shape = (len(self.indices), *src.shape)
            self.dtype = np.dtype(np.float32 if kind == "reflectance" else src.dtypes[self.indices[0] - 1])

    def __getitem__(self, key: tuple[slice | int, slice | int, slice | int]) -> np.ndarray:
        # dask hands on what is asked of an array, steps and single pixels among it.
        at = [np.arange(n)[part] for n, part in zip(self.shape, key, strict=True)]
        if not all(axis.size for axis in at):
            return np.empty([axis.size for axis in at if axis.ndim], self.dtype)
        spans = [slice(int(axis.min()), int(axis.max()) + 1) for axis in at]
        values = self._read(*spans)
        for axis, (places, span) in enumerate(zip(at, spans, strict=True)):
            if places.size != span.stop - span.start or (places.ndim and places[0] > places[-1]):
                values = values.take(places - span.start, axis)
        return values.reshape([axis.size for axis in at if axis.ndim])

    def _read(self, bands: slice, rows: slice, cols: slice) -> np.ndarray:
        src = self._open()
        window = Window.from_slices(rows, cols)
        indices = self.indices[bands]
        if self.kind == "numbers":
            return src.read(indices, window=window)
        flags = [set(src.mask_flag_enums[i - 1]) for i in indices]
        numbers = src.read(indices, window=window)
        if all(own <= {MaskFlags.nodata, MaskFlags.all_valid} for own in flags) and numbers.dtype == np.uint16:
            tables = [_table(src.scales[i - 1], src.offsets[i - 1], src.nodatavals[i - 1]) for i in indices]
            return np.stack([table[band] for table, band in zip(tables, numbers, strict=True)])
        valid = src.read_masks(indices, window=window) > 0
        scale, offset = (
            np.array([of[i - 1] for i in indices], np.float64)[:, None, None] for of in (src.scales, src.offsets)
        )
        return np.where(valid, (numbers * scale + offset).astype(np.float32), np.float32(np.nan))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_local"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._local = threading.local()

    def _open(self) -> rasterio.DatasetReader:
        if not hasattr(self._local, "src"):
            self._local.src = open_raster(self.path)
        return self._local.src


def lazy_raster(
    path: Path, indices: Sequence[int] | None = None, kind: Kind = "numbers", chunk_px: int = CHUNK_PX
) -> da.Array:
    """Return bands of a raster (counted from 1; None: all), (band, row, column), in chunks of all these bands.

    See `RasterSource`. Raises `UserError` when the file is missing, is no raster or has no CRS.
    """
    with open_raster(path) as src:
        chosen = list(indices) if indices is not None else list(src.indexes)
    source = RasterSource(path, chosen, kind)
    now = path.stat()
    name = f"{path.stem}-{tokenize(str(path.resolve()), now.st_mtime_ns, now.st_ino, chosen, kind, chunk_px)}"
    # dask names what it is not told the name of by hashing it.
    return da.from_array(
        source, chunks=(len(chosen), chunk_px, chunk_px), name=name, asarray=False, fancy=False, meta=_none(source)
    )


def _none(source: RasterSource) -> np.ndarray:
    return np.empty((0, 0, 0), source.dtype)


def _table(scale: float, offset: float, nodata: float | None) -> np.ndarray:
    """Return the float32 value of each uint16 number."""
    values = (np.arange(65536) * scale + offset).astype(np.float32)
    if nodata is not None and 0 <= nodata <= 65535 and nodata == int(nodata):
        values[int(nodata)] = np.nan
    return values
