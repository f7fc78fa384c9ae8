"""The LR scene that is super-resolved, and further dates of it: which of them a model takes."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import dask.array as da
import xarray as xr
from odc.geo.geobox import GeoBox

from crossres.errors import UserError
from crossres.grids import crs_of, ground_pixel_m
from crossres.imagery.lazy import lazy_raster
from crossres.imagery.lr_dates import bands_of_dates
from crossres.imagery.raster import open_raster
from crossres.imagery.scene import bands_of, open_scene

SAME_SIZE = 0.01
"""Share by which a pixel may differ from those that a model was trained for."""


def open_lr(path: Path, bands: Sequence[str], gsd_m: float) -> xr.Dataset:
    """Open a scene; `UserError` when it lacks one of the bands or its pixels are not `gsd_m` metres."""
    scene = open_scene(path, bands)
    check_gsd(str(path), gsd_m, scene.odc.geobox)
    return scene


def open_dates(path: Path, scene: xr.Dataset, lr_dates: int) -> da.Array:
    """Return further dates of an open scene, `lr_dates` with it at most: lazy (channel, row, column) reflectance.

    Its channels are those of `imagery.lr_dates`, with the scene's bands. Raises `UserError` when they lie on another
    grid or lack one of the bands.
    """
    bands = bands_of(scene)
    with open_raster(path) as src:
        names, grid = list(src.descriptions), GeoBox.from_rio(src)
    if grid != scene.odc.geobox:
        raise UserError(f"{path}: lies on another grid than the LR scene; make it for this one, with `crossres dates`")
    count = 1 + sum(str(name).startswith("row@") for name in names)
    wanted = bands_of_dates(bands, min(lr_dates, count))
    if missing := [name for name in wanted if name not in names]:
        raise UserError(f"{path}: has no band {missing[0]}; make it with the bands of the model, with `crossres dates`")
    return lazy_raster(path, [names.index(name) + 1 for name in wanted], "reflectance")


def digest(path: Path) -> str:
    """Return the SHA-256 of a file: what is made of it belongs to these pixels and no others."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_gsd(name: str, gsd_m: float, grid: GeoBox) -> None:
    """Raise `UserError` unless the grid has square pixels of `gsd_m` metres on the ground, within 1 %."""
    crs = crs_of(grid)
    if not crs.is_projected and not crs.is_compound:
        what = "its pixels are degrees" if crs.is_geographic else "its coordinates are no map projection's"
        raise UserError(
            f"{name}: {what}, and the model needs metres; warp it, for example with "
            "`rio warp FILE NEW --dst-crs EPSG:32632`"
        )
    sizes = ground_pixel_m(grid)
    if any(abs(size - gsd_m) > SAME_SIZE * gsd_m for size in sizes):
        raise UserError(
            f"{name}: has pixels of {sizes[0]:.3g} x {sizes[1]:.3g} m on the ground, the model was trained for "
            f"{gsd_m:g} m; resample the scene to a projection that keeps lengths, such as its UTM zone, or train a "
            "model for it"
        )
