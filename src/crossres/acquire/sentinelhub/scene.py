"""The window of one Sentinel-2 scene from Sentinel Hub's Process API, put on disk as its own numbers.

The API draws mosaics. Here it is made to hand out pixels: one product, one acquisition, a window on the tile's own
10 m grid, nearest neighbour, and the product's own numbers. Windows larger than one request are asked for in parts.
"""

import io
import json
import logging
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox
from pyproj import CRS
from rasterio.io import MemoryFile
from rasterio.windows import Window
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from crossres.acquire.bands.read_bands import MOSAIC
from crossres.acquire.regions import LON_LAT, crs_of, reproject
from crossres.acquire.sentinelhub.catalog import PROCESS, PRODUCT
from crossres.acquire.sentinelhub.service import SentinelHub
from crossres.acquire.stac.hrefs import shown
from crossres.acquire.stac.items import item_time
from crossres.errors import UserError
from crossres.grids import crop
from crossres.imagery.items import GEOTIFF, Item, raster_asset
from crossres.imagery.numbers import Encoding
from crossres.sensors.sentinel2 import BAND_IDS
from crossres.settings.search import SentinelHubSource

log = logging.getLogger(__name__)

LARGEST_SIDE = 2500
"""Pixels a side that one request may ask for."""
GSD_M = 10.0
UTM_ZONES = {*range(32601, 32661), *range(32701, 32761)}
MOST_TILES = 20
"""Names of tiles that are noted; a window has one, or a few where a tile was processed in parts."""
CLASSES = "SCL"
HARMONIZE_VALUES = False
"""The product's own numbers are asked for: harmonised ones are cut off at reflectance 0, and whether the offset is in
them would hang on the service and not on the baseline."""

# One product only, since neighbouring tiles and older processings of the same acquisition lie in the same window.
# They are told apart by whichever of the names the service gives: of the product, or of the tile and its baseline.
EVALSCRIPT = """//VERSION=3
var BANDS = %(bands)s, PRODUCT = %(product)s, TILE = %(tile)s;
function setup() {
  return {
    input: [{bands: BANDS.concat(["dataMask"]), units: "DN"}],
    output: [{id: "default", bands: BANDS.length, sampleType: "UINT16"}],
    mosaicking: "TILE"
  };
}
function isWanted(tile) {
  var product = [tile.productId, tile.sentinel2ProductId, tile.dataPath].join(" ");
  if (product.indexOf("_MSIL2A_") >= 0) return product.indexOf(PRODUCT) >= 0;
  return String(tile.tileOriginalId).indexOf(TILE) >= 0;
}
function preProcessScenes(collections) {
  collections.scenes.tiles = collections.scenes.tiles.filter(isWanted);
  return collections;
}
function evaluatePixel(samples) {
  for (var i = 0; i < samples.length; i++) {
    if (samples[i].dataMask == 1) return BANDS.map(function (band) { return samples[i][band]; });
  }
  return BANDS.map(function () { return 0; });
}
function updateOutputMetadata(scenes, inputMetadata, outputMetadata) {
  outputMetadata.userData = {tiles: (scenes.tiles || []).map(function (tile) {
    return tile.tileOriginalId || tile.productId || tile.dataPath || "";
  })};
}
"""


def process_asset(item: Item) -> Mapping[str, Any] | None:
    """Return the asset that is a window of Sentinel Hub; None when the item is of another kind."""
    asset = item["assets"].get("process")
    return asset if isinstance(asset, dict) and PROCESS in asset else None


def fetch_window(item: Item, region: BaseGeometry, bands: Sequence[str], folder: Path) -> tuple[Item, dict[str, str]]:
    """Fetch what covers a region (in degrees) into `folder`; return the item with that file as its asset, and notes.

    The file has the bands asked for and the scene classification as uint16, 0 where the scene has no data; parts of a
    mosaic have files of their own. Raises `UserError` when the scene does not reach the region, when the service has no
    such scene, and when it refuses.
    """
    service = SentinelHub(_source(item)[0].endpoint)
    contents = [item, *item["properties"].get(MOSAIC, [])]
    fetched, tiles = [], []
    for number, content in enumerate(contents):
        path = folder / f"window-{number}.tif"
        tiles.append(_fetch(service, content, _window_grid(content, region), bands, path))
        # What the numbers mean is decided by the baseline, as everywhere else.
        asset = raster_asset(path.name, (*bands, CLASSES.lower()), Encoding("uint16", nodata=0), GEOTIFF)
        fetched.append({**content, "assets": {"window": asset}})
    window, *others = fetched
    if others:
        window["properties"] = {**window["properties"], MOSAIC: others}
    how = f"{service.endpoint}, harmonizeValues {str(HARMONIZE_VALUES).lower()}"
    return window, {"sentinelhub": how, "tile": ", ".join(tiles)}


def _fetch(service: SentinelHub, item: Item, grid: GeoBox, bands: Sequence[str], path: Path) -> str:
    """Fetch one product on a grid, part by part; return the names of the tiles that the service took it from."""
    name = f"item {item['id']}"
    wanted = [*(BAND_IDS[band] for band in bands), CLASSES]
    profile = dict(
        driver="GTiff", width=grid.shape[1], height=grid.shape[0], count=len(wanted), dtype="uint16", nodata=0,
        crs=crs_of(grid).to_wkt(), transform=grid.affine, tiled=True, bigtiff="if_safer",
    )  # fmt: skip
    parts = list(_parts(grid))
    tiles: set[str] = set()
    with rasterio.open(path, "w", **profile) as dst:
        for number, window in enumerate(parts, 1):
            part = crop(grid, window)
            request = _request(service, item, part, wanted)
            answer = service.ask(partial(service.client.download, [request], decode_data=False))[0]
            values, used = _decoded(answer.content, part, len(wanted), name)
            tiles |= used
            dst.write(values, window=window)
            log.info("%s: part %d of %d, %.1f MB", name, number, len(parts), len(answer.content) / 1e6)
    if not tiles:
        raise UserError(f"{name}: Sentinel Hub ({service.url}) has no such product; search again")
    return ", ".join(sorted(tiles))


