"""Another model's result of a held-out pair, brought to the HR grid so that it can be judged like an arm.

The file is `<pair>.tif` or `<LR scene>.tif` in the model's folder, in that order. Its bands, scale, offset and nodata
are found as those of any image that this program is given.
"""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import dask
import dask.array as da
import numpy as np
import xarray as xr

from crossres.errors import UserError
from crossres.files import whole, write_json
from crossres.imagery.engine import per_block, store
from crossres.imagery.lazy import lazy_raster
from crossres.imagery.numbers import STD_DN
from crossres.imagery.raster import grid_of, new_cog
from crossres.imagery.regrid import on_grid
from crossres.imagery.scene import make_scene, open_scene, write_scene
from crossres.settings.paths import find_result

log = logging.getLogger(__name__)
LEAST_COVER = 0.99
"""Share of HR's pixels with data that a result must cover: every arm is judged on the pixels that all of them have."""
Reader = Callable[[Path, tuple[str, ...], Path], xr.Dataset]
"""Returns some bands of an image, lazily, from files that it writes into a folder; `UserError` when it lacks them or
does not hold reflectance."""


class Declined(Exception):
    """Why a result is not judged."""


def take_external(
    folder: Path, pair: str, lr_scene: str, hr: Path, bands: tuple[str, ...], read: Reader, output: Path
) -> None:
    """Write a folder: mean.tif, sample.tif (the same) and std.tif (0) on HR's grid, or declined.json with the reason.

    A result on HR's grid, or on pixels that line up with it, is taken as it is; any other is reprojected by cubic
    convolution. It is declined when there is none, it lacks such bands, does not hold reflectance, or covers less than
    99 % of HR. Memory holds blocks. Raises `UserError` when the folder itself is missing.
    """
    if not folder.is_dir():
        raise UserError(f"evaluate.external: {folder} is not a folder; name the one that holds the model's GeoTIFFs")
    with whole(output) as part:
        part.mkdir()
        mean = part / "mean.tif"
        try:
            with TemporaryDirectory(dir=part) as scratch:
                made = Path(scratch, mean.name)
                path = _result(folder, pair, lr_scene)
                write_scene(made, _on_grid_of(hr, path, bands, read, Path(scratch)))
                _check_cover(made, hr, path)
                made.replace(mean)
        except Declined as reason:
            log.info("%s: declined: %s", pair, reason)
            write_json(part / "declined.json", {"reason": str(reason)})
            return
        shutil.copyfile(mean, part / "sample.tif")
        # Finite values become 0, all others stay what they are.
        none = da.map_blocks(STD_DN.numbers, open_scene(mean).reflectance.data * 0, dtype=np.uint16)
        with new_cog(part / "std.tif", grid_of(mean), bands, STD_DN) as std:
            store([none], [std], "std.tif")


def _result(folder: Path, pair: str, lr_scene: str) -> Path:
    path = find_result(folder, pair, lr_scene)
    if path is None:
        raise Declined(f"{folder.name}: holds neither {pair}.tif nor {lr_scene}.tif")
    return path


def _on_grid_of(hr: Path, path: Path, bands: tuple[str, ...], read: Reader, scratch: Path) -> xr.Dataset:
    try:
        found = read(path, bands, scratch)
    except UserError as error:
        raise Declined(str(error).replace(str(path), path.name)) from None
    own, grid = found.odc.geobox, grid_of(hr)
    if own.crs is None or grid.crs is None:
        raise Declined(f"{path.name}: has no coordinate reference system")
    return make_scene(on_grid(found.reflectance.data, own, grid), grid, bands)


def _check_cover(mean: Path, hr: Path, path: Path) -> None:
    there, wanted = open_scene(mean).reflectance.data, lazy_raster(hr, [1], "reflectance")
    counts = dask.compute(*per_block(_covered, there, wanted))
    seen, needed = np.sum(counts, axis=0)
    covered = seen / needed if needed else 0.0
    if covered < LEAST_COVER:
        raise Declined(f"{path.name}: covers {100 * covered:.0f} % of the HR image; 99 % is needed")


def _covered(values: np.ndarray, hr: np.ndarray) -> tuple[int, int]:
    """Return how many pixels of HR have values in all bands, and how many it has."""
    wanted = np.isfinite(hr[0])
    return int((np.isfinite(values).all(axis=0) & wanted).sum()), int(wanted.sum())
