"""An LR scene made of an HR scene: blurred by the MTF of a coarser sensor, sampled by its pixels, with its noise."""

import logging
import math
import zlib
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine
from scipy import sparse

from crossres.acquire.scene_files import new_scene, scene_pixels
from crossres.errors import UserError
from crossres.grids import gsd_m
from crossres.imagery.engine import store
from crossres.imagery.items import Item
from crossres.imagery.lr_fine import to_lr
from crossres.imagery.numbers import Mask, to_dn
from crossres.imagery.scene import open_scene
from crossres.operators import area
from crossres.sensors.mtf import lr_mtf
from crossres.settings.config import parse
from crossres.settings.search import DegradedSource

log = logging.getLogger(__name__)

DEGRADED_FROM, DEGRADED = "crossres:degraded_from", "crossres:degraded"
"""Properties of an LR item: the HR scene that it is made of, and how (`DegradedSource`)."""
FINEST = 10_000
"""Denominator of a factor, at most: off by a millionth of an HR pixel over the widest scene."""
TOUCHED = 1e-6
"""Share of an LR pixel above which an HR pixel lies in it: less is rounding."""


def degrade(hr: Path, item: Item, item_path: Path, bands: tuple[str, ...], folder: Path) -> None:
    """Write the LR scene that `item` describes into `folder`, from the folder of its HR scene.

    Its grid begins at the HR scene's corner. Each band is a Gaussian of the sensor's MTF (`operators.through_mtf`) over
    HR pixels, clear or not, and has the noise of the same scene each time. An LR pixel that a masked HR pixel lies in,
    or a part of it, has that mask; no data goes before cloud, cloud before the rest. Memory holds rows of blocks.
    Raises `UserError` for an HR scene whose pixels are not square metres finer than the sensor's.
    """
    how = parse(item["properties"].get(DEGRADED), str(item_path), DegradedSource)
    fine = open_scene(hr, bands)
    grid, factor = lr_grid(fine.odc.geobox, how.gsd_m, str(item["properties"][DEGRADED_FROM]))
    mtf = lr_mtf(how.mtf, how.sensor, bands)
    low = to_lr(fine.reflectance.data, factor, mtf)
    codes = worst_codes(fine.mask.data, factor, low.chunks[1:])
    pixels = da.map_blocks(
        partial(_pixels, noise=how.noise, seed=zlib.crc32(item["id"].encode())), low, codes[None], dtype=np.uint16,
        chunks=((len(bands) + 1,), *low.chunks[1:]), meta=np.empty((0, 0, 0), np.uint16),
    )  # fmt: skip
    with new_scene(folder, item, item_path, bands, grid) as scene:
        store([pixels], [scene], "degrade")
        scene.notes |= {
            "degraded_from": str(item["properties"][DEGRADED_FROM]),
            "degraded_by": f"MTF at Nyquist {', '.join(f'{own:g}' for own in mtf)}; noise {how.noise:g}",
        }
        if not scene.has_data:
            raise UserError(f"scene {item['id']}: no pixel of {how.gsd_m:g} m has data; remove its HR scene")
    log.info("%s: made of %s, %s", item["id"], scene.notes["degraded_from"], scene.notes["degraded_by"])


def lr_grid(hr: GeoBox, pixel_m: float, name: str) -> tuple[GeoBox, Fraction]:
    """Return the grid of whole LR pixels from the corner of an HR grid on, and how many HR pixels are along one."""
    a = hr.affine
    sides = math.hypot(a.a, a.d), math.hypot(a.b, a.e)
    if not all(math.isclose(side, gsd_m(hr), rel_tol=1e-6) for side in sides):
        raise UserError(
            f"scene {name}: cannot be degraded, since its pixels are not square, or its CRS is not in metres on the "
            "ground; bring it to UTM first, for example with `rio warp FILE NEW --dst-crs EPSG:32650 "
            "--resampling cubic`"
        )
    factor = Fraction(pixel_m / sides[0]).limit_denominator(FINEST)
    rows, cols = (int(n / factor) for n in hr.shape)
    if factor <= 1 or not rows or not cols:
        raise UserError(
            f"scene {name}: {hr.shape[0]} x {hr.shape[1]} pixels of {sides[0]:g} m make no pixel of {pixel_m:g} m; "
            "set search.lr.gsd_m, or remove it"
        )
    return GeoBox((rows, cols), a @ Affine.scale(pixel_m / sides[0]), hr.crs), factor


def worst_codes(mask: da.Array, factor: Fraction, chunks: Any) -> da.Array:
    """Return, for each LR pixel, the worst of the (row, column) `Mask` codes of the HR pixels in it, in these chunks.

    The lower code is the worse, but for clear.
    """
    along = [_parts(sum(sizes), factor, sizes) for sizes in chunks]
    called = dask.delayed(_worst, pure=True, traverse=False)
    return da.block([
        [
            da.from_delayed(
                called(mask[top, left].rechunk(-1).to_delayed(optimize_graph=False).item(), down, across),
                (down.shape[0], across.shape[0]), np.uint8, meta=np.empty((0, 0), np.uint8),
            )
            for left, across in along[1]
        ]
        for top, down in along[0]
    ])  # fmt: skip


def _parts(count: int, factor: Fraction, sizes: tuple[int, ...]) -> list[tuple[slice, sparse.csr_matrix]]:
    """Return, for each chunk of LR pixels of an axis, the HR pixels they reach and a matrix of which lie in which."""
    inside = area(count, factor).sparse() > TOUCHED
    edges = np.concatenate([[0], np.cumsum(sizes)])
    found = []
    for start, stop in zip(edges[:-1], edges[1:], strict=True):
        own = inside[start:stop]
        first, last = int(own.indices.min()), int(own.indices.max()) + 1
        found.append((slice(first, last), own[:, first:last].astype(np.float32)))
    return found


def _worst(mask: np.ndarray, down: sparse.csr_matrix, across: sparse.csr_matrix) -> np.ndarray:
    low = np.full((down.shape[0], across.shape[0]), Mask.CLEAR, np.uint8)
    for code in np.unique(mask[mask != Mask.CLEAR])[::-1]:  # the worst is written last
        low[down @ (mask == code).astype(np.float32) @ across.T > 0] = code
    return low


def _pixels(
    low: np.ndarray, codes: np.ndarray, noise: float, seed: int, block_id: tuple[int, ...] = (0, 0, 0)
) -> np.ndarray:
    """Return what a block of a scene is written from: its noise depends on the scene and its place alone."""
    rng = np.random.default_rng([seed, *block_id])
    return scene_pixels(to_dn(low + noise * rng.standard_normal(low.shape, np.float32)), codes[0])
