"""One GeoTIFF of a user's folder as a STAC item."""

import logging
from datetime import UTC, datetime
from pathlib import Path

import rasterio
from odc.geo.geobox import GeoBox

from crossres.acquire.footprint import valid_footprint
from crossres.acquire.read.file_bands import named_bands
from crossres.acquire.stac.items import parse_time, safe_id
from crossres.errors import UserError
from crossres.foreign_raster import open_foreign, printable
from crossres.imagery.items import GEOTIFF, Item, grid_fields, new_item, raster_asset, relative_href
from crossres.imagery.numbers import Encoding
from crossres.sensors.band_names import common_name
from crossres.settings.search import SensorSettings

log = logging.getLogger(__name__)


def folder_item(path: Path, sensor: SensorSettings, item_folder: Path) -> Item:
    """Return the item of a raster, its href relative to `item_folder`.

    What the settings do not say of its bands, scale, offset and nodata, the file says. Raises `UserError` for a raster
    without CRS, in degrees, without a time, with another number of bands than the settings name, or with other names.
    """
    shown = printable(path)
    with open_foreign(path) as src:
        if src.crs.is_geographic:
            raise UserError(
                f"{shown}: is in degrees; bring it to a grid in metres first, for example with "
                "`gdalwarp -t_srs EPSG:32650 -r cubic`"
            )
        bands = _bands(src, sensor, shown)
        wanted = [i for i, band in enumerate(bands, 1) if band]
        nodata = src.nodata if sensor.nodata is None else sensor.nodata
        grid = GeoBox.from_rio(src)
        # An offset alone is one of the numbers as they are.
        scale = 1.0 if sensor.scale is None and sensor.offset is not None else sensor.scale
        encoding = Encoding(src.dtypes[0], nodata, scale, sensor.offset or 0.0)
        asset = raster_asset(relative_href(path, item_folder), bands, encoding, GEOTIFF)
        properties = {"platform": sensor.name, **grid_fields(grid)}
        region = valid_footprint(src, sensor.nodata, wanted)
        return new_item(safe_id(path.stem), region, _time(src, path, sensor), properties, {"data": asset})


def _bands(src: rasterio.DatasetReader, sensor: SensorSettings, shown: str) -> tuple[str | None, ...]:
    """Return the common name of each band in file order; None where a band has none that is known."""
    said = named_bands(src, shown)
    of_file = dict(zip(said.indices, map(common_name, said.names), strict=True))
    if sensor.bands is None:
        if not any(of_file.values()):
            raise UserError(
                f"{shown}: says neither names nor colours of its {src.count} bands; set sensor.bands of its source, "
                "every band in file order"
            )
        return tuple(of_file.get(i) for i in range(1, src.count + 1))
    if src.count != len(sensor.bands):
        raise UserError(
            f"{shown}: has {src.count} bands, but sensor.bands names {len(sensor.bands)} "
            f"({', '.join(sensor.bands)}); name every band of the file, in file order"
        )
    for number, band in enumerate(sensor.bands, 1):
        found = of_file.get(number)
        if found is None or found == band or found not in sensor.bands:
            continue
        if any(src.descriptions):
            raise UserError(
                f"{shown}: calls band {number} {src.descriptions[number - 1]!r}, sensor.bands of its source {band!r}; "
                "one of them is wrong"
            )
        # Of colours GDAL makes up those of pictures by itself, so that the settings go before them.
        log.warning("%s: its band %d has the colour %s, and is taken as %s, as sensor.bands says",
                    shown, number, found, band)  # fmt: skip
    return sensor.bands


def _time(src: rasterio.DatasetReader, path: Path, sensor: SensorSettings) -> datetime:
    if sensor.datetime is not None:
        return parse_time(sensor.datetime, "sensor.datetime")
    text = src.tags().get("TIFFTAG_DATETIME", "").strip()
    try:
        return datetime.strptime(text, "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise UserError(
            f"{printable(path)}: has no acquisition time (TIFFTAG_DATETIME is {text[:40]!r}, not YYYY:MM:DD hh:mm:ss); "
            "set sensor.datetime of its source"
        ) from None
