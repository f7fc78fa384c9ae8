"""Bands of an item that are georeferenced already: Sentinel-2 COGs, NAIP, one's own GeoTIFFs."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.warp import reproject as warp
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from crossres.acquire.band_assets import BandAsset, band_assets, class_asset
from crossres.acquire.class_masks import mask_from_classes
from crossres.acquire.hrefs import resolved
from crossres.acquire.items import Item
from crossres.acquire.offset import Scaling, check_dark_pixels, decide_scaling, declared_nodata, is_sentinel2
from crossres.acquire.regions import LON_LAT, crs_of, reproject
from crossres.acquire.remote import asset_raster
from crossres.acquire.scene_files import Acquired
from crossres.errors import UserError
from crossres.grids import crop, whole_window
from crossres.rasters import Mask, to_dn

log = logging.getLogger(__name__)

BRIGHTEST_MEDIAN = 2.0
"""No scene reflects more than this at its median: above it, the scale is wrong."""


def read_bands(
    item: Item, item_path: Path, region: BaseGeometry, bands: Sequence[str], masked_classes: Sequence[int]
) -> Acquired:
    """Read the window of a region (in degrees) of an item's bands, on their own grid: nothing is resampled.

    The scene classification, where there is one, is brought to that grid by nearest neighbour. Raises `UserError` when
    bands differ in grid, when the region lies outside, and when values are no reflectance.
    """
    places = band_assets(item, bands)
    full = _common_grid(item, item_path, bands, places)
    window = whole_window(full, reproject(region, LON_LAT, crs_of(full)))
    if window is None:
        raise UserError(f"item {item['id']}: its raster does not reach the region to read; check its geometry")
    grid = crop(full, window)
    raw = [_read(item, item_path, place, window) for place in places]
    scalings = _scalings(item, places, raw)
    numbers = np.zeros((len(bands), *grid.shape), np.uint16)
    for i, (values, scaling) in enumerate(zip(raw, scalings, strict=True)):
        reflectance = np.ma.filled(values.astype(np.float32), np.nan) * np.float32(scaling.scale)
        reflectance += np.float32(scaling.offset)
        _refuse_wrong_scale(item, bands[i], reflectance, scaling)
        numbers[i] = to_dn(reflectance)
    if not numbers.any():
        raise UserError(f"item {item['id']}: has no valid pixel in the region to read")
    notes = {"radiometry": "; ".join(dict.fromkeys(s.why for s in scalings))}
    log.info("%s: %s (offset %+g)", item["id"], notes["radiometry"], scalings[0].offset)
    return Acquired(numbers, _mask(item, item_path, grid, masked_classes), grid, notes)


def _common_grid(item: Item, item_path: Path, bands: Sequence[str], places: Sequence[BandAsset]) -> GeoBox:
    """Return the grid that all bands share, cut to the smallest of them."""
    grids: dict[str, GeoBox] = {}
    for place in places:
        if place.key not in grids:
            with asset_raster(_href(item, item_path, place)) as src:
                grids[place.key] = GeoBox(src.shape, src.transform, src.crs.to_wkt())
    first = grids[places[0].key]
    for band, place in zip(bands, places, strict=True):
        grid = grids[place.key]
        if grid.crs != first.crs or not grid.affine.almost_equals(first.affine, 1e-6):
            raise UserError(
                f"item {item['id']}: bands {bands[0]} and {band} are on different grids; grid.bands must share one"
            )
    shape = tuple(min(grid.shape[axis] for grid in grids.values()) for axis in (0, 1))
    return GeoBox(shape, first.affine, first.crs)


def _read(item: Item, item_path: Path, place: BandAsset, window: Window) -> np.ma.MaskedArray:
    """Return the raw numbers of a window, masked where the item or the file says that there are none."""
    with asset_raster(_href(item, item_path, place)) as src:
        if place.index >= src.count:
            raise UserError(f"item {item['id']}: asset {place.key!r} has {src.count} bands, fewer than the item names")
        values = src.read(place.index + 1, window=window, masked=True)
    nodata = declared_nodata(place.asset, place.index)
    if nodata is not None:
        values = np.ma.masked_where(np.isnan(values.data) if np.isnan(nodata) else values.data == nodata, values)
    if is_sentinel2(item["properties"]) and values.dtype == np.uint16:
        values = np.ma.masked_equal(values, 0)
    return values


def _scalings(item: Item, places: Sequence[BandAsset], raw: Sequence[np.ma.MaskedArray]) -> list[Scaling]:
    """Return the scaling of each band; what dark pixels of one Sentinel-2 band prove holds for all of them."""
    decided = [
        decide_scaling(item["properties"], place.asset, place.index, values.dtype.name)
        for place, values in zip(places, raw, strict=True)
    ]
    if not is_sentinel2(item["properties"]):
        return decided
    checked = [
        check_dark_pixels(scaling, _thinned(values).compressed().astype(np.float64))
        for scaling, values in zip(decided, raw, strict=True)
    ]
    taken_back = [new for old, new in zip(decided, checked, strict=True) if new.offset != old.offset]
    if taken_back:
        log.warning("%s: %s", item["id"], taken_back[0].why)
        return [replace(scaling, offset=0.0, why=taken_back[0].why) for scaling in decided]
    doubtful = [new for old, new in zip(decided, checked, strict=True) if new.why != old.why]
    # A bright band says nothing; only when all bands have their darkest pixels near 1000 is it worth a word.
    return checked if len(doubtful) == len(checked) else decided


def _thinned(values: np.ma.MaskedArray) -> np.ma.MaskedArray:
    step = max(1, int(np.sqrt(values.size / 1e6)))
    return values[::step, ::step]


def _refuse_wrong_scale(item: Item, band: str, reflectance: np.ndarray, scaling: Scaling) -> None:
    sample = reflectance[np.isfinite(reflectance)][::97]
    if sample.size and np.median(sample) > BRIGHTEST_MEDIAN:
        raise UserError(
            f"item {item['id']}: median reflectance of {band} is {np.median(sample):.3g} at scale {scaling.scale:g}; "
            "set scale and offset of its sensor so that reflectance is 0 to 1"
        )


def _mask(item: Item, item_path: Path, grid: GeoBox, masked_classes: Sequence[int]) -> np.ndarray:
    """Return mask codes from the scene classification on `grid`; all clear where there is none."""
    place = class_asset(item)
    if place is None:
        return np.full(grid.shape, np.uint8(Mask.CLEAR))
    classes = np.zeros(grid.shape, np.uint8)
    with asset_raster(_href(item, item_path, place)) as src:
        warp(
            rasterio.band(src, place.index + 1), classes, dst_transform=grid.affine, dst_crs=crs_of(grid).to_wkt(),
            src_nodata=None, dst_nodata=0, resampling=Resampling.nearest,
        )  # fmt: skip
    return mask_from_classes(classes, masked_classes)


def _href(item: Item, item_path: Path, place: BandAsset) -> str:
    return resolved(str(place.asset["href"]), str(item_path), f"item {item['id']}")
