"""What Sentinel-2 sees of a place: L2A bands and scene classification as COGs, with a STAC item."""

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine

from crossres.files import write_json
from crossres.imagery.numbers import CODES, Encoding
from crossres.imagery.raster import write_cog
from crossres.sensors.sensor import Sensor
from crossres.sensors.sentinel2 import BAND_IDS, S2A, S2B
from crossres.sensors.sun import sun_position
from crossres.simulate.land.landscape import Landscape
from crossres.simulate.land.light import direct_light
from crossres.simulate.land.surface import Surface
from crossres.simulate.optics import area_matrix, gaussian_matrix, mtf_sigma_px, resample
from crossres.simulate.schedule import Sentinel2Pass
from crossres.simulate.sentinel2.clouds import Clouds, draw_clouds
from crossres.simulate.sentinel2.stac_item import sentinel2_item
from crossres.simulate.sites import Site

GSD_M = 10.0
NOISE = 0.0025
"""Standard deviation of a pixel's reflectance."""
DN_PER_REFLECTANCE, DN_OFFSET = 10_000, 1000
BASELINE = "05.00"


@dataclass(frozen=True)
class Sentinel2Truth:
    """What only the simulation knows of an acquisition."""

    item_id: str
    gain: dict[str, float]
    """Error of the surface reflectance, a factor by band."""


def write_sentinel2(
    folder: Path, seed: list[int], site: Site, landscape: Landscape, seen: Sentinel2Pass, size_m: float
) -> Sentinel2Truth:
    """Write `folder`/<item id>/{B02,B03,B04,B08,SCL}.tif and the item; return what was drawn at random."""
    rng = np.random.default_rng(seed)
    sensor = S2A if seen.platform == "S2A" else S2B
    sun = sun_position(seen.time, site.longitude, site.latitude)
    surface = Surface(landscape, seen.day, direct_light(landscape, *sun), after_change=seen.day > -1)
    size = int(size_m // 20) * 2
    clouds = draw_clouds(rng, size, GSD_M, seen.cloud_share, *sun)
    gain = {band: float(g) for band, g in zip(sensor.bands, rng.normal(1, 0.015, 4), strict=True)}

    dn = {}
    clear = {}
    for band in sensor.bands:
        clear[band] = sample_msi(surface.reflectance(sensor, band), landscape.gsd_m, sensor, band, size)
        seen_band = clouds.over(clear[band], band) * gain[band] + rng.normal(0, NOISE, (size, size))
        dn[band] = np.clip(np.rint(seen_band * DN_PER_REFLECTANCE + DN_OFFSET), 1, 65535).astype(np.uint16)

    left, top = site.east - size * GSD_M / 2, site.north + size * GSD_M / 2
    grid = GeoBox((size, size), Affine(GSD_M, 0, left, 0, -GSD_M, top), f"EPSG:{site.epsg}")
    scl_grid = GeoBox((size // 2, size // 2), Affine(20.0, 0, left, 0, -20.0, top), grid.crs)
    scl = _classify(clear, clouds)
    # The identifier carries the start of the datatake, which is the same for all tiles of a pass.
    item_id = f"{seen.platform}_T{site.tile}_{seen.time - timedelta(minutes=3):%Y%m%dT%H%M%S}_L2A"
    for band, values in dn.items():
        name = BAND_IDS[band]
        write_cog(folder / item_id / f"{name}.tif", values[None], grid, (name,), Encoding("uint16", nodata=0))
    write_cog(folder / item_id / "SCL.tif", scl[None], scl_grid, ("SCL",), replace(CODES, nodata=0))
    write_json(
        folder / item_id / f"{item_id}.json",
        sentinel2_item(
            item_id, site, seen, sun, grid, scl_grid, 100 * float(np.isin(scl, (8, 9, 10)).mean()), BASELINE
        ),
    )
    return Sentinel2Truth(item_id, gain)


def sample_msi(fine: np.ndarray, gsd_m: float, sensor: Sensor, band: str, size: int) -> np.ndarray:
    """Return (size, size) 10 m samples of the middle of a fine square image, through the band's MTF.

    The point spread function is the Gaussian that has the band's MTF at Nyquist; it holds the detector's own width.
    """
    sigma = mtf_sigma_px(sensor.mtf[sensor.bands.index(band)]) * GSD_M
    first = (fine.shape[0] * gsd_m - (size - 1) * GSD_M) / 2
    weight = gaussian_matrix(fine.shape[0], gsd_m, first, size, GSD_M, sigma)
    return resample(weight, fine, weight)


def _classify(clear: dict[str, np.ndarray], clouds: Clouds) -> np.ndarray:
    """Return the scene classification (SCL) at 20 m as Sen2Cor codes it."""
    size = clear["red"].shape[0]
    mean = area_matrix(size, GSD_M, 0.0, size // 2, 20.0)
    red, nir, green = (resample(mean, clear[b], mean) for b in ("red", "nir", "green"))
    opacity, shadow = (resample(mean, layer, mean) for layer in (clouds.opacity, clouds.shadow))
    ndvi = (nir - red) / np.maximum(nir + red, 1e-3)
    scl = np.where(ndvi > 0.4, 4, np.where((nir < 0.10) & (nir < green), 6, 5))
    scl = np.where(shadow > 0.25, 3, scl)
    scl = np.where(opacity > 0.6, 9, np.where(opacity > 0.2, 8, np.where(opacity > 0.04, 10, scl)))
    return scl.astype(np.uint8)
