"""How much of a pair's overlap is cloud: by the scene classification over it, not by the scene's percentage."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.features import geometry_mask
from rasterio.transform import Affine
from shapely.geometry.base import BaseGeometry

from crossres.acquire.bands.assets import class_asset
from crossres.acquire.bands.class_masks import as_classes
from crossres.acquire.pairing.candidates import Candidate
from crossres.acquire.regions import LON_LAT, crs_of, reproject
from crossres.acquire.remote.asset import asset_raster
from crossres.errors import UserError
from crossres.grids import crop, whole_window

log = logging.getLogger(__name__)

LONGEST_SIDE = 512
"""Side of the decimated window that is read, in pixels: from an overview where there is one."""
NO_DATA = 0


@dataclass(frozen=True)
class OverlapCloud:
    """What the LR scene shows of an overlap."""

    percent: float | None
    """Cloud and its shadow in percent of the valid pixels; None when nothing is known of it."""
    source: str | None
    """Where the percentage is from: `SCL` over the overlap, or `eo:cloud_cover` of the whole scene."""
    valid_share: float = 1.0
    """Share of the overlap that has data."""


def of_scene(scene: Candidate) -> OverlapCloud:
    """Return the percentage that the item gives of the whole scene."""
    return OverlapCloud(scene.cloud_percent, None if scene.cloud_percent is None else "eo:cloud_cover")


def read_overlap(scene: Candidate, region: BaseGeometry, cloud_classes: Sequence[int]) -> OverlapCloud:
    """Read a scene's classification over a region in degrees; parts of a mosaic fill each other's gaps.

    Where it cannot be read, the percentage of the scene stands in, and a warning says so.
    """
    seen: np.ndarray | None = None
    try:
        for part in (scene, *scene.parts):
            found = _classes(part, region)
            if seen is None:
                seen = found
            elif found is not None and found.shape == seen.shape:  # parts of one tile have one grid
                seen = np.where(seen[0] == NO_DATA, found, seen)
    except UserError as error:
        log.warning("%s: its eo:cloud_cover is taken for the overlap, since %s", scene.id, error)
        return of_scene(scene)
    if seen is None:
        return of_scene(scene)
    inside = seen[1] > 0
    valid = inside & (seen[0] != NO_DATA)
    clouded = valid & np.isin(seen[0], cloud_classes)
    percent = 100.0 * clouded.sum() / valid.sum() if valid.any() else 100.0
    return OverlapCloud(float(percent), "SCL", float(valid.sum() / max(inside.sum(), 1)))


def _classes(part: Candidate, region: BaseGeometry) -> np.ndarray | None:
    """Return the decimated classes and where the region is, (2, row, column); None where the part has none there."""
    place = class_asset(part.resolved_item())
    if place is None:
        return None
    with asset_raster(str(place.asset["href"])) as src:
        grid = GeoBox.from_rio(src)
        outline = reproject(region, LON_LAT, crs_of(grid))
        window = whole_window(grid, outline)
        if window is None:
            return None
        step = max(1.0, max(window.height, window.width) / LONGEST_SIDE)
        shape = (max(1, round(window.height / step)), max(1, round(window.width / step)))
        read = src.read(place.index + 1, window=window, out_shape=shape, resampling=Resampling.nearest)
        classes = as_classes(read, place.asset)
    decimated = crop(grid, window).affine * Affine.scale(window.width / shape[1], window.height / shape[0])
    inside = geometry_mask([outline], shape, decimated, all_touched=True, invert=True)
    return np.stack([classes, inside.astype(classes.dtype)])
