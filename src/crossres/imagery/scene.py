"""A scene in memory: an xarray.Dataset on a grid, lazy, whose pixels are read when they are computed.

`reflectance` is (band, y, x) float32 with NaN where there is none, `mask` (y, x) uint8 of `Mask` codes, where there is
one. The coordinate `band` holds common names (blue, green, red, nir, pan), `y` and `x` the centres of pixels in the
CRS; `scene.odc.geobox` is the grid. Attributes hold the acquisition time (`datetime`, ISO 8601 UTC), `sensor` and
provenance. On disk it is a cloud-optimised GeoTIFF of uint16 (see `numbers`) and, in a scene's folder, one of masks.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import odc.geo.xr  # noqa: F401 - gives datasets their accessor `odc`
import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords
from rasterio.windows import Window

from crossres.errors import UserError
from crossres.imagery.engine import store
from crossres.imagery.lazy import CHUNK_PX, lazy_raster
from crossres.imagery.numbers import REFLECTANCE_DN, Mask, to_dn
from crossres.imagery.raster import grid_of, new_cog, open_raster, tags_of

DIMENSIONS = ("y", "x")
REFLECTANCE = "reflectance.tif"
MASK = "mask.tif"
_ABOUT_CODES: dict[str, Any] = {
    "long_name": "mask",
    "flag_values": [int(code) for code in Mask],
    "flag_meanings": " ".join(code.name.lower() for code in Mask),
}
"""As the CF conventions name the values of flags."""


def open_scene(path: Path | str, bands: Sequence[str] | None = None, *, chunk_px: int = CHUNK_PX) -> xr.Dataset:
    """Open a scene: a folder of `reflectance.tif` and `mask.tif`, or one raster with band names, scale and offset.

    `bands` chooses and orders; None takes all. Nothing is read but what the files say of themselves. Raises
    `UserError` for a file that is missing, is no raster or has no CRS, and for a band that the scene does not have.
    """
    path = Path(path)
    image = path / REFLECTANCE if path.is_dir() else path
    with open_raster(image) as src:
        names = [name or f"band{i}" for i, name in enumerate(src.descriptions, 1)]
        chosen = _chosen(names, bands)
        grid, tags = GeoBox.from_rio(src), tags_of(src)
    pixels = lazy_raster(image, [names.index(band) + 1 for band in chosen], "reflectance", chunk_px)
    scene = make_scene(pixels, grid, chosen, tags)
    return scene.assign(mask=open_mask(path / MASK, chunk_px=chunk_px)) if (path / MASK).is_file() else scene


def open_mask(path: Path, *, chunk_px: int = CHUNK_PX) -> xr.DataArray:
    """Open a raster of `Mask` codes, (y, x) uint8."""
    codes = lazy_raster(path, [1], "numbers", chunk_px)[0]
    return xr.DataArray(codes, xr_coords(grid_of(path), dims=DIMENSIONS), DIMENSIONS, attrs=_ABOUT_CODES)


def make_scene(
    reflectance: np.ndarray | da.Array,
    grid: GeoBox,
    bands: Sequence[str],
    attributes: dict[str, str] | None = None,
    mask: np.ndarray | da.Array | None = None,
) -> xr.Dataset:
    """Return a scene of (band, row, column) reflectance and a (row, column) mask that lie on `grid`."""
    about = {"long_name": "reflectance", "units": "1"}
    content: dict[str, Any] = {"reflectance": (("band", *DIMENSIONS), reflectance, about)}
    if mask is not None:
        content["mask"] = (DIMENSIONS, mask, _ABOUT_CODES)
    return xr.Dataset(content, {**xr_coords(grid, dims=DIMENSIONS), "band": list(bands)}, attributes or {})


def bands_of(scene: xr.Dataset) -> tuple[str, ...]:
    """Return the common names of a scene's bands, in order."""
    return tuple(str(band) for band in scene.band.values)


def select(scene: xr.Dataset, bands: Sequence[str]) -> xr.Dataset:
    """Return a scene with these bands in this order; `UserError` when one is missing."""
    return scene.sel(band=_chosen(bands_of(scene), bands))


def crop(scene: xr.Dataset, window: Window) -> xr.Dataset:
    """Return the part of a scene inside a window of whole pixels, on just that part of its grid."""
    rows, cols = window.toslices()
    part = scene.isel(y=rows, x=cols)
    # Coordinates alone would give the grid back to 1e-10 of a pixel.
    return part.assign_coords(xr_coords(scene.odc.geobox[rows, cols], dims=DIMENSIONS))


def write_scene(path: Path, scene: xr.Dataset) -> None:
    """Write a scene's reflectance as a scaled uint16 COG with overviews, block by block, whole or not at all."""
    dn = da.map_blocks(to_dn, _chunked(scene.reflectance), dtype=np.uint16)
    with new_cog(path, scene.odc.geobox, bands_of(scene), REFLECTANCE_DN, dict(scene.attrs)) as dst:
        store([dn], [dst], path.name)


def _chunked(values: xr.DataArray) -> da.Array:
    if isinstance(values.data, da.Array):
        return values.data.rechunk({0: -1})
    return da.from_array(values.data, chunks=(-1, CHUNK_PX, CHUNK_PX), name=False)


def _chosen(there: Sequence[str], wanted: Sequence[str] | None) -> list[str]:
    missing = [band for band in wanted or () if band not in there]
    if missing:
        raise UserError(f"band {missing[0]!r} is not in the scene, which has {', '.join(there)}")
    return list(wanted if wanted is not None else there)


__all__ = [
    "bands_of", "crop", "grid_of", "make_scene", "open_scene", "select", "write_scene",
]  # fmt: skip
