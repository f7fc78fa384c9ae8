"""Both cameras of a Gaofen-2 package brought onto a reference scene, and PAN onto MSS, by refining their RPCs."""

import logging
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.rpc import RPC
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from crossres.acquire.chip_matches import Chip
from crossres.acquire.orthorectification.image_file import ImageFile
from crossres.acquire.orthorectification.orthorectify import orthorectify
from crossres.acquire.orthorectification.rpc_refine import Refinement, refine_rpc
from crossres.acquire.orthorectification.terrain import Terrain
from crossres.acquire.regions import LON_LAT, crs_of, reproject
from crossres.errors import UserError
from crossres.grids import whole_window
from crossres.imagery.numbers import Mask
from crossres.imagery.scene import bands_of, crop, open_scene, select
from crossres.sensors.gaofen2 import MSS_BANDS

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Camera:
    """An image and its geometry."""

    src: ImageFile
    rpc: RPC


def on_reference(
    mss: Camera, pan: Camera | None, reference: Path, region: BaseGeometry, terrain: Terrain
) -> tuple[Camera, Camera | None, str]:
    """Return both cameras with what tie points of MSS with a scene (its folder) say, and a note on it.

    PAN and MSS stand on one satellite and share its error. With too few tie points nothing is changed.
    """
    there = open_scene(reference)
    full = there.odc.geobox
    window = whole_window(full, reproject(region, LON_LAT, crs_of(full)))
    if window is None:
        raise UserError(f"{reference}: does not reach the region to orthorectify; it is no reference for its RPC")
    rows, cols = window.toslices()
    grid = full[rows, cols]
    bands = [band for band in MSS_BANDS if band in bands_of(there)]
    if not bands:
        raise UserError(
            f"{reference}: shares no band with Gaofen-2 ({', '.join(MSS_BANDS)}); set acquire.refine_rpc: false"
        )
    order = [MSS_BANDS.index(band) for band in bands]

    def image(rpc: RPC) -> Chip:
        return partial(_seen, mss.src, rpc, terrain, Resampling.average, order)

    clear = partial(_clear, select(there, bands))
    found = refine_rpc(mss.rpc, mss.src.shape, image, clear, grid, terrain)
    note = _note("MSS", "its LR scene", found)
    refined = replace(mss, rpc=found.applied(mss.rpc, mss.src.shape, terrain))
    if pan is None:
        return refined, None, note
    scale = pan.src.shape[0] / mss.src.shape[0]
    return refined, replace(pan, rpc=found.applied(pan.rpc, pan.src.shape, terrain, scale)), note


def on_same_ground(pan: Camera, mss: Camera, grid: GeoBox, terrain: Terrain) -> tuple[Camera, str]:
    """Return PAN's camera with what tie points with MSS say, on the MSS grid, and a note on it."""

    def image(rpc: RPC) -> Chip:
        return partial(_seen, pan.src, rpc, terrain, Resampling.average, [0])

    found = refine_rpc(pan.rpc, pan.src.shape, image, partial(_mean_of_bands, mss, terrain), grid, terrain)
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


def _seen(
    src: ImageFile, rpc: RPC, terrain: Terrain, resampling: Resampling, order: list[int], part: GeoBox
) -> np.ndarray:
    return orthorectify(src, rpc, part, terrain, resampling)[order]


def _mean_of_bands(mss: Camera, terrain: Terrain, part: GeoBox) -> np.ndarray:
    return orthorectify(mss.src, mss.rpc, part, terrain).mean(axis=0, keepdims=True)


def _clear(scene: xr.Dataset, part: GeoBox) -> np.ndarray:
    """Return the clear pixels of a scene on a crop of its grid, NaN where there are none."""
    here = crop(scene, _window(scene.odc.geobox, part)).compute(scheduler="sync")
    return here.reflectance.where(here.mask == Mask.CLEAR).values


def _window(full: GeoBox, part: GeoBox) -> Window:
    """Return the window of a grid that a crop of it is."""
    col, row = ~full.affine @ (part.affine.c, part.affine.f)
    return Window(round(col), round(row), part.shape[1], part.shape[0])
