"""A Gaofen-2 L1A package as a scene: calibrated, corrected for haze, orthorectified and pansharpened."""

import logging
import math
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError
from rasterio.rpc import RPC
from rasterio.transform import Affine
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry
from tqdm import tqdm

from crossres.acquire.gaofen2_package import Package, PackageImage, read_package, unpacked
from crossres.acquire.orthorectify import orthorectify
from crossres.acquire.pansharpen import RATIO, Sharpening, fit_sharpening, lowpass_radius_px, sharpen
from crossres.acquire.regions import LON_LAT, local_utm, reproject
from crossres.acquire.scene_files import Acquired
from crossres.acquire.terrain import Terrain, terrain_for
from crossres.acquire.toa import Radiometry, mss_radiometry, path_reflectance
from crossres.errors import UserError
from crossres.grids import crop
from crossres.rasters import NODATA, Mask, to_dn
from crossres.sensors.gaofen2 import MSS_BANDS, SENSORS
from crossres.settings.acquire import AcquireSettings

log = logging.getLogger(__name__)

MSS_GSD_M = 3.2
PAN_GSD_M = MSS_GSD_M / RATIO
BLOCK_PX = 1024
"""Side of the blocks that are worked on, in pixels of the grid at hand: memory does not grow with the scene."""


@dataclass(frozen=True)
class _Camera:
    """An open image and its geometry."""

    src: rasterio.DatasetReader
    rpc: RPC


def read_gaofen2(
    path: Path,
    region: BaseGeometry,
    bands: tuple[str, ...],
    target_gsd_m: float,
    settings: AcquireSettings,
    dem: str | None,
    scratch: Path,
) -> Acquired:
    """Read a region (in degrees) of a package onto its UTM zone, at 0.8 m, or 3.2 m without pansharpening.

    PAN brings nothing to a target of 3.2 m or coarser, and is then left out. Temporary files go into `scratch`.
    Raises `UserError` for a package, calibration or DEM that cannot be used.
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
    images = [package.mss] if method == "none" else [package.mss, package.pan]
    with ExitStack() as stack:
        files = unpacked(package, images, scratch)
        mss = _open(stack, package.mss, files, len(MSS_BANDS))
        coarse = _mss_reflectance(mss, mss_grid, terrain, radiometry)
        if not np.isfinite(coarse).all(axis=0).any():
            raise UserError(f"{package.name}: shows nothing of the region to read; check its RPC")
        haze = _haze(package, settings, coarse)
        order = [MSS_BANDS.index(band) for band in bands]
        if method == "none":
            grid = mss_grid
            numbers = to_dn(coarse[order] - haze[order])
        else:
            grid = _ground_grid(region, PAN_GSD_M)
            pan = _open(stack, package.pan, files, 1)
            mtf = float(np.mean(SENSORS[package.mss.metadata.sensor].mtf[: len(MSS_BANDS)]))
            fitted = fit_sharpening(method, coarse - haze, _mean_pan(pan, mss_grid, terrain), mtf)
            numbers = _sharpened(mss, pan, grid, terrain, radiometry, haze, fitted, order)
    mask = np.where((numbers == NODATA).any(axis=0), np.uint8(Mask.NODATA), np.uint8(Mask.CLEAR))
    return Acquired(numbers, mask, grid, _notes(settings, radiometry, haze, terrain, method))


def _notes(
    settings: AcquireSettings, radiometry: Radiometry, haze: np.ndarray, terrain: Terrain, pansharpening: str
) -> dict[str, str]:
    subtracted = ", ".join(f"{band} {h:.4f}" for band, h in zip(MSS_BANDS, haze.ravel(), strict=True))
    return {
        "radiometry": f"top of atmosphere, calibration of {radiometry.calibration_year}; "
        f"haze {settings.haze}: {subtracted}",
        "orthorectification": f"RPC, {terrain.note}, cubic",
        "pansharpening": pansharpening,
    }


def _open(stack: ExitStack, image: PackageImage, files: dict[str, Path], bands: int) -> _Camera:
    """Open an image and check it against its metadata."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            src = stack.enter_context(rasterio.open(files[image.tiff], driver="GTiff"))
        except RasterioIOError:
            raise UserError(f"{image.tiff}: not a GeoTIFF that can be read; copy the package again") from None
    expected = (bands, image.metadata.rows, image.metadata.cols)
    if (src.count, *src.shape) != expected:
        raise UserError(
            f"{image.tiff}: has {src.count} bands of {src.height} x {src.width} pixels, its metadata says "
            f"{expected[0]} of {expected[1]} x {expected[2]}; copy the package again"
        )
    return _Camera(src, image.rpc)


