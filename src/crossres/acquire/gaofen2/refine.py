"""Both cameras of a Gaofen-2 package brought onto a reference scene, and PAN onto MSS, by refining their RPCs."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.rpc import RPC
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from crossres.acquire.orthorectification.orthorectify import orthorectify
from crossres.acquire.orthorectification.rpc_refine import Refinement, refine_rpc
from crossres.acquire.orthorectification.terrain import Terrain
from crossres.acquire.regions import LON_LAT, crs_of, reproject
from crossres.acquire.tie_points import Chip
from crossres.errors import UserError
from crossres.grids import crop, whole_window
from crossres.imagery.numbers import Mask
from crossres.imagery.raster import grid_of
from crossres.imagery.scene import read_mask
from crossres.rasters import read_scene
from crossres.sensors.gaofen2 import MSS_BANDS

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Camera:
    """An open image and its geometry."""

    src: rasterio.DatasetReader
    rpc: RPC


def on_reference(
    mss: Camera, pan: Camera | None, reference: Path, region: BaseGeometry, terrain: Terrain
) -> tuple[Camera, Camera | None, str]:
    """Return both cameras with what tie points of MSS with a scene (its folder) say, and a note on it.

    PAN and MSS stand on one satellite and share its error. With too few tie points nothing is changed.
    """
    path = reference / "reflectance.tif"
    full = grid_of(path)
    window = whole_window(full, reproject(region, LON_LAT, crs_of(full)))
    if window is None:
        raise UserError(f"{path}: does not reach the region to orthorectify; it is no reference for its RPC")
    grid = crop(full, window)
    with rasterio.open(path) as src:
        bands = [band for band in MSS_BANDS if band in src.descriptions]
    if not bands:
        raise UserError(f"{path}: shares no band with Gaofen-2 ({', '.join(MSS_BANDS)}); set acquire.refine_rpc: false")
    order = [MSS_BANDS.index(band) for band in bands]

    def scene(part: GeoBox) -> np.ndarray:
        here = _window(full, part)
        values = read_scene(path, here).select(bands).values
        values[:, read_mask(reference / "mask.tif", here) != Mask.CLEAR] = np.nan
        return values

    def image(rpc: RPC) -> Chip:
        return lambda part: orthorectify(mss.src, rpc, part, terrain, Resampling.average)[order]

    found = refine_rpc(mss.rpc, mss.src.shape, image, scene, grid, terrain)
    note = _note("MSS", "its LR scene", found)
    refined = replace(mss, rpc=found.applied(mss.rpc, mss.src.shape, terrain))
    if pan is None:
        return refined, None, note
    scale = pan.src.height / mss.src.height
    return refined, replace(pan, rpc=found.applied(pan.rpc, pan.src.shape, terrain, scale)), note


def on_same_ground(pan: Camera, mss: Camera, grid: GeoBox, terrain: Terrain) -> tuple[Camera, str]:
    """Return PAN's camera with what tie points with MSS say, on the MSS grid, and a note on it."""

    def bands(part: GeoBox) -> np.ndarray:
        return orthorectify(mss.src, mss.rpc, part, terrain).mean(axis=0, keepdims=True)

    def image(rpc: RPC) -> Chip:
        return lambda part: orthorectify(pan.src, rpc, part, terrain, Resampling.average)

    found = refine_rpc(pan.rpc, pan.src.shape, image, bands, grid, terrain)
    return replace(pan, rpc=found.applied(pan.rpc, pan.src.shape, terrain)), _note("PAN", "MSS", found)


def _note(image: str, reference: str, found: Refinement) -> str:
    if found.model == "none" and np.isnan(found.before_px):
        log.warning("%s: too few tie points with %s (%d): RPC as delivered", image, reference, found.tie_points)
        return f"{image} RPC as delivered, too few tie points with {reference} ({found.tie_points})"
    if found.model == "none":
        return (
            f"{image} RPC as delivered, {found.tie_points} tie points with {reference} agree "
            f"({found.before_px:.2f} px RMS)"
        )
    note = (
        f"{image} RPC refined ({found.model}) by {found.tie_points} tie points with {reference}: "
        f"{found.before_px:.2f} px before, {found.after_px:.2f} px held out after"
    )
    log.info(note)
    return note


def _window(full: GeoBox, part: GeoBox) -> Window:
    """Return the window of a grid that a crop of it is."""
    col, row = ~full.affine @ (part.affine.c, part.affine.f)
    return Window(round(col), round(row), part.shape[1], part.shape[0])
