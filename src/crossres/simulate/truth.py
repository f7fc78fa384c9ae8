"""What only a simulator knows, kept beside the products for tests; no stage of the pipeline reads it."""

from pathlib import Path
from typing import Any

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine

from crossres.files import write_json
from crossres.imagery.numbers import CODES
from crossres.imagery.raster import write_cog
from crossres.imagery.scene import make_scene, write_scene
from crossres.sensors.sentinel2 import BANDS_10M, S2A
from crossres.simulate.gaofen2.camera import LocationError
from crossres.simulate.land.landscape import Landscape
from crossres.simulate.land.surface import Surface
from crossres.simulate.optics import area_matrix, resample
from crossres.simulate.sites import Site

GSD_M, SHIFT_GSD_M = 2.5, 100.0


def write_truth(
    folder: Path, site: Site, landscape: Landscape, surface: Surface, error: LocationError, size_m: float,
    facts: dict[str, Any],
) -> None:  # fmt: skip
    """Write reflectance.tif (2.5 m, on Gaofen-2's day), changed.tif, shift_m.tif and truth.json."""
    size = int(size_m / GSD_M)
    margin = (landscape.object_m.shape[0] * landscape.gsd_m - size * GSD_M) / 2
    mean = area_matrix(landscape.object_m.shape[0], landscape.gsd_m, margin, size, GSD_M)
    values = np.stack([resample(mean, surface.reflectance(S2A, band), mean) for band in BANDS_10M])
    grid = _grid(site, size, GSD_M)
    write_scene(folder / "reflectance.tif", make_scene(values, grid, BANDS_10M, {"sensor": "truth"}))
    changed = resample(mean, landscape.changed.astype(np.float32), mean) > 0.5
    write_cog(folder / "changed.tif", changed[None], grid, ("changed",), CODES)

    knots = int(np.ceil(size_m / SHIFT_GSD_M))
    axis = (np.arange(knots) + 0.5 - knots / 2) * SHIFT_GSD_M
    shift = np.stack(np.broadcast_arrays(*error.shift_m(axis[None], -axis[:, None]))).astype(np.float32)
    write_cog(folder / "shift_m.tif", shift, _grid(site, knots, SHIFT_GSD_M), ("east", "north"))
    write_json(folder / "truth.json", facts)


def _grid(site: Site, size: int, gsd_m: float) -> GeoBox:
    left, top = site.east - size * gsd_m / 2, site.north + size * gsd_m / 2
    return GeoBox((size, size), Affine(gsd_m, 0, left, 0, -gsd_m, top), f"EPSG:{site.epsg}")
