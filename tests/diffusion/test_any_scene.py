"""The same input gives the same reflectance, whichever command reads it: a table."""

import json
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from made_scenes import (
    BANDS,
    ESA,
    SIDE,
    cdse,
    dn,
    earth_search_v0,
    earth_search_v1,
    old_safe,
    planetary_computer,
    safe,
    truth,
    write,
    zipped,
)
from rasterio.warp import transform_geom
from shapely.geometry import box, mapping
from test_scenes import make_model

from crossres import cli
from crossres.rasters import read_scene

GROUND = truth(7)
HERE = mapping(box(500_000, 4_000_000 - 10 * SIDE, 500_000 + 10 * SIDE, 4_000_000))
GRANULE = "GRANULE/*"


def granule(product: Path) -> Path:
    return next(product.glob(GRANULE))


def by_hand(folder: Path) -> Path:
    for band, values in zip(BANDS, dn(GROUND), strict=True):
        write(folder / f"{ESA[band]}.tif", values, nodata=0)
    return folder


def with_footprint(item: Path) -> Path:
    """Give an item a footprint, as catalogues do, so that all of it is asked for by both commands."""
    content = json.loads(item.read_text())
    content["geometry"] = transform_geom("EPSG:32650", "EPSG:4326", HERE)
    item.write_text(json.dumps(content))
    return item


TABLE: dict[str, Callable[[Path], Path]] = {
    "SAFE, L1C of 2015": lambda to: old_safe(to, GROUND),
    "SAFE, L1C of 2015, zip": lambda to: zipped(old_safe(to, GROUND)),
    "SAFE, L2A of 2016": lambda to: old_safe(to, GROUND, "L2A"),
    "SAFE, L1C of 2017": lambda to: safe(to, GROUND, "L1C", 0, baseline="02.06"),
    "SAFE, L2A of 2021": lambda to: safe(to, GROUND, offset=0, baseline="03.01"),
    "SAFE, L2A of 2021, zip": lambda to: zipped(safe(to, GROUND, offset=0, baseline="03.01")),
    "SAFE, L1C of 2026": lambda to: safe(to, GROUND, "L1C", baseline="05.12"),
    "SAFE, L1C of 2026, zip": lambda to: zipped(safe(to, GROUND, "L1C", baseline="05.12")),
    "SAFE, L2A of 2026": lambda to: safe(to, GROUND, baseline="05.12"),
    "SAFE, L2A of 2026, zip": lambda to: zipped(safe(to, GROUND, baseline="05.12")),
    "SAFE, granule of an L2A": lambda to: granule(safe(to, GROUND)),
    "SAFE, granule of an L1C of 2015": lambda to: granule(old_safe(to, GROUND)),
    "Earth Search v0": lambda to: earth_search_v0(to, GROUND),
    "Earth Search v1, offset applied, and so it says": lambda to: earth_search_v1(
        to, GROUND, **{"earthsearch:boa_offset_applied": True}
    ),
    "Earth Search v1, offset applied, and it denies it": lambda to: earth_search_v1(
        to, GROUND, **{"earthsearch:boa_offset_applied": False}
    ),
    "Earth Search v1, Collection 1": lambda to: earth_search_v1(to, GROUND, 1000),
    "Planetary Computer": lambda to: planetary_computer(to, GROUND),
    "CDSE": lambda to: cdse(to, GROUND),
    "GeoTIFF": lambda to: write(to / "a.tif", dn(GROUND), names=BANDS, nodata=0),
    "GeoTIFF of reflectance": lambda to: write(to / "a.tif", GROUND.astype(np.float32), names=BANDS),
    "bands by hand": by_hand,
    "bands by hand, zip": lambda to: zipped(by_hand(to / "bands")),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("models") / "x4", Fraction(4))


def run(monkeypatch, *arguments) -> None:
    """Run a command as it is typed."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # the command line sets its own
    cli.main([str(argument) for argument in arguments])


@pytest.mark.parametrize("kind", TABLE)
def test_download_and_super_resolve_give_the_same_reflectance(tmp_path, kind, model, monkeypatch):
    scene = TABLE[kind](tmp_path / "in")
    if scene.name == "item.json":
        with_footprint(scene)
    run(monkeypatch, "download", "--item", scene, "--output", tmp_path / "scene")
    run(
        monkeypatch, "super-resolve", scene, "--checkpoint", model, "--output", tmp_path / "sr",
        "--start", "nearest", "--samples", "1",
    )  # fmt: skip
    downloaded = read_scene(tmp_path / "scene" / "reflectance.tif")
    np.testing.assert_allclose(downloaded.values, GROUND, atol=1e-4)
    product = read_scene(tmp_path / "sr" / "mean.tif")
    assert product.bands == downloaded.bands == BANDS
    # A product of nearest neighbours keeps the pixels of its scene.
    np.testing.assert_array_equal(product.values[:, 2::4, 2::4], downloaded.values)
    assert product.grid.boundingbox == downloaded.grid.boundingbox
