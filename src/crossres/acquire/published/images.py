"""An image of a published set as a GeoTIFF in metres: its own file where it is one, else written once."""

import os
import warnings
from pathlib import Path

import numpy as np
import rasterio
from odc.geo import CRS
from pyproj import Transformer
from rasterio.errors import NotGeoreferencedWarning
from rasterio.transform import Affine, from_origin
from rasterio.warp import Resampling, reproject, transform_bounds

from crossres.acquire.published.place import Picture
from crossres.acquire.published.tortilla import read_bytes
from crossres.errors import UserError
from crossres.foreign_raster import PICTURES, open_foreign, printable, read_numbers
from crossres.globe import LON_LAT

FIRST_UTM, ZONES = 32631, 30
"""Images without georeference lie from the zone of Greenwich on east, south of the Gulf of Guinea."""
EAST_M, NORTH_M, APART_M = 300_000, 0, 10_000
COLUMNS, ROWS = 40, 800
NO_PLACE = "the set gives no place: this one means nothing"
IN_DEGREES = "was in degrees: resampled to UTM with the set's pixel size (bicubic)"


def georeferenced(picture: Picture, images: Path, name: str, number: int) -> tuple[Path, tuple[str, ...]]:
    """Return the GeoTIFF of an image, and what had to be assumed for it.

    An image that is not one, or is in degrees, is written to `images/<name>.tif`, its numbers as they are but for
    degrees, which take resampling; it has the time of the file that it was made of. The place `number` of the set
    counts where the set says nothing of where an image lies. Raises `UserError` for what cannot be read.
    """
    path = images / f"{name}.tif"
    if not picture.file.is_file():
        raise UserError(f"{printable(picture.file)}: no such file; unpack the set again")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        if picture.pixels is not None:
            values, nodata = picture.pixels(), picture.nodata
        else:
            if picture.inside is not None:
                images.mkdir(exist_ok=True)
                path.write_bytes(read_bytes(picture.file, *picture.inside))
            own = picture.file if picture.inside is None else path
            with open_foreign(own, PICTURES, placed=False) as src:
                if src.crs is not None and not src.crs.is_geographic:
                    _date(own, picture) if own == path else None
                    return own, ()
                nodata = src.nodata if picture.nodata is None else picture.nodata
                found = read_numbers(src, range(1, src.count + 1))
                values = found.filled(nodata) if nodata is not None else found.data
                where = (CRS(src.crs.to_wkt()), src.transform) if src.crs is not None else None
            if where is not None:
                values, grid, nodata = _in_metres(values, *where, picture.gsd_m, nodata)
                _write(path, values, grid, nodata, picture)
                return path, (IN_DEGREES,)
        grid = picture.grid or _anywhere(number, picture.gsd_m)
        _write(path, values, grid, nodata, picture)
        return path, () if picture.grid else (NO_PLACE,)


def _anywhere(number: int, gsd_m: float) -> tuple[CRS, Affine]:
    """Return a grid of its own for the place `number`."""
    zone, within = divmod(number, COLUMNS * ROWS)
    row, column = divmod(within, COLUMNS)
    crs = CRS(f"EPSG:{FIRST_UTM + zone % ZONES}")
    return crs, from_origin(EAST_M + column * APART_M, NORTH_M + (row + 1) * APART_M, gsd_m, gsd_m)


def _in_metres(
    values: np.ndarray, crs: CRS, transform: Affine, gsd_m: float, nodata: float | None
) -> tuple[np.ndarray, tuple[CRS, Affine], float]:
    """Return an image in degrees on a UTM grid of whole pixels; what it does not show is nodata."""
    rows, columns = values.shape[1:]
    west, north = transform @ (0, 0)
    east, south = transform @ (columns, rows)
    lon, lat = Transformer.from_crs(crs, LON_LAT, always_xy=True).transform((west + east) / 2, (north + south) / 2)
    utm = CRS(f"EPSG:{(32601 if lat >= 0 else 32701) + int((lon + 180) // 6) % 60}")
    source, target = (rasterio.CRS.from_wkt(c.to_wkt()) for c in (crs, utm))
    left, bottom, right, top = transform_bounds(source, target, west, south, east, north)
    left, top = np.floor(left / gsd_m) * gsd_m, np.ceil(top / gsd_m) * gsd_m
    shape = int(np.ceil((top - bottom) / gsd_m)), int(np.ceil((right - left) / gsd_m))
    empty = (np.nan if values.dtype.kind == "f" else 0.0) if nodata is None else nodata
    result = np.full((len(values), *shape), empty, values.dtype)
    grid = from_origin(left, top, gsd_m, gsd_m)
    reproject(
        values, result, src_transform=transform, src_crs=source, src_nodata=nodata, dst_transform=grid,
        dst_crs=target, dst_nodata=empty, resampling=Resampling.cubic,
    )  # fmt: skip
    return result, (utm, grid), empty


def _write(path: Path, values: np.ndarray, grid: tuple[CRS, Affine], nodata: float | None, picture: Picture) -> None:
    path.parent.mkdir(exist_ok=True)
    count, height, width = values.shape
    with rasterio.open(
        path, "w", driver="GTiff", count=count, height=height, width=width, dtype=values.dtype, nodata=nodata,
        crs=rasterio.CRS.from_wkt(grid[0].to_wkt()), transform=grid[1], compress="deflate", photometric="MINISBLACK",
    ) as target:  # fmt: skip
        target.write(values)
        if len(picture.bands) == count:
            target.descriptions = picture.bands
    _date(path, picture)


def _date(path: Path, picture: Picture) -> None:
    """Give a file the time of the one that it was made of: it is no newer than that."""
    known = picture.file.stat()
    os.utime(path, ns=(known.st_atime_ns, known.st_mtime_ns))
