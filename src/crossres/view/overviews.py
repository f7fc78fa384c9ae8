"""Overviews for rasters that lack them, in a folder of their own: what is shown is never written to."""

import logging
from pathlib import Path

import rasterio
from rasterio.enums import Resampling
from rasterio.shutil import copy as gdal_copy

from crossres.imagery.raster import open_raster

FACTORS = (8, 64)
"""Few, so that one pass over the raster makes them: what lies between is averaged when it is asked for."""
SMALL_PX = 2048
"""A raster with no longer side is read whole in no time."""

log = logging.getLogger(__name__)


def with_overviews(path: Path, folder: Path) -> str:
    """Return the path of a raster or, where it is large and has no overviews, of one in `folder` that has them.

    That refers to the raster's pixels and holds none but overviews: 1/64 as many.
    """
    with open_raster(path) as src:
        if max(src.shape) <= SMALL_PX or src.overviews(1):
            return str(path)
        factors = [factor for factor in FACTORS if max(src.shape) / factor > 64]
        codes = src.count == 1 and src.dtypes[0] == "uint8"
    log.info("%s: has no overviews; making some in a temporary folder (`gdaladdo` makes them for good)", path)
    referring = folder / f"{len(list(folder.glob('*.vrt')))}.vrt"
    gdal_copy(str(path.resolve()), str(referring), driver="VRT")
    with rasterio.open(referring, "r+") as dst:
        dst.build_overviews(factors, Resampling.nearest if codes else Resampling.average)
    return str(referring)
