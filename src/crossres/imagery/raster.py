"""Rasters on disk: opened with a clear word when that fails, and written as cloud-optimised GeoTIFFs."""

import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import dask
import numpy as np
import rasterio
from odc.geo.geobox import GeoBox
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioIOError
from rasterio.io import DatasetWriter
from rasterio.shutil import copy as gdal_copy
from rasterio.windows import Window

from crossres.errors import UserError
from crossres.files import whole
from crossres.imagery.numbers import CODES, Encoding

NO_PROVENANCE = frozenset({"AREA_OR_POINT", "OVR_RESAMPLING_ALG"})
"""Tags that GDAL sets itself."""
LEVEL = 1
"""Of DEFLATE. Behind a predictor, of noise as images have it, level 6 takes 1.2 to 1.4 times as long for files that are
2 % larger."""


def open_raster(path: Path | str) -> rasterio.DatasetReader:
    """Open a raster to read; `UserError` when it is missing, is no raster or has no CRS."""
    try:
        src = rasterio.open(path)
    except RasterioIOError:
        what = "not a raster that GDAL can read" if Path(path).exists() else "no such file"
        raise UserError(f"{path}: {what}") from None
    if src.crs is None:
        src.close()
        raise UserError(
            f"{path}: has no coordinate reference system; assign one, for example with `gdal_edit.py -a_srs EPSG:32650`"
        )
    return src


def grid_of(path: Path | str) -> GeoBox:
    """Return the grid of a raster."""
    with open_raster(path) as src:
        return GeoBox.from_rio(src)


def tags_of(src: rasterio.DatasetReader) -> dict[str, str]:
    """Return what a raster says of itself: of a scene, acquisition time, sensor and provenance."""
    return {key: value for key, value in src.tags().items() if key not in NO_PROVENANCE}


def write_cog(
    path: Path,
    values: np.ndarray,
    grid: GeoBox,
    bands: Sequence[str],
    encoding: Encoding | None = None,
    tags: dict[str, str] | None = None,
) -> None:
    """Write a (band, row, column) array of numbers as a cloud-optimised GeoTIFF; the same content gives the same bytes.

    Without an encoding the numbers are what they are. Raises `TypeError` when they may not fit the data type.
    """
    encoding = encoding or Encoding(values.dtype.name)
    with new_cog(path, grid, bands, encoding, tags) as dst:
        dst.write(values.astype(encoding.data_type, casting="safe", copy=False))


@contextmanager
def new_cog(
    path: Path,
    grid: GeoBox,
    bands: Sequence[str],
    encoding: Encoding,
    tags: dict[str, str] | None = None,
) -> Iterator[DatasetWriter]:
    """Yield a dataset to write window by window, in any order; it becomes a cloud-optimised GeoTIFF if no error rose.

    Memory holds GDAL's block cache, not the raster: until it is done, the raster stands uncompressed beside `path`.
    """
    profile = dict(
        driver="GTiff", dtype=encoding.data_type, count=len(bands), height=grid.shape[0], width=grid.shape[1],
        nodata=encoding.nodata, crs=str(grid.crs.to_wkt()) if grid.crs else None, transform=grid.affine,
        tiled=True, blockxsize=256, blockysize=256, sparse_ok=True, bigtiff="IF_SAFER",
    )  # fmt: skip
    with whole(path) as part:
        raw = part.with_name(f"{part.name}.raw.tif")
        with rasterio.open(raw, "w", **profile) as dst:
            dst.descriptions = tuple(bands)
            dst.scales = (encoding.scale or 1.0,) * len(bands)
            dst.offsets = (encoding.offset,) * len(bands)
            dst.update_tags(**(tags or {}))
            yield dst
        predictor = "STANDARD" if np.issubdtype(encoding.data_type, np.integer) else "FLOATING_POINT"
        copy_to_cog(raw, part, predictor, encoding.overviews)


def write_mask(path: Path, mask: np.ndarray, grid: GeoBox) -> None:
    """Write a (row, column) uint8 raster of `Mask` codes."""
    with new_cog(path, grid, ("mask",), CODES) as dst:
        dst.write(np.asarray(mask, np.uint8), 1)


def read_mask(path: Path, window: Window | None = None) -> np.ndarray:
    """Read a raster of `Mask` codes as (row, column) uint8."""
    with open_raster(path) as src:
        return src.read(1, window=window)


def copy_to_cog(raw: Path, cog: Path, predictor: str = "STANDARD", overviews: str = "average") -> None:
    """Write a raster as a cloud-optimised GeoTIFF; `OSError` when there is no room for it.

    It has the same bytes with any number of threads, of which there are as many as `engine.computing` says.
    """
    no_room = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(cog.parent))
    try:
        gdal_copy(
            str(raw), str(cog), driver="COG", compress="DEFLATE", level=LEVEL, blocksize=256,
            num_threads=dask.config.get("num_workers", 1), predictor=predictor, overview_resampling=overviews,
            bigtiff="IF_SAFER",
        )  # fmt: skip
    except CPLE_BaseError as error:
        # It has removed its unfinished files by now. With overviews they need half as much again as the raster at most.
        if shutil.disk_usage(cog.parent).free < 2 * raw.stat().st_size:
            raise no_room from error
        raise
    # GDAL says nothing when a disk is full as it closes a file. What is written last is the last block.
    with rasterio.open(cog) as written:
        try:
            written.read(window=Window(written.width - 1, written.height - 1, 1, 1))
        except RasterioIOError as error:
            raise no_room from error
