"""The LR scene that is super-resolved: which scenes a model takes."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import xarray as xr
from odc.geo.geobox import GeoBox

from crossres.errors import UserError
from crossres.grids import crs_of, ground_pixel_m
from crossres.imagery.scene import open_scene

SAME_SIZE = 0.01
"""Share by which a pixel may differ from those that a model was trained for."""


def open_lr(path: Path, bands: Sequence[str], gsd_m: float) -> xr.Dataset:
    """Open a scene; `UserError` when it lacks one of the bands or its pixels are not `gsd_m` metres."""
    scene = open_scene(path, bands)
    check_gsd(str(path), gsd_m, scene.odc.geobox)
    return scene


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
            f"{name}: {what}, and the model needs metres; warp it, for example with `gdalwarp -t_srs EPSG:32632`"
        )
    sizes = ground_pixel_m(grid)
    if any(abs(size - gsd_m) > SAME_SIZE * gsd_m for size in sizes):
        raise UserError(
            f"{name}: has pixels of {sizes[0]:.3g} x {sizes[1]:.3g} m on the ground, the model was trained for "
            f"{gsd_m:g} m; resample the scene to a projection that keeps lengths, such as its UTM zone, or train a "
            "model for it"
        )
