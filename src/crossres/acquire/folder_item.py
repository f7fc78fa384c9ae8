"""One GeoTIFF of a user's folder as a STAC item."""

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import rasterio
from odc.geo.geobox import GeoBox

from crossres.acquire.bands.assets import CLASSES
from crossres.acquire.bands.class_masks import CODES
from crossres.acquire.footprint import valid_footprint
from crossres.acquire.read.file_bands import named_bands
from crossres.acquire.regions import local_utm
from crossres.acquire.stac.items import parse_time, safe_id
from crossres.errors import UserError
from crossres.foreign_raster import open_foreign, printable
from crossres.grids import grid_outline, ground_pixel_m
from crossres.imagery.items import GEOTIFF, Item, grid_fields, new_item, raster_asset, relative_href
from crossres.imagery.numbers import Encoding
from crossres.sensors.band_names import common_name, is_band
from crossres.settings.search import SensorSettings
from crossres.settings.sensor import times_in

log = logging.getLogger(__name__)

PIXELS_M = (0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 60.0)
"""Of sensors, as they are called."""
MANY_SHOWN = 12
"""Bands of a file that a line names."""


def folder_item(path: Path, sensor: SensorSettings, item_folder: Path, identifier: str | None = None) -> Item:
    """Return the item of a raster, its hrefs relative to `item_folder`, its id that of the file's name or another.

    What the settings do not say of its bands, scale, offset and nodata, the file says. A mask is a band `scl` of the
    file, or an asset of its own. Raises `UserError` for a raster without CRS, in degrees, without a time, with other
    bands than the settings name, or without the mask that they name.
    """
    shown = printable(path)
    with open_foreign(path) as src:
        if src.crs.is_geographic:
            raise UserError(_in_degrees(src, path))
        bands = _bands(src, sensor, shown)
        wanted = [i for i, band in enumerate(bands, 1) if band and band != CLASSES]
        if not wanted:
            raise UserError(f"{shown}: has no band but its mask; name those that are wanted in sensor.bands")
        nodata = src.nodata if sensor.nodata is None else sensor.nodata
        grid = GeoBox.from_rio(src)
        # An offset alone is one of the numbers as they are.
        scale = 1.0 if sensor.scale is None and sensor.offset is not None else sensor.scale
        encoding = Encoding(src.dtypes[0], nodata, scale, sensor.offset or 0.0)
        mask = _mask_asset(path, sensor, item_folder)
        codes = {} if mask else _codes(sensor)
        asset = raster_asset(relative_href(path, item_folder), bands, encoding, GEOTIFF, **codes)
        properties = {"platform": sensor.name, **grid_fields(grid)}
        region = valid_footprint(src, sensor.nodata, wanted)
        assets = {"data": asset} | ({CLASSES: mask} if mask else {})
        return new_item(identifier or safe_id(path.stem), region, _time(src, path, sensor), properties, assets)


def _in_degrees(src: rasterio.DatasetReader, path: Path) -> str:
    """Say which grid in metres a raster in degrees belongs on, and with what to bring it there."""
    grid = GeoBox.from_rio(src)
    zone = local_utm(grid_outline(grid)).to_epsg()
    # The side that was the sensor's pixel: degrees of longitude are shorter than those of latitude.
    side = min(ground_pixel_m(grid))
    near = min(PIXELS_M, key=lambda usual: abs(usual / side - 1))
    metres = near if abs(near / side - 1) < 0.1 else float(f"{side:.2g}")
    warped = f"{path.stem}_{zone}.tif"
    return (
        f"{printable(path)}: is in degrees; bring it to metres, in its UTM zone: `rio warp {printable(path.name)} "
        f"{printable(warped)} --dst-crs EPSG:{zone} --res {metres:g} --resampling cubic` (--res: the sensor's pixel)"
    )


def _bands(src: rasterio.DatasetReader, sensor: SensorSettings, shown: str) -> tuple[str | None, ...]:
    """Return the common name of each band in file order; None where it is not wanted or has none that is known."""
    said = named_bands(src, shown)
    of_file = dict(zip(said.indices, map(common_name, said.names), strict=True))
    named = sensor.named
    mask = _mask_band(src, sensor, shown)
    if named is None:
        if not any(of_file.values()):
            raise UserError(
                f"{shown}: says neither names nor colours of its {src.count} bands; set sensor.bands of its source, "
                "every band in file order"
            )
        classes = {i for i, name in enumerate(src.descriptions, 1) if name and is_band(name, CLASSES)}
        found = {i: CLASSES if i in classes else of_file.get(i) for i in range(1, src.count + 1)}
    else:
        _check_numbers(src, sensor, shown)
        _check_names(src, sensor, named, of_file, shown)
        found = {i: named.get(i) for i in range(1, src.count + 1)}
    if mask is not None:
        if found[mask] not in {None, CLASSES} and named is not None:
            raise UserError(
                f"{shown}: its band {mask} is {found[mask]} by sensor.bands of its source and the mask by sensor.mask; "
                "one of them is wrong"
            )
        found = {i: None if band == CLASSES else band for i, band in found.items()} | {mask: CLASSES}
    return tuple(found.values())


