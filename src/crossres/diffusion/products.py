"""A super-resolved scene on disk: mean, std and one sample as COGs, written block by block, and the STAC item."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.windows import Window
from shapely.geometry import mapping

from crossres.files import write_json
from crossres.globe import bbox
from crossres.grids import epsg_of, grid_outline, gsd_m
from crossres.imagery.numbers import NODATA, OFFSET, SCALE
from crossres.imagery.raster import copy_to_cog

STD_NODATA = 65535
PARTS = ("mean", "std", "sample")


@dataclass(frozen=True)
class Writer:
    """Open rasters of one product."""

    files: dict[str, rasterio.io.DatasetWriter]

    def write(self, top: int, left: int, window: np.ndarray) -> None:
        """Write a window of all parts, as `numbers` gives it."""
        height, width = window.shape[2:]
        for name, values in zip(PARTS, window, strict=True):
            self.files[name].write(values, window=Window(left, top, width, height))


def numbers(parts: dict[str, np.ndarray]) -> np.ndarray:
    """Return a window of a product as its files hold it, (part, band, row, column) uint16.

    `parts` are (band, row, column) float32 reflectance, NaN where there is none.
    """
    return np.stack([_numbers(name, parts[name]) for name in PARTS])


@contextmanager
def open_product(folder: Path, grid: GeoBox, bands: Sequence[str], tags: dict[str, str]) -> Iterator[Writer]:
    """Yield a writer for `mean.tif`, `std.tif` and `sample.tif` in `folder`; they become COGs when all is written.

    Memory does not grow with the scene: windows go to plain tiled files first.
    """
    raw = {name: folder / f".{name}.tif" for name in PARTS}
    profile = dict(
        driver="GTiff", dtype="uint16", count=len(bands), height=grid.shape[0], width=grid.shape[1],
        crs=grid.crs.to_wkt() if grid.crs else None, transform=grid.affine,
        tiled=True, blockxsize=256, blockysize=256, bigtiff="IF_SAFER",
    )  # fmt: skip
    with ExitStack() as stack:
        files = {
            name: stack.enter_context(rasterio.open(path, "w", nodata=_nodata(name), **profile))
            for name, path in raw.items()
        }
        yield Writer(files)
        for name, file in files.items():
            file.descriptions = tuple(bands)
            file.scales = (SCALE,) * len(bands)
            file.offsets = (0.0 if name == "std" else OFFSET,) * len(bands)
            file.update_tags(**tags)
    for name, path in raw.items():
        copy_to_cog(path, folder / f"{name}.tif")
        path.unlink()


def write_item(
    path: Path, identifier: str, grid: GeoBox, bands: Sequence[str], tags: dict[str, str],
    properties: dict[str, Any], sources: dict[str, str],
) -> None:  # fmt: skip
    """Write the product's STAC item; `sources` are relative links (title to href) to what it was made from."""
    outline = grid_outline(grid)
    time: dict[str, Any] = {"datetime": tags.get("datetime")}
    if not tags.get("datetime"):
        # STAC wants a range where there is no instant; an unknown time lies in the widest one.
        time |= {"start_datetime": "0001-01-01T00:00:00Z", "end_datetime": "9999-12-31T23:59:59Z"}
    epsg = epsg_of(grid.crs) if grid.crs else None
    projection = {"proj:code": f"EPSG:{epsg}"} if epsg else {"proj:wkt2": grid.crs.to_wkt() if grid.crs else None}
    item = {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [
            "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
            "https://stac-extensions.github.io/raster/v2.0.0/schema.json",
        ],
        "id": identifier,
        "geometry": mapping(outline),
        "bbox": list(bbox(outline)),
        "properties": time
        | projection
        | {
            "gsd": gsd_m(grid),
            "proj:shape": list(grid.shape),
            "proj:transform": list(grid.affine)[:6],
            **properties,
        },
        "links": [
            {"rel": "derived_from", "href": href, "title": title, "type": _media_type(href)}
            for title, href in sources.items()
        ],
        "assets": {name: _asset(name, bands) for name in PARTS},
    }
    write_json(path, item)


def _asset(name: str, bands: Sequence[str]) -> dict[str, Any]:
    about = {"mean": "mean of the samples", "std": "standard deviation of the samples", "sample": "one sample"}
    return {
        "href": f"./{name}.tif",
        "type": "image/tiff; application=geotiff; profile=cloud-optimized",
        "title": about[name],
        "roles": ["data"],
        "data_type": "uint16",
        "nodata": _nodata(name),
        "raster:scale": SCALE,
        "raster:offset": 0.0 if name == "std" else OFFSET,
        "bands": [{"name": band} for band in bands],
    }


def _media_type(href: str) -> str:
    return {"json": "application/json", "tif": "image/tiff; application=geotiff"}.get(
        href.rpartition(".")[2].lower(), "application/octet-stream"
    )


def _nodata(name: str) -> int:
    return STD_NODATA if name == "std" else NODATA


def _numbers(name: str, values: np.ndarray) -> np.ndarray:
    low, high, offset = (0, STD_NODATA - 1, 0.0) if name == "std" else (NODATA + 1, 65535, OFFSET)
    numbers = np.clip(np.rint((values - offset) / SCALE), low, high)
    return np.where(np.isfinite(values), numbers, _nodata(name)).astype(np.uint16)
