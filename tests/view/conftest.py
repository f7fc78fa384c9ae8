"""A run's folder with pairs and products whose pixels are known, on a grid of 2.5 m."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine

from crossres.imagery.numbers import REFLECTANCE_DN, STD_DN, SUPPORT, Mask
from crossres.imagery.raster import write_cog, write_mask

BANDS = ("blue", "green", "red", "nir")
SHAPE = (280, 320)
"""Of HR; LR is four times coarser."""
LEFT, TOP = 500000.0, 4000000.0


def grid_of(factor: int = 1) -> GeoBox:
    shape = SHAPE[0] // factor, SHAPE[1] // factor
    return GeoBox(shape, Affine(2.5 * factor, 0, LEFT, 0, -2.5 * factor, TOP), "EPSG:32650")


def image_of(factor: int = 1) -> np.ndarray:
    """Return reflectance that rises to the right in red, downwards in green, and differs by band."""
    rows, cols = np.indices((SHAPE[0] // factor, SHAPE[1] // factor)) * factor
    red, green = 0.1 + 0.3 * cols / SHAPE[1], 0.1 + 0.2 * rows / SHAPE[0]
    return np.stack([np.full_like(red, 0.15), green, red, red + green])


def write_pair(folder: Path) -> None:
    for name, factor in (("lr", 4), ("hr", 1)):
        write_cog(
            folder / f"{name}.tif", REFLECTANCE_DN.numbers(image_of(factor)), grid_of(factor), BANDS, REFLECTANCE_DN
        )
    mask = np.full((SHAPE[0] // 4, SHAPE[1] // 4), Mask.CLEAR, np.uint8)
    mask[:, -10:] = Mask.CLOUD
    write_mask(folder / "mask.tif", mask, grid_of(4))


def write_product(folder: Path, samples: int, lr: str) -> None:
    numbers = REFLECTANCE_DN.numbers(image_of() + 0.01)
    numbers[:, :20, :20] = 0
    for name in ("mean", "sample"):
        write_cog(folder / f"{name}.tif", numbers, grid_of(), BANDS, REFLECTANCE_DN)
    std = STD_DN.numbers(np.full((4, *SHAPE), 0.02 * (samples > 1)))
    write_cog(folder / "std.tif", std, grid_of(), BANDS, STD_DN)
    if samples > 1:
        support = np.stack([np.full(SHAPE, value) for value in (0.01, 0.02, 0.03)])
        write_cog(folder / "support.tif", STD_DN.numbers(support), grid_of(), SUPPORT, STD_DN)
    links = [{"rel": "derived_from", "title": "LR scene", "href": lr}]
    start = folder.name if folder.name == "bicubic" else "lr"
    said = {"crossres:samples": samples, "crossres:settings": {"start": start}}
    (folder / "item.json").write_text(json.dumps({"properties": said, "links": links}))


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a run: pairs in `aligned`, products in `sr`, by their paths below these."""

    def make(pairs: tuple[str, ...], products: dict[str, int]) -> Path:
        run = tmp_path / "run"
        for pair in pairs:
            (run / pair).mkdir(parents=True)
            write_pair(run / pair)
        for product, samples in products.items():
            (run / product).mkdir(parents=True)
            write_product(run / product, samples, "../../../aligned/a/lr.tif")
        return run

    return make
