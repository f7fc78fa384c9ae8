"""Another model's result of a held-out pair, brought to the HR grid so that it can be judged like an arm.

The file is `<pair>.tif` or `<LR scene>.tif` in the model's folder, in that order. Its bands, scale, offset and nodata
are found as those of any image that this program is given.
"""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
import xarray as xr
from rasterio.enums import Resampling
from rasterio.warp import reproject

from crossres.errors import UserError
from crossres.evaluate.external_file import find_result
from crossres.files import whole, write_json
from crossres.imagery.raster import grid_of, write_cog
from crossres.imagery.scene import bands_of, make_scene, write_scene

log = logging.getLogger(__name__)
LEAST_COVER = 0.99
"""Share of HR's pixels with data that a result must cover: every arm is judged on the pixels that all of them have."""
ON_GRID = 1e-3
"""Pixels; two grids that differ by less are one."""


Reader = Callable[[Path, tuple[str, ...]], xr.Dataset]
"""Returns some bands of an image; `UserError` when it has them not or is no reflectance."""


class Declined(Exception):
    """Why a result is not judged."""


def take_external(
    folder: Path, pair: str, lr_scene: str, hr: Path, bands: tuple[str, ...], read: Reader, output: Path
) -> None:
    """Write a folder: mean.tif, sample.tif (the same) and std.tif (0) on HR's grid, or declined.json with the reason.

    A result on HR's grid, or on pixels that line up with it, is taken as it is; any other is reprojected by cubic
    convolution. It is declined when there is none, it has no such bands, is no reflectance, or covers less than 99 % of
    HR. Raises `UserError` when the folder itself is missing.
    """
    if not folder.is_dir():
        raise UserError(f"evaluate.external: {folder} is no folder; name the one that holds the model's GeoTIFFs")
    try:
        path = find_result(folder, pair, lr_scene)
        if path is None:
            raise Declined(f"{folder.name}: holds neither {pair}.tif nor {lr_scene}.tif")
        scene = _on_grid_of(hr, _scene(path, bands, read), path)
    except Declined as reason:
        log.info("%s: declined: %s", pair, reason)
        with whole(output) as part:
            part.mkdir()
            write_json(part / "declined.json", {"reason": str(reason)})
        return
    with whole(output) as part:
        part.mkdir()
        for name in ("mean", "sample"):
            write_scene(part / f"{name}.tif", scene)
        none = np.where(np.isfinite(scene.reflectance.values), 0, 65535).astype(np.uint16)
        write_cog(part / "std.tif", none, scene.odc.geobox, bands=bands, nodata=65535, scale=1e-4)


def _scene(path: Path, bands: tuple[str, ...], read: Reader) -> xr.Dataset:
    try:
        found = read(path, bands)
    except UserError as error:
        raise Declined(str(error).replace(str(path), path.name)) from None
    return make_scene(found.reflectance.values, found.odc.geobox, bands)


def _on_grid_of(hr: Path, scene: xr.Dataset, path: Path) -> xr.Dataset:
    grid, own = grid_of(hr), scene.odc.geobox
    result = scene.reflectance.values
    if own.crs is None or grid.crs is None:
        raise Declined(f"{path.name}: has no coordinate reference system")
    values = np.full((len(result), *grid.shape), np.nan, np.float32)
    offset = ~own.affine @ grid.affine  # from HR's pixels to the result's
    aligned = own.crs == grid.crs and np.allclose(
        (offset.a, offset.b, offset.d, offset.e, offset.c % 1, offset.f % 1),
        (1, 0, 0, 1, round(offset.c % 1), round(offset.f % 1)), atol=ON_GRID,
    )  # fmt: skip
    if aligned:
        row, col = round(offset.f), round(offset.c)
        (height, width), (rows, cols) = own.shape, grid.shape
        top, left = max(-row, 0), max(-col, 0)
        bottom, right = min(height - row, rows), min(width - col, cols)
        if bottom > top and right > left:
            values[:, top:bottom, left:right] = result[:, row + top : row + bottom, col + left : col + right]
    else:
        reproject(
            result, values, src_transform=own.affine, src_crs=str(own.crs.to_wkt()),
            src_nodata=np.nan, dst_transform=grid.affine, dst_crs=str(grid.crs.to_wkt()), dst_nodata=np.nan,
            resampling=Resampling.cubic,
        )  # fmt: skip
    with rasterio.open(hr) as src:
        wanted = src.read_masks(1) > 0
    there = np.asarray(np.isfinite(values).all(axis=0))
    covered = there[wanted].mean() if wanted.any() else 0.0
    if covered < LEAST_COVER:
        raise Declined(f"{path.name}: covers {100 * covered:.0f} % of the HR image; 99 % is needed")
    return make_scene(values, grid, bands_of(scene), scene.attrs)
