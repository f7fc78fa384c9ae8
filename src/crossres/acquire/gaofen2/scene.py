"""A Gaofen-2 L1A package as a scene: calibrated, corrected for haze, orthorectified and pansharpened."""

import logging
import math
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.errors import NotGeoreferencedWarning
from rasterio.transform import Affine
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from crossres.acquire.blocks import blocks, grown, inner
from crossres.acquire.gaofen2.atmosphere import Atmosphere, DarkPixels, dark_object, no_correction, rayleigh
from crossres.acquire.gaofen2.bright_clouds import cloud_mask, is_bright
from crossres.acquire.gaofen2.package import Package, PackageImage, read_package, unpacked
from crossres.acquire.gaofen2.pansharpen import (
    RATIO,
    Moments,
    Sharpening,
    as_sharp_as_bands,
    fit_sharpening,
    lowpass_radius_px,
    sharpen,
)
from crossres.acquire.gaofen2.refine import Camera, on_reference, on_same_ground
from crossres.acquire.gaofen2.toa import Radiometry, mss_radiometry
from crossres.acquire.orthorectification.orthorectify import orthorectify
from crossres.acquire.orthorectification.terrain import Terrain, terrain_for
from crossres.acquire.regions import LON_LAT, local_utm, reproject
from crossres.acquire.scene_files import SceneWriter
from crossres.errors import UserError
from crossres.foreign_raster import open_foreign
from crossres.grids import crop
from crossres.imagery.numbers import NODATA, Mask, to_dn
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
    with ExitStack() as stack:
        files = unpacked(package, [package.mss] if method == "none" else [package.mss, package.pan], scratch)
        mss = _open(stack, package.mss, files, len(MSS_BANDS))
        pan = None if method == "none" else _open(stack, package.pan, files, 1)
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
                _write_mss(scene, mss, terrain, radiometry, atmosphere, order, clouds)
            else:
                assert method != "none"
                fitted = fit_sharpening(method, moments, mtf, atmosphere.path, atmosphere.transmittance)
                _write_sharpened(scene, mss, pan, terrain, radiometry, atmosphere, fitted, order, clouds)


def _survey(
    package: Package,
    mss: Camera,
    pan: Camera | None,
    grid: GeoBox,
    terrain: Terrain,
    radiometry: Radiometry,
    mtf: float,
) -> tuple[DarkPixels, Moments, np.ndarray]:
    """Go through the scene once at MSS pixel size, for its darkest pixels, for what pansharpening is fitted on, and for
    where it is as bright as cloud.
    """
    bright = np.zeros(grid.shape, bool)
    dark, moments = DarkPixels(len(MSS_BANDS)), Moments(len(MSS_BANDS))
    margin = lowpass_radius_px(mtf)
    for window in blocks(grid, "survey"):
        numbers = orthorectify(mss.src, mss.rpc, crop(grid, window), terrain)
        top = radiometry.applied(numbers)
        dark.add(to_dn(top))
        bright[window.toslices()] = is_bright(top, numbers >= SATURATED_DN)
        if pan is not None:
            wide = crop(grid, grown(window, margin))
            mean = orthorectify(pan.src, pan.rpc, wide, terrain, Resampling.average)
            moments.add(top, as_sharp_as_bands(mean[0], mtf)[inner(window, margin)[1:]])
    if not dark.counts.any():
        raise UserError(f"{package.name}: shows nothing of the region to read; check its RPC")
    return dark, moments, bright


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


def _notes(radiometry: Radiometry, atmosphere: Atmosphere, geometry: str, method: str) -> dict[str, str]:
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


def _open(stack: ExitStack, image: PackageImage, files: dict[str, Path], bands: int) -> Camera:
    """Open an image and check it against its metadata."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            src = stack.enter_context(open_foreign(files[image.tiff], ("GTiff", "JP2OpenJPEG"), placed=False))
        except UserError:
            raise UserError(f"{image.tiff}: not a GeoTIFF that can be read; copy the package again") from None
    expected = (bands, image.metadata.rows, image.metadata.cols)
    if (src.count, *src.shape) != expected:
        raise UserError(
            f"{image.tiff}: has {src.count} bands of {src.height} x {src.width} pixels, its metadata says "
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


def _write_mss(
    scene: SceneWriter, mss: Camera, terrain: Terrain, radiometry: Radiometry, atmosphere: Atmosphere,
    order: list[int], clouds: np.ndarray,
) -> None:  # fmt: skip
    for window in blocks(scene.grid, "MSS"):
        top = radiometry.applied(orthorectify(mss.src, mss.rpc, crop(scene.grid, window), terrain))
        _write(scene, window, atmosphere.surface(atmosphere.below_haze(top))[order], clouds[window.toslices()])


def _write_sharpened(
    scene: SceneWriter, mss: Camera, pan: Camera, terrain: Terrain, radiometry: Radiometry, atmosphere: Atmosphere,
    fitted: Sharpening, order: list[int], clouds: np.ndarray,
) -> None:  # fmt: skip
    """Write the pansharpened scene; blocks overlap by the low-pass, so they leave no seams."""
    margin = lowpass_radius_px(fitted.mtf)
    for window in blocks(scene.grid, "pansharpening"):
        part = crop(scene.grid, grown(window, margin))
        detail = orthorectify(pan.src, pan.rpc, part, terrain)[0]
        below = atmosphere.below_haze(radiometry.applied(orthorectify(mss.src, mss.rpc, part, terrain)))
        sharp = atmosphere.surface(sharpen(fitted, below, detail)[inner(window, margin)])
        rows, cols = (slice(s.start // RATIO, -(-s.stop // RATIO)) for s in window.toslices())
        _write(scene, window, sharp[order], clouds[rows, cols].repeat(RATIO, 0).repeat(RATIO, 1))


def _write(scene: SceneWriter, window: Window, reflectance: np.ndarray, clouds: np.ndarray) -> None:
    numbers = to_dn(reflectance)
    clear = np.where(clouds, np.uint8(Mask.CLOUD), np.uint8(Mask.CLEAR))
    scene.write(window, numbers, np.where((numbers == NODATA).any(axis=0), np.uint8(Mask.NODATA), clear))
