"""The STAC item of a Sentinel-2 L2A scene, as Earth Search writes them (collection sentinel-2-c1-l2a)."""

from typing import Any

from odc.geo.geobox import GeoBox
from pyproj import Transformer

from crossres.imagery.items import COG
from crossres.sensors.sentinel2 import BAND_IDS, BANDS_10M, S2A
from crossres.simulate.schedule import Sentinel2Pass
from crossres.simulate.sites import Site

TITLES = {
    "rededge1": "Red Edge 1", "rededge2": "Red Edge 2", "rededge3": "Red Edge 3", "nir08": "NIR 2",
    "swir16": "SWIR 1.6μm", "swir22": "SWIR 2.2μm",
}  # fmt: skip
COLLECTION = "sentinel-2-c1-l2a"
EXTENSIONS = [
    "https://stac-extensions.github.io/eo/v1.1.0/schema.json",
    "https://stac-extensions.github.io/grid/v1.1.0/schema.json",
    "https://stac-extensions.github.io/mgrs/v1.0.0/schema.json",
    "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
    "https://stac-extensions.github.io/raster/v1.1.0/schema.json",
    "https://stac-extensions.github.io/view/v1.0.0/schema.json",
]


def sentinel2_item(
    item_id: str, site: Site, seen: Sentinel2Pass, sun: tuple[float, float], bands: tuple[str, ...], grid: GeoBox,
    grid_20m: GeoBox, cloud_percent: float, baseline: str,
) -> dict[str, Any]:  # fmt: skip
    """Return the item of a scene with `bands`, as a dictionary; asset hrefs are relative to its own file."""
    left, bottom, right, top = grid.boundingbox.bbox
    to_degrees = Transformer.from_crs(site.epsg, 4326, always_xy=True)
    ring = [
        [round(c, 7) for c in to_degrees.transform(x, y)]
        for x, y in ((left, top), (left, bottom), (right, bottom), (right, top), (left, top))
    ]
    longitudes, latitudes = zip(*ring, strict=True)
    start = item_id.split("_")[2]
    number = baseline.replace(".", "")
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": EXTENSIONS,
        "id": item_id,
        "collection": COLLECTION,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": [min(longitudes), min(latitudes), max(longitudes), max(latitudes)],
        "properties": {
            "datetime": seen.time.strftime("%Y-%m-%dT%H:%M:%S.000000Z"),
            "platform": "sentinel-2" + seen.platform[-1].lower(),
            "constellation": "sentinel-2",
            "instruments": ["msi"],
            "gsd": 10,
            "eo:cloud_cover": round(cloud_percent, 6),
            "proj:code": f"EPSG:{site.epsg}",
            "grid:code": f"MGRS-{site.tile}",
            "mgrs:utm_zone": int(site.tile[:2]),
            "mgrs:latitude_band": site.tile[2],
            "mgrs:grid_square": site.tile[3:],
            "s2:mgrs_tile": site.tile,
            "s2:processing_baseline": baseline,
            "s2:product_type": "S2MSI2A",
            "s2:datatake_id": f"G{seen.platform}_{start}_0{30000 + seen.time.timetuple().tm_yday}_N{baseline}",
            "s2:product_uri": f"{seen.platform}_MSIL2A_{start}_N{number}_R032_T{site.tile}_{start[:8]}T090000.SAFE",
            "s2:nodata_pixel_percentage": 0.0,
            "view:sun_azimuth": round(sun[0], 4),
            "view:sun_elevation": round(sun[1], 4),
            "view:off_nadir": 0,
        },
        "assets": {
            **{band: _band(band, grid if band in BANDS_10M else grid_20m) for band in bands},
            "scl": {
                "href": "./SCL.tif",
                "type": COG,
                "title": "Scene classification map (SCL)",
                "roles": ["data"],
                "raster:bands": [{"nodata": 0, "data_type": "uint8", "spatial_resolution": 20}],
                **_geometry(grid_20m),
            },
        },
        "links": [],
    }


def _band(band: str, grid: GeoBox) -> dict[str, Any]:
    i = S2A.bands.index(band)
    gsd = round(S2A.gsd_m[i])
    return {
        "href": f"./{BAND_IDS[band]}.tif",
        "type": COG,
        "title": f"{TITLES.get(band, band.capitalize())} - {gsd}m",
        "roles": ["data", "reflectance"],
        "eo:bands": [
            {
                "name": BAND_IDS[band],
                "common_name": "rededge" if band.startswith("rededge") else band,
                "center_wavelength": round(S2A.centre_nm[i] / 1000, 4),
                "full_width_half_max": round(S2A.fwhm_nm[i] / 1000, 4),
            }
        ],
        "raster:bands": [
            {"nodata": 0, "data_type": "uint16", "spatial_resolution": gsd, "scale": 0.0001, "offset": -0.1,
             "unit": "none"}
        ],
        **_geometry(grid),
    }  # fmt: skip


def _geometry(grid: GeoBox) -> dict[str, Any]:
    return {"proj:shape": list(grid.shape), "proj:transform": [round(v, 6) for v in list(grid.affine)[:6]]}
