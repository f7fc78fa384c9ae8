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
from crossres.sensors.sentinel2 import BAND_IDS, BANDS_10M, BANDS_20M, S2A, S2B
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
GAIN_ERROR = 0.015
"""Standard deviation of the relative error that atmospheric correction leaves in a band."""
DN_PER_REFLECTANCE, DN_OFFSET = 10_000, 1000
BASELINE = "05.00"


@dataclass(frozen=True)
class Sentinel2Truth:
    """What only the simulation knows of an acquisition."""

    item_id: str
    gain: dict[str, float]
    """Error of the surface reflectance, a factor by band."""
    shift_m: tuple[float, float]
    """Where the image lies against the ground: east, north."""


def write_sentinel2(
    folder: Path, seed: list[int], site: Site, landscape: Landscape, seen: Sentinel2Pass, size_m: float,
    location_error_m: float = 0.0, bands_20m: bool = False,
) -> Sentinel2Truth:  # fmt: skip
    """Write `folder`/<item id>/{B02,B03,B04,B08,SCL}.tif and the item; return what was drawn at random.

    `location_error_m` is the standard deviation of the image's shift per axis. With `bands_20m` also B05, B06, B07,
    B8A, B11 and B12, at 20 m.
    """
    rng = np.random.default_rng(seed)
    own = np.random.default_rng([*seed, 1])
    east, north = (float(metres) for metres in own.normal(0, 1, 2) * location_error_m)
    sensor = S2A if seen.platform == "S2A" else S2B
    sun = sun_position(seen.time, site.longitude, site.latitude)
    surface = Surface(landscape, seen.day, direct_light(landscape, *sun), after_change=seen.day > -1)
    size = int(size_m // 20) * 2
    clouds = draw_clouds(rng, size, GSD_M, seen.cloud_share, *sun)
    gain = {band: float(g) for band, g in zip(BANDS_10M, rng.normal(1, GAIN_ERROR, 4), strict=True)}

    dn = {}
    clear = {}
    for band in BANDS_10M:
        fine = surface.reflectance(sensor, band)
        clear[band] = sample_msi(fine, landscape.gsd_m, sensor, band, size, (east, north))
        dn[band] = _numbers(rng, clouds.over(clear[band], band) * gain[band])
    coarse = clouds.means(2)
    for band in BANDS_20M if bands_20m else ():
        gain[band] = float(own.normal(1, GAIN_ERROR))
        fine = surface.reflectance(sensor, band)
        seen_band = sample_msi(fine, landscape.gsd_m, sensor, band, size // 2, (east, north))
        dn[band] = _numbers(own, coarse.over(seen_band, band) * gain[band])

    left, top = site.east - size * GSD_M / 2, site.north + size * GSD_M / 2
    grid = GeoBox((size, size), Affine(GSD_M, 0, left, 0, -GSD_M, top), f"EPSG:{site.epsg}")
    coarse_grid = GeoBox((size // 2, size // 2), Affine(20.0, 0, left, 0, -20.0, top), grid.crs)
    scl = _classify(clear, coarse)
    # The identifier carries the start of the datatake, which is the same for all tiles of a pass.
    item_id = f"{seen.platform}_T{site.tile}_{seen.time - timedelta(minutes=3):%Y%m%dT%H%M%S}_L2A"
    for band, values in dn.items():
        name = BAND_IDS[band]
        own_grid = grid if band in BANDS_10M else coarse_grid
        write_cog(folder / item_id / f"{name}.tif", values[None], own_grid, (name,), Encoding("uint16", nodata=0))
    write_cog(folder / item_id / "SCL.tif", scl[None], coarse_grid, ("SCL",), replace(CODES, nodata=0))
    write_json(
        folder / item_id / f"{item_id}.json",
        sentinel2_item(
            item_id, site, seen, sun, tuple(dn), grid, coarse_grid,
            100 * float(np.isin(scl, (8, 9, 10)).mean()), BASELINE,
        ),
    )  # fmt: skip
    return Sentinel2Truth(item_id, gain, (east, north))


def sample_msi(
    fine: np.ndarray, gsd_m: float, sensor: Sensor, band: str, size: int, shift_m: tuple[float, float] = (0.0, 0.0)
) -> np.ndarray:
    """Return (size, size) samples of the middle of a fine square image, through the band's MTF, at the band's GSD.

    The point spread function is the Gaussian that has the band's MTF at Nyquist; it holds the detector's own width.
    What is seen lies `shift_m` (east, north) from where it is.
    """
    index = sensor.bands.index(band)
    step = sensor.gsd_m[index]
    sigma = mtf_sigma_px(sensor.mtf[index]) * step
    first = (fine.shape[0] * gsd_m - (size - 1) * step) / 2
    rows, cols = (
        gaussian_matrix(fine.shape[0], gsd_m, first + away, size, step, sigma) for away in (shift_m[1], -shift_m[0])
    )
    return resample(rows, fine, cols)


def _numbers(rng: np.random.Generator, reflectance: np.ndarray) -> np.ndarray:
    """Return DN (uint16, at least 1) of reflectance with the sensor's noise."""
    noisy = reflectance + rng.normal(0, NOISE, reflectance.shape)
    return np.clip(np.rint(noisy * DN_PER_REFLECTANCE + DN_OFFSET), 1, 65535).astype(np.uint16)


def _classify(clear: dict[str, np.ndarray], clouds: Clouds) -> np.ndarray:
    """Return the scene classification (SCL) at 20 m, where the clouds are, as Sen2Cor codes it."""
    size = clear["red"].shape[0]
    mean = area_matrix(size, GSD_M, 0.0, size // 2, 20.0)
    red, nir, green = (resample(mean, clear[b], mean) for b in ("red", "nir", "green"))
    ndvi = (nir - red) / np.maximum(nir + red, 1e-3)
    scl = np.where(ndvi > 0.4, 4, np.where((nir < 0.10) & (nir < green), 6, 5))
    scl = np.where(clouds.shadow > 0.25, 3, scl)
    scl = np.select([clouds.opacity > 0.6, clouds.opacity > 0.2, clouds.opacity > 0.04], [9, 8, 10], scl)
    return scl.astype(np.uint8)
