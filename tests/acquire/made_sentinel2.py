"""A small Sentinel-2 scene with its item, and a larger one whose bytes are many."""

import json
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox
from pyproj import CRS
from rasterio.transform import from_origin
from shapely.geometry import box, mapping

from crossres.acquire.regions import LON_LAT, reproject
from crossres.imagery.numbers import Encoding
from crossres.imagery.raster import write_cog

BANDS = ("blue", "green", "red", "nir")
TILE = from_origin(600_000, 5_500_000, 10, 10)
SIDE = 60
NUMBERS = Encoding("uint16", nodata=0)


def utm_region(west, south, east, north, epsg=32632):
    return mapping(reproject(box(west, south, east, north), CRS.from_epsg(epsg), LON_LAT))


def sentinel2(
    folder: Path, baseline="05.00", href="{}.tif", keys=BANDS, seed=3, **properties
) -> tuple[Path, np.ndarray]:
    """Write a small Sentinel-2 scene and its item; return the item and its reflectance."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0.02, 0.4, (4, SIDE, SIDE))
    added = 1000 if float(baseline) >= 4 else 0
    dn = np.rint(truth * 10_000 + added).astype(np.uint16)
    dn[:, 30, 31] = 0
    grid = GeoBox((SIDE, SIDE), TILE, "EPSG:32632")
    for i, key in enumerate(keys):
        write_cog(folder / f"{key}.tif", dn[i : i + 1], grid, (key,), NUMBERS)
    scl = np.full((SIDE // 2, SIDE // 2), 4, np.uint8)
    scl[10:12, 10:13], scl[20, 20], scl[5, 5] = 9, 3, 11
    coarse = GeoBox(scl.shape, from_origin(600_000, 5_500_000, 20, 20), grid.crs)
    write_cog(folder / "scl.tif", scl[None], coarse, ("scl",), Encoding("uint8", nodata=0))
    region = utm_region(600_105, 5_499_505, 600_495, 5_499_895)
    assets = {
        key: {"href": href.format(key), "eo:bands": [{"name": key, "common_name": band}]}
        for key, band in zip(keys, BANDS, strict=True)
    }
    item = {
        "type": "Feature", "stac_version": "1.0.0", "id": "low", "geometry": region, "links": [],
        "properties": {"datetime": "2021-06-01T10:00:00Z", "platform": "sentinel-2a", "crossres:role": "lr",
                       "s2:processing_baseline": baseline, "crossres:region": region, **properties},
        "assets": {**assets, "scl": {"href": href.format("scl")}},
    }  # fmt: skip
    path = folder / "low.json"
    path.write_text(json.dumps(item))
    return path, truth


def larger_sentinel2(folder: Path, href: str = "{}.tif", side: int = 1500) -> Path:
    """Write a scene of noise, which does not compress: some megabytes a band; return its item, which covers it all."""
    folder.mkdir(parents=True, exist_ok=True)
    grid = GeoBox((side, side), TILE, "EPSG:32632")
    for i, key in enumerate(BANDS):
        dn = np.random.default_rng(i).integers(1100, 5000, (1, side, side)).astype(np.uint16)
        write_cog(folder / f"{key}.tif", dn, grid, (key,), NUMBERS)
    region = utm_region(600_000, 5_500_000 - 10 * side, 600_000 + 10 * side, 5_500_000)
    item = {
        "type": "Feature", "stac_version": "1.0.0", "id": "large", "geometry": region, "links": [],
        "properties": {"datetime": "2021-06-01T10:00:00Z", "platform": "sentinel-2a",
                       "s2:processing_baseline": "05.00"},
        "assets": {key: {"href": href.format(key)} for key in BANDS},
    }  # fmt: skip
    path = folder / "large.json"
    path.write_text(json.dumps(item))
    return path
