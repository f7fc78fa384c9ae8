"""A landscape with texture at all scales, as two sensors see it, and scene folders made of it."""

from functools import cache
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine
from scipy import ndimage

from crossres.imagery.numbers import Mask
from crossres.imagery.raster import write_mask
from crossres.imagery.scene import bands_of, make_scene, open_scene, write_scene

BANDS = ("red", "nir")
LR_M, HR_M, SIDE_M = 10.0, 2.0, 1600.0
ORIGIN = (500_000.0, 4_000_000.0)


@cache
def landscape(seed: int, size: int) -> np.ndarray:
    """Return (band, row, column) reflectance with fields, edges and texture at all scales; bands partly independent."""
    rng = np.random.default_rng(seed)
    layers = []
    for _ in range(2):
        smooth = sum(
            s**0.6 * ndimage.gaussian_filter(rng.normal(size=(size, size)), s, mode="wrap") * s for s in (2, 5, 12, 30)
        )
        fields = ndimage.gaussian_filter(rng.normal(size=(size, size)), 18, mode="wrap")
        layers.append(0.05 * np.digitize(fields / fields.std(), (-1, -0.3, 0.4, 1.1)) + 0.02 * smooth / smooth.std())
    return np.stack([0.1 + layers[0], 0.2 + 0.6 * layers[1] - 0.4 * layers[0]]).astype(np.float32)


def write_folder(
    folder: Path,
    values: np.ndarray,
    gsd_m: float,
    offset_m: tuple[float, float] = (0, 0),
    mask: np.ndarray | None = None,
) -> Path:
    """Write a scene folder whose upper left corner is off by (east, north) metres."""
    grid = GeoBox(
        values.shape[1:], Affine(gsd_m, 0, ORIGIN[0] + offset_m[0], 0, -gsd_m, ORIGIN[1] + offset_m[1]), "EPSG:32650"
    )
    write_scene(folder / "reflectance.tif", make_scene(values, grid, BANDS, {"sensor": "test"}))
    write_mask(folder / "mask.tif", np.full(values.shape[1:], Mask.CLEAR) if mask is None else mask, grid)
    return folder


def pixels(path: Path) -> np.ndarray:
    """Return the (band, row, column) reflectance of a scene."""
    return open_scene(path).reflectance.values


def change(folder: Path, values: np.ndarray) -> None:
    """Write a scene folder's reflectance anew."""
    scene = open_scene(folder / "reflectance.tif")
    grid, names, tags = scene.odc.geobox, bands_of(scene), dict(scene.attrs)
    write_scene(folder / "reflectance.tif", make_scene(values.astype(np.float32), grid, names, tags))


def to_lr(hr: np.ndarray) -> np.ndarray:
    """Return what the LR sensor sees of an HR image: a Gaussian MTF of 0.25 at Nyquist, sampled at LR centres."""
    step = int(LR_M / HR_M)
    sigma = np.sqrt(-2 * np.log(0.25)) / np.pi * step
    blurred = ndimage.gaussian_filter(hr, (0, sigma, sigma), mode="nearest")
    return blurred[:, step // 2 :: step, step // 2 :: step]