def _source(item: Item) -> tuple[SentinelHubSource, re.Match[str]]:
    """Return the service and the product that an item is a window of, both checked: they go into what is asked."""
    try:
        made = item["assets"]["process"][PROCESS]
        source = SentinelHubSource(kind="sentinelhub", endpoint=made["endpoint"], collection=made["collection"])
        product = PRODUCT.fullmatch(made["product"])
    except (KeyError, TypeError, ValueError):  # pydantic's error is a ValueError
        product = None
    if product is None:
        raise UserError(f"item {item['id']}: does not name a product of Sentinel Hub; search again")
    return source, product


def _epsg(item: Item) -> int:
    """Return the EPSG code of the UTM zone of an item's tile."""
    found = item["properties"].get("proj:epsg")
    if not isinstance(found, int) or found not in UTM_ZONES:
        raise UserError(f"item {item['id']}: has no proj:epsg of a UTM zone; search again")
    return found


def _window_grid(item: Item, region: BaseGeometry) -> GeoBox:
    """Return the part of the tile's 10 m grid that covers a region; Sentinel-2's grids start at multiples of 10 m."""
    crs = CRS.from_epsg(_epsg(item))
    wanted = reproject(region, LON_LAT, crs)
    bounds = item["properties"].get("proj:bbox")
    if bounds:
        try:
            wanted = wanted.intersection(box(*bounds))
        except (TypeError, ValueError):
            raise UserError(f"item {item['id']}: its proj:bbox is no box; search again") from None
    if wanted.area < GSD_M**2:
        raise UserError(f"item {item['id']}: its tile does not reach the region to read; check its geometry")
    return GeoBox.from_bbox(wanted.bounds, crs.to_wkt(), resolution=GSD_M, anchor="edge")


def _parts(grid: GeoBox) -> Iterator[Window]:
    rows, cols = grid.shape
    for row in range(0, rows, LARGEST_SIDE):
        for col in range(0, cols, LARGEST_SIDE):
            yield Window(col, row, min(LARGEST_SIDE, cols - col), min(LARGEST_SIDE, rows - row))


def _request(service: SentinelHub, item: Item, part: GeoBox, wanted: list[str]) -> Any:
    from sentinelhub import CRS as SentinelHubCRS
    from sentinelhub import BBox, MimeType, SentinelHubRequest

    source, product = _source(item)
    _, major, minor, zone, latitude_band, square = product.groups()
    tile = f"_T{zone}{latitude_band}{square}_N{major}.{minor}"
    # The catalogue's times are cut to seconds; other satellites follow half a minute apart at the nearest.
    time = item_time(item).replace(microsecond=0)
    data = {
        "type": source.collection,
        "dataFilter": {
            "timeRange": {"from": _written(time - timedelta(seconds=1)), "to": _written(time + timedelta(seconds=2))}
        },
        "processing": {
            "upsampling": "NEAREST", "downsampling": "NEAREST", "harmonizeValues": HARMONIZE_VALUES,
        },
    }  # fmt: skip
    left, bottom, right, top = part.boundingbox.bbox
    request = SentinelHubRequest(
        evalscript=EVALSCRIPT
        % {"bands": json.dumps(wanted), "product": json.dumps(product[0]), "tile": json.dumps(tile)},
        input_data=[data],
        responses=[
            SentinelHubRequest.output_response("default", MimeType.TIFF),
            SentinelHubRequest.output_response("userdata", MimeType.JSON),
        ],
        bbox=BBox((left, bottom, right, top), SentinelHubCRS(_epsg(item))),
        size=(part.shape[1], part.shape[0]),
        config=service.config,
    )
    return request.download_list[0]


def _decoded(content: bytes, part: GeoBox, count: int, name: str) -> tuple[np.ndarray, set[str]]:
    """Return an answer's numbers (band, row, column) and the tiles they are from, after checking where they lie."""
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            members = {name: _member(tar, name, part, count) for name in ("userdata.json", "default.tif")}
        tiles = {shown(str(tile), 100) for tile in json.loads(members["userdata.json"])["tiles"][:MOST_TILES]}
        with MemoryFile(members["default.tif"]) as file, file.open(driver="GTiff") as src:
            placed = src.transform.almost_equals(part.affine, 1e-3)
            if src.shape != part.shape or src.count != count or src.dtypes[0] != "uint16" or not placed:
                raise UserError(f"{name}: Sentinel Hub's answer is not the window that was asked for; try again")
            return src.read(), tiles
    except (tarfile.TarError, LookupError, ValueError, TypeError, OSError, EOFError, RecursionError) as error:
        reason = type(error).__name__
        raise UserError(f"{name}: Sentinel Hub's answer cannot be read ({reason}); try again later") from None


def _member(tar: tarfile.TarFile, name: str, part: GeoBox, count: int) -> bytes:
    """Return a file of an answer; ValueError for one that is larger than the window can be."""
    member = tar.getmember(name)
    opened = tar.extractfile(member)
    if opened is None or member.size > 2 * part.shape[0] * part.shape[1] * count * 2 + (1 << 20):
        raise ValueError(f"{name} is no file, or too large")
    return opened.read()


def _written(time: Any) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
