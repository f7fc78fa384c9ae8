"""GeoTIFFs and JPEG 2000 images, one with all bands or a folder with one each, as items."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import rasterio
from odc.geo.geobox import GeoBox

from crossres.acquire.bands.assets import CLASSES, SHOWN
from crossres.acquire.read.file_bands import file_bands, named_bands
from crossres.acquire.read.given import Given
from crossres.acquire.read.tree import Tree
from crossres.acquire.remote.asset import AssetFile
from crossres.acquire.stac.items import parse_time, safe_id
from crossres.errors import UserError
from crossres.foreign_raster import is_raster, open_foreign, printable
from crossres.grids import gsd_m as gsd_of
from crossres.imagery.items import Item, iso_utc
from crossres.sensors.band_names import esa_name, is_band, mentions_band
from crossres.sensors.scaling import ASSUMED_SENSOR
from crossres.sensors.sentinel2 import finest_m

SAME_SIZE = 0.01
"""Share by which two pixel sizes may differ and be one."""


def image_given(file: AssetFile, href: str, name: str, bands: Sequence[str]) -> Given:
    """Return an image with all `bands` as an item; `UserError` when it does not say which of its bands they are."""
    with file.open() as src:
        found = file_bands(src, bands, file.shown)
        properties = properties_of(src)
        named: list[dict[str, str]] = [{} for _ in range(src.count)]
    for band, index in zip(bands, found.indices, strict=True):
        named[index - 1] = {"name": band, "common_name": band}
    item: Item = {
        "id": safe_id(name), "geometry": None, "links": [], "properties": properties,
        "assets": {"data": {"href": href, SHOWN: file.shown, "eo:bands": named}},
    }  # fmt: skip
    return Given(item, href, assumed=found.assumed)


def folder_given(tree: Tree, bands: Sequence[str], gsd_m: float) -> Given:
    """Return a folder with an image for each of `bands` as an item.

    Of a band at several pixel sizes that of `gsd_m` metres is taken, or of its own where Sentinel-2 has it no finer.
    Raises `UserError` when a band has no image, or several.
    """
    names = tree.images
    assets = {}
    for band in bands:
        name = _of_band(tree, names, band, finest_m(band, gsd_m))
        assets[esa_name(band)] = _asset(tree, name, band)
    classes = [name for name in names if is_band(_stem(name), CLASSES) or mentions_band(_stem(name), CLASSES)]
    if len(classes) == 1:
        assets[CLASSES] = {"href": str(tree.file(classes[0])), SHOWN: tree.called(classes[0])}
    first = next(iter(assets.values()))
    with open_foreign(Path(first["href"]), shown=first[SHOWN]) as src:
        properties = properties_of(src)
    item: Item = {
        "id": safe_id(tree.path.resolve().name.partition(".")[0]), "geometry": None, "links": [], "assets": assets,
        "properties": properties,
    }  # fmt: skip
    return Given(item, str(tree.path))


def _asset(tree: Tree, name: str, band: str) -> dict[str, Any]:
    """Return an image that is one band as an asset; `UserError` when it holds several and does not say which is it."""
    where = tree.called(name)
    with open_foreign(tree.file(name), shown=where) as src:
        count = len(named_bands(src, where).indices)
        index = 1 if count == 1 else file_bands(src, (band,), where).indices[0]
        bands = [{"name": band, "common_name": band} if i == index else {} for i in range(1, src.count + 1)]
    return {"href": str(tree.file(name)), SHOWN: where, "eo:bands": bands}


def properties_of(src: rasterio.DatasetReader) -> dict[str, str]:
    """Return what a file says of its time and sensor, by STAC's names; a sensor that it does not say is assumed."""
    tags = src.tags()
    found: dict[str, str] = {}
    try:
        if tags.get("datetime"):
            found["datetime"] = iso_utc(parse_time(tags["datetime"], "datetime"))
        elif tags.get("TIFFTAG_DATETIME"):
            time = datetime.strptime(tags["TIFFTAG_DATETIME"].strip(), "%Y:%m:%d %H:%M:%S")
            found["datetime"] = iso_utc(time.replace(tzinfo=UTC))
    except (UserError, ValueError, OverflowError):
        pass  # a time that is none is not known
    sensor = tags.get("sensor", "").strip()[:100]
    return found | ({"platform": sensor} if sensor and sensor != "unknown" else {ASSUMED_SENSOR: "sentinel-2"})


def _of_band(tree: Tree, names: Sequence[str], band: str, gsd_m: float) -> str:
    """Return the image of a band: that of its name, else one that mentions it, of the pixel size asked for."""
    for means in (is_band, mentions_band):
        found = [name for name in names if means(_stem(name), band)]
        found = [name for name in found if _stem(name).endswith(f"_{gsd_m:g}m")] or found
        if len(found) > 1:
            found = [name for name in found if _has_size(tree, name, gsd_m)] or found
        if len(found) > 1:
            raise UserError(
                f"{tree.shown}: {len(found)} files could be band {band} ({esa_name(band)}), such as "
                f"{printable(found[0])} and {printable(found[1])}; give a STAC item, or a folder with one scene"
            )
        if found:
            return found[0]
    raise UserError(f"{tree.shown}: no file of band {band} ({esa_name(band)}), of {', '.join(_bands_shown(names))}")


def _bands_shown(names: Sequence[str]) -> list[str]:
    """Return some names of images, for people."""
    shown = [printable(PurePosixPath(name).name)[:100] for name in names[:8]]
    return [*shown, f"{len(names) - 8} more"] if len(names) > 8 else shown or ["none"]


def _has_size(tree: Tree, name: str, gsd_m: float) -> bool:
    path = tree.file(name)
    if not is_raster(path):
        return False
    with open_foreign(path, shown=tree.called(name)) as src:
        return abs(gsd_of(GeoBox.from_rio(src)) - gsd_m) <= SAME_SIZE * gsd_m


def _stem(name: str) -> str:
    return printable(PurePosixPath(name).stem)
