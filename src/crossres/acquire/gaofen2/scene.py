"""A Gaofen-2 L1A package as a scene: calibrated, corrected for haze, orthorectified and pansharpened."""

import logging
import math
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial, reduce
from operator import add
from pathlib import Path

import dask
import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.errors import NotGeoreferencedWarning
from rasterio.transform import Affine
from shapely.geometry.base import BaseGeometry

from crossres.acquire.gaofen2.atmosphere import Atmosphere, DarkPixels, dark_object, no_correction, rayleigh
from crossres.acquire.gaofen2.bright_clouds import cloud_mask, is_bright
from crossres.acquire.gaofen2.package import Package, PackageImage, read_package, unpacked
from crossres.acquire.gaofen2.pansharpen import (
    RATIO,
    Moments,
    as_sharp_as_bands,
    as_sharp_radius_px,
    fit_sharpening,
)
from crossres.acquire.gaofen2.refine import Camera, on_reference, on_same_ground
from crossres.acquire.gaofen2.scene_pixels import block_chunks, pan_on, write_mss, write_sharpened
from crossres.acquire.gaofen2.toa import ToaCoefficients, mss_radiometry
from crossres.acquire.orthorectification.image_file import ImageFile
from crossres.acquire.orthorectification.orthorectify import orthorectified
from crossres.acquire.orthorectification.terrain import Terrain, terrain_for
from crossres.acquire.regions import LON_LAT, local_utm, reproject
from crossres.acquire.scene_files import SceneWriter
from crossres.errors import UserError
from crossres.imagery.engine import per_block, places
from crossres.imagery.numbers import to_dn
from crossres.sensors.gaofen2 import MSS_BANDS, SENSORS
from crossres.settings.acquire import AcquireSettings

log = logging.getLogger(__name__)

MSS_GSD_M = 3.2
SATURATED_DN = 1020
"""Of 10 bits; resampling takes a little off the 1023."""
PAN_GSD_M = MSS_GSD_M / RATIO


def read_gaofen2(
    path: Path,
    region: BaseGeometry,
    bands: tuple[str, ...],
    target_gsd_m: float,
    settings: AcquireSettings,
    dem: str | None,
    reference: Path | None,
    scratch: Path,
    new_scene: Callable[[GeoBox], AbstractContextManager[SceneWriter]],
) -> None:
    """Write a region (in degrees) of a package on its UTM zone, at 0.8 m, or 3.2 m without pansharpening.

    PAN brings nothing to a target of 3.2 m or coarser, and is then left out. `reference` is the folder of a scene that
    the RPCs are refined with (None: as delivered). Temporary files go into `scratch`; memory holds blocks. Raises
    `UserError` for a package, calibration or DEM that cannot be used.
    """
    unknown = [band for band in bands if band not in MSS_BANDS]
    if unknown:
        raise UserError(f"grid.bands: Gaofen-2 has no band {unknown[0]!r}; it has {', '.join(MSS_BANDS)}")
    package = read_package(path)
    method = settings.pansharpen if target_gsd_m < MSS_GSD_M else "none"
    if method != settings.pansharpen:
        log.info("%s: no pansharpening, since grid.gsd_m (%g) is not below %g", package.name, target_gsd_m, MSS_GSD_M)
    terrain = terrain_for(settings, dem, package.mss.rpc, region, scratch)
    radiometry = mss_radiometry(package.mss.metadata)
    mss_grid = _ground_grid(region, MSS_GSD_M)
    order = [MSS_BANDS.index(band) for band in bands]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # in all threads, as each opens the images
        files = unpacked(package, [package.mss] if method == "none" else [package.mss, package.pan], scratch)
        mss = _open(package.mss, files, len(MSS_BANDS))
        pan = None if method == "none" else _open(package.pan, files, 1)
        geometry = f"RPC, {terrain.note}, cubic"
        if reference is not None:
            mss, pan, found = on_reference(mss, pan, reference, region, terrain)
            geometry += f"; {found}"
        if pan is not None:
            pan, found = on_same_ground(pan, mss, mss_grid, terrain)
            geometry += f"; {found}"
        mtf = float(np.mean(SENSORS[package.mss.metadata.sensor].mtf[: len(MSS_BANDS)]))
        dark, moments, bright = _survey(package, mss, pan, mss_grid, terrain, radiometry, mtf)
        clouds = cloud_mask(bright) if settings.bright_clouds else np.zeros_like(bright)
        atmosphere = _atmosphere(package, settings, dark, terrain)
        with new_scene(mss_grid if pan is None else _ground_grid(region, PAN_GSD_M)) as scene:
            scene.notes.update(_notes(radiometry, atmosphere, geometry, method))
            scene.notes["clouds"] = (
                f"bright, white and large: {clouds.mean():.1%}" if settings.bright_clouds else "not masked"
            )
            if pan is None:
                write_mss(scene, mss, terrain, radiometry, atmosphere, order, clouds)
            else:
                assert method != "none"
                fitted = fit_sharpening(method, moments, mtf, atmosphere.path, atmosphere.transmittance)
                write_sharpened(scene, mss, pan, terrain, radiometry, atmosphere, fitted, order, clouds)


