"""Scenes on disk: cloud-optimised GeoTIFFs of reflectance with band names, nodata, time and provenance inside.

Reflectance r is kept as uint16: r = DN * 1e-4 - 0.1, DN 0 is nodata (Sentinel-2's own convention since baseline
04.00, so that dark pixels keep their noise below zero). In memory it is float32 with NaN as nodata.
"""

import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

import numpy as np
import numpy.typing
import rasterio
from odc.geo.geobox import GeoBox
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioIOError
from rasterio.io import DatasetWriter
from rasterio.shutil import copy as gdal_copy
from rasterio.windows import Window

from crossres.errors import UserError
from crossres.files import whole

BLOCK_CACHE_MB = 128
"""What GDAL keeps of raster blocks."""
SCALE = 1e-4
OFFSET = -0.1
NODATA = 0


class Mask(IntEnum):
    """Codes of a scene's mask raster (uint8); only CLEAR pixels count."""

    CLEAR = 0
    NODATA = 1
    CLOUD = 2
    SHADOW = 3
    CHANGED = 4
    SNOW = 5
    OTHER_SPLIT = 6
    """Ground that is not held out, in a scene of which a part is."""


@dataclass(frozen=True)
class Scene:
    """Reflectance of some bands on one grid."""

    values: np.ndarray
    """(band, row, column) float32 reflectance, NaN where there is none."""
    grid: GeoBox
    bands: tuple[str, ...]
    """Common names: blue, green, red, nir, pan."""
    tags: dict[str, str] = field(default_factory=dict)
    """Acquisition time (`datetime`, ISO 8601 UTC), `sensor` and provenance."""

    def select(self, bands: Sequence[str]) -> "Scene":
        """Return the scene with these bands in this order; `UserError` when one is missing."""
        missing = [b for b in bands if b not in self.bands]
        if missing:
            raise UserError(f"band {missing[0]!r} is not in the scene, which has {', '.join(self.bands)}")
        return Scene(self.values[[self.bands.index(b) for b in bands]], self.grid, tuple(bands), self.tags)


def to_dn(reflectance: np.ndarray) -> np.ndarray:
    """Return float reflectance, NaN where there is none, as the uint16 numbers that scenes are kept in."""
    dn = np.rint((reflectance - OFFSET) / SCALE)
    return np.where(np.isfinite(reflectance), np.clip(dn, 1, 65535), NODATA).astype(np.uint16)


def to_reflectance(dn: np.ndarray) -> np.ndarray:
    """Return uint16 numbers of a scene as float32 reflectance, NaN where there is none."""
    return np.where(dn == NODATA, np.float32(np.nan), dn * np.float32(SCALE) + np.float32(OFFSET))


def write_scene(path: Path, scene: Scene) -> None:
    """Write reflectance as a scaled uint16 COG with overviews, whole or not at all."""
    dn = to_dn(scene.values)
    write_cog(path, dn, scene.grid, bands=scene.bands, nodata=NODATA, tags=scene.tags, scale=SCALE, offset=OFFSET)


def read_scene(path: Path, window: Window | None = None) -> Scene:
    """Read a scene written by `write_scene`, or any georeferenced raster with band names, scale and offset.

    Raises `UserError` for a file that is missing, is no raster or has no CRS.
    """
    with open_raster(path) as src:
        dn = src.read(window=window, masked=True)
        scale = np.array(src.scales, np.float64)[:, None, None]
        offset = np.array(src.offsets, np.float64)[:, None, None]
        values = (dn.data * scale + offset).astype(np.float32)
        values[np.ma.getmaskarray(dn)] = np.nan
        transform = src.window_transform(window) if window else src.transform
        bands = tuple(name or f"band{i}" for i, name in enumerate(src.descriptions, 1))
        tags = {k: v for k, v in src.tags().items() if k not in {"AREA_OR_POINT", "OVR_RESAMPLING_ALG"}}
        return Scene(values, GeoBox(values.shape[1:], transform, src.crs.to_wkt()), bands, tags)


def write_mask(path: Path, mask: np.ndarray, grid: GeoBox) -> None:
    """Write a (row, column) uint8 raster of `Mask` codes."""
    write_cog(path, mask.astype(np.uint8)[None], grid, bands=("mask",), nodata=None, overviews="mode")


def read_mask(path: Path, window: Window | None = None) -> np.ndarray:
    """Read a raster of `Mask` codes as (row, column) uint8."""
    with open_raster(path) as src:
        return src.read(1, window=window)


@contextmanager
def small_block_cache() -> Iterator[None]:
    """Let GDAL keep no more than `BLOCK_CACHE_MB` of blocks; its own default is a share of the machine's memory.

    Also a decorator. A stage that goes through rasters once, block by block, gains nothing from more.
    """
    with rasterio.Env(GDAL_CACHEMAX=BLOCK_CACHE_MB):
        yield


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


def grid_of(path: Path) -> GeoBox:
    """Return the grid of a raster."""
    with open_raster(path) as src:
        return GeoBox(src.shape, src.transform, src.crs.to_wkt())


def write_cog(
    path: Path,
    values: np.ndarray,
    grid: GeoBox,
    *,
    bands: Sequence[str],
    nodata: float | None,
    tags: dict[str, str] | None = None,
    scale: float = 1.0,
    offset: float = 0.0,
    overviews: str = "average",
) -> None:
    """Write a (band, row, column) array as a cloud-optimised GeoTIFF; the same content gives the same bytes."""
    with new_cog(
        path, grid, dtype=values.dtype, bands=bands, nodata=nodata, tags=tags, scale=scale, offset=offset,
        overviews=overviews,
    ) as dst:  # fmt: skip
        dst.write(values)


@contextmanager
def new_cog(
    path: Path,
    grid: GeoBox,
    *,
    dtype: numpy.typing.DTypeLike,
    bands: Sequence[str],
    nodata: float | None,
    tags: dict[str, str] | None = None,
    scale: float = 1.0,
    offset: float = 0.0,
    overviews: str = "average",
) -> Iterator[DatasetWriter]:
    """Yield a dataset to write window by window, in any order; it becomes a cloud-optimised GeoTIFF if no error rose.

    Memory holds GDAL's block cache, not the raster: until it is done, the raster stands uncompressed beside `path`.
    """
    profile = dict(
        driver="GTiff", dtype=dtype, count=len(bands), height=grid.shape[0], width=grid.shape[1], nodata=nodata,
        crs=str(grid.crs.to_wkt()) if grid.crs else None, transform=grid.affine,
        tiled=True, blockxsize=256, blockysize=256, sparse_ok=True, bigtiff="IF_SAFER",
    )  # fmt: skip
    with whole(path) as part:
        raw = part.with_name(f"{part.name}.raw.tif")
        with rasterio.open(raw, "w", **profile) as dst:
            dst.descriptions = tuple(bands)
            dst.scales = (scale,) * len(bands)
            dst.offsets = (offset,) * len(bands)
            dst.update_tags(**(tags or {}))
            yield dst
        copy_to_cog(raw, part, "STANDARD" if np.issubdtype(dtype, np.integer) else "FLOATING_POINT", overviews)


def copy_to_cog(raw: Path, cog: Path, predictor: str = "STANDARD", overviews: str = "average") -> None:
    """Write a raster as a cloud-optimised GeoTIFF; `OSError` when there is no room for it."""
    no_room = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(cog.parent))
    try:
        gdal_copy(
            str(raw), str(cog), driver="COG", compress="DEFLATE", level=6, blocksize=256, num_threads=1,
            predictor=predictor, overview_resampling=overviews, bigtiff="IF_SAFER",
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
