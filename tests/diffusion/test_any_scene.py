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
    PLACE,
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
from rasterio.transform import from_origin
from rasterio.warp import transform_geom
from shapely.geometry import box, mapping
from test_scenes import make_model

from crossres import cli
from crossres.imagery.scene import bands_of, open_scene

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


@pytest.fixture
def run(monkeypatch):
    """Return a command line, which runs as it is typed."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # it sets its own
    return lambda *arguments: cli.main([str(argument) for argument in arguments])


@pytest.fixture
def super_resolve(run, model):
    """Return `super-resolve` of one scene into a folder, whose product keeps the scene's own pixels."""
    options = ("--checkpoint", model, "--start", "nearest", "--samples", "1")
    return lambda scene, output: run("super-resolve", scene, "--output", output, *options)


@pytest.mark.parametrize("kind", TABLE)
def test_download_and_super_resolve_give_the_same_reflectance(tmp_path, kind, run, super_resolve):
    scene = TABLE[kind](tmp_path / "in")
    if scene.name == "item.json":
        with_footprint(scene)
    run("download", "--item", scene, "--output", tmp_path / "scene")
    super_resolve(scene, tmp_path / "sr")
    downloaded = open_scene(tmp_path / "scene" / "reflectance.tif")
    np.testing.assert_allclose(downloaded.reflectance.values, GROUND, atol=1e-4)
    product = open_scene(tmp_path / "sr" / "mean.tif")
    assert bands_of(product) == bands_of(downloaded) == BANDS
    # Of nearest neighbours the one at the middle of each block of 4 x 4 is the scene's own.
    np.testing.assert_array_equal(product.reflectance.values[:, 2::4, 2::4], downloaded.reflectance.values)
    assert product.odc.geobox.boundingbox == downloaded.odc.geobox.boundingbox


@pytest.mark.parametrize(
    ("crs", "place", "code"),
    [
        ("EPSG:4547", PLACE, "EPSG:4547"),
        ("EPSG:4526", from_origin(38_500_000, 4_000_000, 10, 10), "EPSG:4526"),
        ("EPSG:32650+5773", PLACE, None),  # with heights: no code means just this
        ("EPSG:3857", from_origin(1_200_000, 8_399_000, 20, 20), "EPSG:3857"),  # 10 m on the ground at 60 N
    ],
)
def test_products_name_their_projection_rightly_or_not_at_all(tmp_path, crs, place, code, super_resolve):
    scene = write(tmp_path / "a.tif", dn(GROUND), place, crs, names=BANDS, nodata=0)
    super_resolve(scene, tmp_path / "sr")
    properties = json.loads((tmp_path / "sr" / "item.json").read_text())["properties"]
    assert properties.get("proj:code") == code and properties["gsd"] == pytest.approx(2.5, rel=0.01)
    product = open_scene(tmp_path / "sr" / "mean.tif")
    np.testing.assert_allclose(product.reflectance.values[:, 2::4, 2::4], GROUND, atol=1e-4)
    assert (product.odc.geobox.affine.c, product.odc.geobox.affine.f) == (place.c, place.f)


REFUSED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "10 m of Web Mercator at 60 degrees north": (
        lambda to: write(to / "a.tif", dn(GROUND), from_origin(1_200_000, 8_399_000, 10, 10), "EPSG:3857", BANDS),
        "has pixels of 5.01 x 5 m on the ground, the model was trained for 10 m; resample the scene",
    ),
    "degrees": (
        lambda to: write(to / "a.tif", dn(GROUND), from_origin(114, 36, 1e-4, 1e-4), "EPSG:4490", BANDS),
        "its pixels are degrees, and the model needs metres; warp it",
    ),
    "a picture of 8 bits": (
        lambda to: write(to / "a.tif", np.rint(GROUND * 255).astype(np.uint8), names=BANDS),
        "as in a picture of 8 bits, or in percent; set scale and offset",
    ),
    "an image that is cut off": (
        lambda to: cut(next(safe(to, GROUND).rglob("*_B08_10m.jp2"))).parents[4],
        "_B08_10m.jp2: is damaged or cut off",
    ),
}


def cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:1000])
    return path


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_right_ends_in_one_line_and_nothing_stays(tmp_path, kind, super_resolve, capsys):
    make, line = REFUSED[kind]
    scene = make(tmp_path / "in")
    with pytest.raises(SystemExit) as caught:
        super_resolve(scene, tmp_path / "sr")
    said = capsys.readouterr().err
    assert caught.value.code == 1 and said.startswith("crossres super-resolve: error: ") and line in said
    assert said.count("\n") == 1 and "delete" not in said
    assert {path.name for path in tmp_path.iterdir()} == {"in"}