def _ground_grid(region: BaseGeometry, gsd_m: float) -> GeoBox:
    """Return the UTM grid around a region, its edges on multiples of the MSS pixel so that grids nest."""
    utm = local_utm(region)
    west, south, east, north = reproject(region, LON_LAT, utm).bounds
    left, top = math.floor(west / MSS_GSD_M), math.ceil(north / MSS_GSD_M)
    cols, rows = math.ceil(east / MSS_GSD_M) - left, top - math.floor(south / MSS_GSD_M)
    per_pixel = round(MSS_GSD_M / gsd_m)
    affine = Affine(gsd_m, 0, left * MSS_GSD_M, 0, -gsd_m, top * MSS_GSD_M)
    return GeoBox((rows * per_pixel, cols * per_pixel), affine, f"EPSG:{utm.to_epsg()}")


def _mss_reflectance(mss: _Camera, grid: GeoBox, terrain: Terrain, radiometry: Radiometry) -> np.ndarray:
    """Return top-of-atmosphere reflectance (band, row, column) on a grid."""
    values = np.empty((len(MSS_BANDS), *grid.shape), np.float32)

    def block(window: Window) -> None:
        numbers = orthorectify(mss.src, mss.rpc, crop(grid, window), terrain)
        values[:, *window.toslices()] = _calibrated(numbers, radiometry)

    _each_block(grid, "MSS", block)
    return values


def _calibrated(numbers: np.ndarray, radiometry: Radiometry) -> np.ndarray:
    gain = np.array([radiometry.gain[b] for b in MSS_BANDS], np.float32)[:, None, None]
    offset = np.array([radiometry.offset[b] for b in MSS_BANDS], np.float32)[:, None, None]
    return numbers * gain + offset


def _haze(package: Package, settings: AcquireSettings, coarse: np.ndarray) -> np.ndarray:
    """Return what to subtract from each band, (band, 1, 1)."""
    if settings.haze == "none":
        return np.zeros((len(MSS_BANDS), 1, 1), np.float32)
    sensor = SENSORS[package.mss.metadata.sensor]
    centre = np.array([sensor.centre_nm[sensor.bands.index(b)] for b in MSS_BANDS])
    return path_reflectance(coarse, centre).astype(np.float32)[:, None, None]


def _mean_pan(pan: _Camera, grid: GeoBox, terrain: Terrain) -> np.ndarray:
    """Return the mean PAN number over each pixel of the MSS grid."""
    mean = np.empty(grid.shape, np.float32)

    def block(window: Window) -> None:
        mean[window.toslices()] = orthorectify(pan.src, pan.rpc, crop(grid, window), terrain, Resampling.average)[0]

    _each_block(grid, "PAN at MSS pixels", block)
    return mean


def _sharpened(
    mss: _Camera,
    pan: _Camera,
    grid: GeoBox,
    terrain: Terrain,
    radiometry: Radiometry,
    haze: np.ndarray,
    fitted: Sharpening,
    order: list[int],
) -> np.ndarray:
    """Return the pansharpened scene as numbers; blocks overlap by the low-pass, so they leave no seams."""
    numbers = np.zeros((len(order), *grid.shape), np.uint16)
    radius = lowpass_radius_px(fitted.mtf)

    def block(window: Window) -> None:
        outer = Window(
            window.col_off - radius, window.row_off - radius, window.width + 2 * radius, window.height + 2 * radius
        )
        part = crop(grid, outer)
        detail = orthorectify(pan.src, pan.rpc, part, terrain)[0]
        bands = _calibrated(orthorectify(mss.src, mss.rpc, part, terrain), radiometry) - haze
        done = sharpen(fitted, bands, detail)[order, radius : radius + window.height, radius : radius + window.width]
        numbers[:, *window.toslices()] = to_dn(done)

    _each_block(grid, "pansharpening", block)
    return numbers


def _each_block(grid: GeoBox, name: str, work: Callable[[Window], None]) -> None:
    windows = list(_blocks(grid))
    for window in tqdm(windows, desc=name, unit="block", disable=not sys.stderr.isatty()):
        work(window)
    log.info("%s: %d blocks", name, len(windows))


def _blocks(grid: GeoBox) -> Iterator[Window]:
    rows, cols = grid.shape
    for row in range(0, rows, BLOCK_PX):
        for col in range(0, cols, BLOCK_PX):
            yield Window(col, row, min(BLOCK_PX, cols - col), min(BLOCK_PX, rows - row))
