"""The elevation model of a place, and the mosaic of all places' models."""

import os
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.transform import Affine

from crossres.files import whole
from crossres.imagery.numbers import Encoding
from crossres.imagery.raster import write_cog
from crossres.simulate.land.terrain import Terrain
from crossres.simulate.sites import Site

POSTING_DEG = 1 / 5400
"""About 20 m; every model lies on the same global grid, so that one mosaic holds them."""
MARGIN_M = 1200.0
NODATA = -32767.0


def write_dem(path: Path, site: Site, terrain: Terrain, size_m: float) -> None:
    """Write ellipsoidal heights in degrees (EPSG:4326), float32, with a margin around the place."""
    half_lat = (size_m / 2 + MARGIN_M) / 111_000
    half_lon = half_lat / np.cos(np.deg2rad(site.latitude))
    left, top = int((site.longitude - half_lon) // POSTING_DEG), int(-(-(site.latitude + half_lat) // POSTING_DEG))
    cols, rows = int(2 * half_lon / POSTING_DEG) + 2, int(2 * half_lat / POSTING_DEG) + 2
    grid = GeoBox(
        (rows, cols), Affine(POSTING_DEG, 0, left * POSTING_DEG, 0, -POSTING_DEG, top * POSTING_DEG), "EPSG:4326"
    )
    longitude = (left + np.arange(cols) + 0.5) * POSTING_DEG
    latitude = (top - np.arange(rows) - 0.5) * POSTING_DEG
    east, north = Transformer.from_crs(4326, site.epsg, always_xy=True).transform(*np.meshgrid(longitude, latitude))
    height = terrain.height_m(np.asarray(east) - site.east, np.asarray(north) - site.north)
    write_cog(path, height[None].astype(np.float32), grid, ("height",), Encoding("float32", NODATA))


def write_mosaic(path: Path, models: list[Path]) -> None:
    """Write a GDAL virtual raster over all models, which it names relative to itself."""
    tiles = []
    for model in models:
        with rasterio.open(model) as src:
            tiles.append((model, round(src.transform.c / POSTING_DEG), round(src.transform.f / POSTING_DEG), src.shape))
            projection = src.crs.to_wkt()
    west, north = min(t[1] for t in tiles), max(t[2] for t in tiles)
    width = max(left + shape[1] for _, left, _, shape in tiles) - west
    height = north - min(top - shape[0] for _, _, top, shape in tiles)
    sources = [
        _source(Path(os.path.relpath(model, path.parent)).as_posix(), left - west, north - top, shape)
        for model, left, top, shape in tiles
    ]
    step = f"{POSTING_DEG:.17g}"
    text = (
        f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}">\n'
        f'  <SRS dataAxisToSRSAxisMapping="2,1">{projection.replace("<", "&lt;")}</SRS>\n'
        f"  <GeoTransform>{west * POSTING_DEG:.17g}, {step}, 0, {north * POSTING_DEG:.17g}, 0, -{step}</GeoTransform>\n"
        '  <VRTRasterBand dataType="Float32" band="1">\n'
        f"    <NoDataValue>{NODATA:g}</NoDataValue>\n" + "".join(sources) + "  </VRTRasterBand>\n</VRTDataset>\n"
    )
    with whole(path) as part:
        part.write_text(text, encoding="utf-8")


def _source(name: str, col: int, row: int, shape: tuple[int, int]) -> str:
    size = f'xSize="{shape[1]}" ySize="{shape[0]}"'
    return (
        "    <ComplexSource>\n"
        f'      <SourceFilename relativeToVRT="1">{quoteattr(name)[1:-1]}</SourceFilename>\n'
        "      <SourceBand>1</SourceBand>\n"
        f'      <SrcRect xOff="0" yOff="0" {size}/>\n'
        f'      <DstRect xOff="{col}" yOff="{row}" {size}/>\n'
        f"      <NODATA>{NODATA:g}</NODATA>\n"
        "    </ComplexSource>\n"
    )
