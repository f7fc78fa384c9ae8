"""Opening an asset, wherever it is, so that a server's hiccup is a pause and a signature is never shown."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import rasterio
from rasterio.errors import RasterioIOError

from crossres.acquire.hrefs import gdal_name, is_remote, without_signature
from crossres.errors import UserError
from crossres.rasters import open_raster

# CPL_VSIL_CURL_NON_CACHED: GDAL remembers failures, and then reports a server that is back as "not a supported format".
HTTP_ENV = {
    "GDAL_HTTP_MAX_RETRY": "5",
    "GDAL_HTTP_RETRY_DELAY": "0.5",
    "GDAL_HTTP_RETRY_CODES": "429,500,502,503,504",
    "GDAL_HTTP_TIMEOUT": "60",
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "CPL_VSIL_CURL_NON_CACHED": "/vsicurl/:/vsis3/",
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
}


@contextmanager
def asset_raster(href: str) -> Iterator[rasterio.DatasetReader]:
    """Open an asset given by its absolute path or URL; errors while it is open name it without its signature."""
    if not is_remote(href):
        with open_raster(href) as src:
            yield src
        return
    shown = without_signature(href)
    # What a server sends is opened as an image and nothing else: other drivers (VRT, GTI) can name local files.
    driver = "JP2OpenJPEG" if urlsplit(href).path.lower().endswith(".jp2") else "GTiff"
    try:
        with rasterio.Env(**HTTP_ENV), rasterio.open(gdal_name(href), driver=driver) as src:
            if src.crs is None:
                raise UserError(f"{shown}: has no coordinate reference system")
            yield src
    except RasterioIOError:
        raise UserError(f"{shown}: cannot be read from its server; try again later") from None
