"""The LR image that is super-resolved: a scene of ours on disk, read window by window."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from crossres.errors import UserError
from crossres.grids import crs_of, ground_pixel_m
from crossres.imagery.raster import grid_of
from crossres.rasters import read_scene

SAME_SIZE = 0.01
"""Share by which a pixel may differ from those that a model was trained for."""


@dataclass(frozen=True)
class LrScene:
    """Some bands of a scene on its grid."""

    path: Path
    bands: tuple[str, ...]
    """In the order of the model's channels."""
    grid: GeoBox
    tags: dict[str, str]
    """Acquisition time (`datetime`) and `sensor`, where they are known."""

    @staticmethod
    def open(path: Path, bands: Sequence[str], gsd_m: float) -> "LrScene":
        """Look at a scene; `UserError` when it lacks one of the bands or its pixels are not `gsd_m` metres."""
        corner = read_scene(path, Window(0, 0, 1, 1)).select(bands)
        grid = grid_of(path)
        check_gsd(str(path), gsd_m, grid)
        return LrScene(path, tuple(bands), grid, corner.tags)

    def read(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        """Return (band, row, column) float32 reflectance of a window inside the grid; NaN without data."""
        return read_scene(self.path, Window(left, top, width, height)).select(self.bands).values

    def digest(self) -> str:
        """Return the SHA-256 of the file: what is made of it belongs to these pixels and no others."""
        with self.path.open("rb") as file:
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
