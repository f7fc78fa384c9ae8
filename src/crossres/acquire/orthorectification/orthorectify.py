"""Orthorectification of an RPC image block by block; only the part of the image that a block sees is read."""

from functools import partial
from typing import Any, Protocol

import dask.array as da
import numpy as np
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.enums import Resampling
from rasterio.rpc import RPC
from rasterio.warp import reproject
from rasterio.windows import Window

from crossres.acquire.orthorectification.rpc import project, shifted
from crossres.acquire.orthorectification.terrain import Terrain
from crossres.acquire.regions import LON_LAT, crs_of
from crossres.imagery.lr_fine import Chunks

MARGIN_PX = 8
"""Pixels read around what a block sees, for the resampling kernel and the curvature between sampled points."""


class Image(Protocol):
    """An image in its own geometry: an open raster, or a file that each thread opens for itself."""

    @property
    def count(self) -> int:
        """How many bands."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""

    def read(self, *, window: Window) -> np.ndarray:
        """Return the (band, row, column) numbers of a window."""


def orthorectified(
    src: Image, rpc: RPC, grid: GeoBox, terrain: Terrain, chunks: Chunks, resampling: Resampling = Resampling.cubic
) -> da.Array:
    """Return what `orthorectify` makes of an image on a ground grid, lazily, in these chunks of rows and columns.

    Threads read the image each for itself: it must be one that they can share.
    """
    return da.map_blocks(
        partial(_block, src, rpc, grid, terrain, resampling),
        chunks=((src.count,), *chunks), dtype=np.float32, meta=np.empty((0, 0, 0), np.float32),
    )  # fmt: skip


def _block(
    src: Image, rpc: RPC, grid: GeoBox, terrain: Terrain, resampling: Resampling, block_info: dict[Any, Any]
) -> np.ndarray:
    _, *place = block_info[None]["array-location"]
    rows, cols = (slice(*ends) for ends in place)
    return orthorectify(src, rpc, grid[rows, cols], terrain, resampling)


def orthorectify(
    src: Image,
    rpc: RPC,
    grid: GeoBox,
    terrain: Terrain,
    resampling: Resampling = Resampling.cubic,
) -> np.ndarray:
    """Return an image's digital numbers on a ground grid, (band, row, column) float32, NaN where there are none.

    DN 0 in every band is no data. `Resampling.average` is for grids coarser than the image. GDAL interpolates the
    camera along rows, from ends that are exact, to within 0.125 pixels of the image; rasterio offers no way to ask for
    less. So blocks beside each other differ by as little as pixels do within a block: there are no seams.
    """
    values = np.full((src.count, *grid.shape), np.nan, np.float32)
    window = source_window(rpc, src.shape, grid, terrain)
    if window is None:
        return values
    numbers = src.read(window=window).astype(np.float32)
    numbers[:, (numbers == 0).all(axis=0)] = np.nan
    reproject(
        numbers,
        values,
        rpcs=shifted(rpc, int(window.row_off), int(window.col_off)),
        src_crs="EPSG:4326",
        src_nodata=np.nan,
        dst_transform=grid.affine,
        dst_crs=crs_of(grid).to_wkt(),
        dst_nodata=np.nan,
        resampling=resampling,
        **terrain.gdal_options(),
    )
    return values


def source_window(rpc: RPC, shape: tuple[int, int], grid: GeoBox, terrain: Terrain) -> Window | None:
    """Return the window of an image (`shape` rows, columns) that a ground grid sees at any height of the terrain."""
    rows, cols = np.meshgrid(np.linspace(0, grid.shape[0], 9), np.linspace(0, grid.shape[1], 9))
    a = grid.affine
    x, y = a.a * cols + a.b * rows + a.c, a.d * cols + a.e * rows + a.f
    lon, lat = Transformer.from_crs(crs_of(grid), LON_LAT, always_xy=True).transform(x, y)
    seen = [project(rpc, lon, lat, height) for height in (terrain.lowest_m, terrain.highest_m)]
    row, col = np.concatenate([p.row for p in seen]), np.concatenate([p.col for p in seen])
    top, bottom = max(0, int(row.min()) - MARGIN_PX), min(shape[0], int(row.max()) + MARGIN_PX + 1)
    left, right = max(0, int(col.min()) - MARGIN_PX), min(shape[1], int(col.max()) + MARGIN_PX + 1)
    return Window(left, top, right - left, bottom - top) if top < bottom and left < right else None
