"""One GeoTIFF of a user's folder as a STAC item."""

from datetime import UTC, datetime
from pathlib import Path

import rasterio
from odc.geo.geobox import GeoBox

from crossres.acquire.footprint import valid_footprint
from crossres.acquire.stac.items import (
    Item,
    band_fields,
    grid_properties,
    new_item,
    parse_time,
    relative_href,
    safe_id,
)
from crossres.errors import UserError
from crossres.rasters import open_raster
from crossres.settings.search import SensorSettings


def folder_item(path: Path, sensor: SensorSettings, item_folder: Path) -> Item:
    """Return the item of a raster, its href relative to `item_folder`.

    Raises `UserError` for a raster without CRS, in degrees, with another number of bands than the settings name, or
    without a time.
    """
    with open_raster(path) as src:
        if src.crs.is_geographic:
            raise UserError(
                f"{path}: is in degrees; bring it to a grid in metres first, for example with "
                "`gdalwarp -t_srs EPSG:32650 -r cubic`"
            )
        if src.count != len(sensor.bands):
            raise UserError(
                f"{path}: has {src.count} bands, but sensor.bands names {len(sensor.bands)} "
                f"({', '.join(sensor.bands)}); name every band of the file, in file order"
            )
        nodata = src.nodata if sensor.nodata is None else sensor.nodata
        grid = GeoBox(src.shape, src.transform, src.crs.to_wkt())
        asset = {
            "href": relative_href(path, item_folder),
            "type": "image/tiff; application=geotiff",
            "roles": ["data"],
            **band_fields(sensor.bands, src.dtypes[0], sensor.scale, sensor.offset, nodata),
        }
        properties = {"platform": sensor.name, "gsd": abs(src.transform.a), **grid_properties(grid)}
        region = valid_footprint(src, sensor.nodata)
        return new_item(safe_id(path.stem), region, _time(src, path, sensor), properties, {"data": asset})


def _time(src: rasterio.DatasetReader, path: Path, sensor: SensorSettings) -> datetime:
    if sensor.datetime is not None:
        return parse_time(sensor.datetime, "sensor.datetime")
    text = src.tags().get("TIFFTAG_DATETIME", "").strip()
    try:
        return datetime.strptime(text, "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        raise UserError(
            f"{path}: has no acquisition time (TIFFTAG_DATETIME is {text!r}, not YYYY:MM:DD hh:mm:ss); "
            "set sensor.datetime of its source"
        ) from None