def _check_numbers(src: rasterio.DatasetReader, sensor: SensorSettings, shown: str) -> None:
    """Raise `UserError` where the settings name other bands than the file has."""
    if isinstance(sensor.bands, dict):
        beyond = {name: number for name, number in sensor.bands.items() if number > src.count}
        if beyond:
            name, number = next(iter(beyond.items()))
            raise UserError(f"{shown}: has {src.count} bands, but sensor.bands says that {name} is number {number}")
    elif sensor.bands is not None and src.count != len(sensor.bands):
        names = ", ".join(name or "null" for name in sensor.bands)
        known = [f"{i} {printable(name)}" for i, name in enumerate(src.descriptions, 1) if name]
        listed = (
            f" (its bands are {', '.join(known[:MANY_SHOWN])}{', ...' * (len(known) > MANY_SHOWN)})" if known else ""
        )
        raise UserError(
            f"{shown}: has {src.count} bands, but sensor.bands names {len(sensor.bands)} ({names}); name every band of "
            f"the file, in file order, null for others, or those that are wanted with their numbers, such as "
            f"{{red: 3, green: 2}}{listed}"
        )


def _check_names(
    src: rasterio.DatasetReader,
    sensor: SensorSettings,
    named: dict[int, str],
    of_file: dict[int, str | None],
    shown: str,
) -> None:
    """Raise `UserError` where the file calls a band otherwise than the settings do."""
    for number, band in named.items():
        found = of_file.get(number)
        if found is None or found == band or found not in named.values():
            continue
        if any(src.descriptions):
            raise UserError(
                f"{shown}: calls band {number} {src.descriptions[number - 1]!r}, sensor.bands of its source {band!r}; "
                "one of them is wrong"
            )
        # Of colours GDAL makes up those of pictures by itself, so that the settings go before them.
        log.warning("%s: its band %d has the colour %s, and is taken as %s, as sensor.bands says",
                    shown, number, found, band)  # fmt: skip


def _mask_band(src: rasterio.DatasetReader, sensor: SensorSettings, shown: str) -> int | None:
    """Return which band of the file, counted from 1, is the mask by the settings; None where it is none."""
    if sensor.mask is None or sensor.mask_file(Path(src.name)) is not None:
        return None
    if isinstance(sensor.mask, int):
        if sensor.mask > src.count:
            raise UserError(f"{shown}: has {src.count} bands, but sensor.mask says number {sensor.mask}")
        return sensor.mask
    names = [(name or "").casefold() for name in src.descriptions]
    if sensor.mask.casefold() in names:
        return names.index(sensor.mask.casefold()) + 1
    listed = ", ".join(printable(name) for name in src.descriptions if name) or "without names"
    raise UserError(
        f"{shown}: has no band {sensor.mask!r}, as sensor.mask of its source says; its bands are {listed}; give the "
        "band's number, or a file beside the image as {stem}_mask.tif"
    )


def _mask_asset(path: Path, sensor: SensorSettings, item_folder: Path) -> dict[str, Any] | None:
    """Return the asset of the file that is a raster's mask; None where masks are no files of their own."""
    file = sensor.mask_file(path)
    if file is None:
        return None
    if not file.is_file():
        raise UserError(f"{printable(path)}: its mask {printable(file)} is not there (sensor.mask of its source)")
    with open_foreign(file) as src:
        encoding = Encoding(src.dtypes[0], None, None, 0.0)
        bands = (CLASSES, *[None] * (src.count - 1))
    return raster_asset(relative_href(file, item_folder), bands, encoding, GEOTIFF, **_codes(sensor))


def _codes(sensor: SensorSettings) -> dict[str, Any]:
    """Return what an asset says of the numbers of its mask, where they are not those of SCL."""
    if sensor.mask is None or sensor.mask_codes == "scl":
        return {}
    codes = sensor.mask_codes
    return {CODES: codes if isinstance(codes, str) else {name: list(numbers) for name, numbers in codes.items()}}


def _time(src: rasterio.DatasetReader, path: Path, sensor: SensorSettings) -> datetime:
    if sensor.datetime_pattern is not None:
        found = next(times_in(path.stem, sensor.datetime_pattern), None)
        if found is not None:
            return found
        if sensor.datetime is None:
            raise UserError(
                f"{printable(path)}: its name has no time where sensor.datetime_pattern of its source has one "
                f"({sensor.datetime_pattern}); mend the pattern, or set sensor.datetime for files without"
            )
    if sensor.datetime is not None:
        return parse_time(sensor.datetime, "sensor.datetime")
    text = src.tags().get("TIFFTAG_DATETIME", "").strip()
    try:
        return datetime.strptime(text, "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise UserError(
            f"{printable(path)}: has no acquisition time (TIFFTAG_DATETIME is {text[:40]!r}, not YYYY:MM:DD hh:mm:ss); "
            "set sensor.datetime of its source, or sensor.datetime_pattern where the name has it"
        ) from None
