"""A super-resolved scene on disk: mean, std and one sample as COGs, and the STAC item."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
from odc.geo.geobox import GeoBox
from shapely.geometry import mapping

from crossres.files import write_json
from crossres.globe import bbox
from crossres.grids import epsg_of, grid_outline, gsd_m
from crossres.imagery.engine import store
from crossres.imagery.numbers import NODATA, OFFSET, SCALE
from crossres.imagery.raster import new_cog

STD_NODATA = 65535
PARTS = ("mean", "std", "sample")


def numbers(parts: dict[str, np.ndarray]) -> np.ndarray:
    """Return a window of a product as its files hold it, (part, band, row, column) uint16.

    `parts` are (band, row, column) float32 reflectance, NaN where there is none.
    """
    return np.stack([_numbers(name, parts[name]) for name in PARTS])


def write_product(
    folder: Path, grid: GeoBox, bands: Sequence[str], tags: dict[str, str], parts: Sequence[da.Array]
) -> None:
    """Write `mean.tif`, `std.tif` and `sample.tif` in `folder`, of (band, row, column) uint16 as `numbers` has them."""
    with ExitStack() as stack:
        files = [
            stack.enter_context(
                new_cog(
                    folder / f"{name}.tif", grid, dtype=np.uint16, bands=bands, nodata=_nodata(name), tags=tags,
                    scale=SCALE, offset=0.0 if name == "std" else OFFSET,
                )
            )
            for name in PARTS
        ]  # fmt: skip
        store(parts, files, "mean, std and sample")


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