def _survey(
    package: Package,
    mss: Camera,
    pan: Camera | None,
    grid: GeoBox,
    terrain: Terrain,
    radiometry: ToaCoefficients,
    mtf: float,
) -> tuple[DarkPixels, Moments, np.ndarray]:
    """Go through the scene once at MSS pixel size, for its darkest pixels, for what pansharpening is fitted on, and for
    where it is as bright as cloud.
    """
    reach = as_sharp_radius_px(mtf)
    chunks = block_chunks(grid, reach)
    images = [orthorectified(mss.src, mss.rpc, grid, terrain, chunks)]
    if pan is not None:
        filtered = partial(as_sharp_as_bands, mtf=mtf)
        images.append(pan_on(pan, grid, terrain, chunks, filtered, reach, Resampling.average)[1])
    log.info("survey: %d blocks", images[0].npartitions)
    blocks = per_block(partial(_looked_at, radiometry), *images)
    darks, moments, brights = zip(*dask.compute(*blocks), strict=True)
    dark = reduce(add, darks)
    if not dark.counts.any():
        raise UserError(f"{package.name}: shows nothing of the region to read; check its RPC")
    bright = np.zeros(grid.shape, bool)
    for place, here in zip(places(images[0]), brights, strict=True):
        bright[place] = here
    return dark, reduce(add, moments), bright


def _looked_at(
    radiometry: ToaCoefficients, numbers: np.ndarray, pan: np.ndarray | None = None
) -> tuple[DarkPixels, Moments, np.ndarray]:
    top = radiometry.applied(numbers)
    moments = Moments.of(top, np.full(top.shape[1:], np.nan, np.float32) if pan is None else pan)
    return DarkPixels.of(to_dn(top)), moments, is_bright(top, numbers >= SATURATED_DN)


def _atmosphere(package: Package, settings: AcquireSettings, dark: DarkPixels, terrain: Terrain) -> Atmosphere:
    seen = package.mss.metadata
    sensor = SENSORS[seen.sensor]
    centre = np.array([sensor.centre_nm[sensor.bands.index(b)] for b in MSS_BANDS])
    match settings.haze:
        case "dark-object":
            return dark_object(dark.reflectance(), centre)
        case "rayleigh":
            if seen.incidence_deg is None or seen.view_azimuth_deg is None:
                raise UserError(
                    f"{package.name}: its metadata do not say where the satellite stood, which acquire.haze 'rayleigh' "
                    "needs; choose 'dark-object' or 'none'"
                )
            height = (terrain.lowest_m + terrain.highest_m) / 2
            return rayleigh(
                centre, seen.sun_zenith_deg, seen.sun_azimuth_deg, seen.incidence_deg, seen.view_azimuth_deg, height
            )
    return no_correction(len(MSS_BANDS))


def _notes(radiometry: ToaCoefficients, atmosphere: Atmosphere, geometry: str, method: str) -> dict[str, str]:
    subtracted = ", ".join(f"{band} {path:.4f}" for band, path in zip(MSS_BANDS, atmosphere.path, strict=True))
    notes = {
        "radiometry": atmosphere.label,
        "path_reflectance": subtracted,
        "calibration": f"coefficients of {radiometry.calibration_year}",
        "orthorectification": geometry,
        "pansharpening": method,
    }
    if radiometry.warning:
        notes["calibration_warning"] = radiometry.warning
    return notes


def _open(image: PackageImage, files: dict[str, Path], bands: int) -> Camera:
    """Open an image and check it against its metadata."""
    try:
        src = ImageFile(files[image.tiff], image.tiff)
    except UserError:
        raise UserError(f"{image.tiff}: not a GeoTIFF that can be read; copy the package again") from None
    expected = (bands, image.metadata.rows, image.metadata.cols)
    if (src.count, *src.shape) != expected:
        raise UserError(
            f"{image.tiff}: has {src.count} bands of {src.shape[0]} x {src.shape[1]} pixels, its metadata says "
            f"{expected[0]} of {expected[1]} x {expected[2]}; copy the package again"
        )
    return Camera(src, image.rpc)


def _ground_grid(region: BaseGeometry, gsd_m: float) -> GeoBox:
    """Return the UTM grid around a region, its edges on multiples of the MSS pixel so that grids nest."""
    utm = local_utm(region)
    west, south, east, north = reproject(region, LON_LAT, utm).bounds
    left, top = math.floor(west / MSS_GSD_M), math.ceil(north / MSS_GSD_M)
    cols, rows = math.ceil(east / MSS_GSD_M) - left, top - math.floor(south / MSS_GSD_M)
    per_pixel = round(MSS_GSD_M / gsd_m)
    affine = Affine(gsd_m, 0, left * MSS_GSD_M, 0, -gsd_m, top * MSS_GSD_M)
    return GeoBox((rows * per_pixel, cols * per_pixel), affine, f"EPSG:{utm.to_epsg()}")
