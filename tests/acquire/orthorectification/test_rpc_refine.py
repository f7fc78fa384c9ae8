"""Tie points say how far an RPC is off, and the package is put where its reference has it."""

import json

import made_gaofen2
import numpy as np
import pytest
from made_gaofen2 import EPSG, GROUND_M, NAME, NORTH, WEST, write_archive
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.rpc import RPC
from rasterio.transform import from_origin
from scipy.ndimage import gaussian_filter, map_coordinates

from crossres.acquire.catalog import catalog_gaofen2
from crossres.acquire.chip_matches import match, match_chips
from crossres.acquire.download import download
from crossres.acquire.gaofen2.rpb import parse_rpb
from crossres.acquire.orthorectification.rpc import locate, mapped, project
from crossres.acquire.orthorectification.rpc_refine import refine_rpc
from crossres.acquire.orthorectification.terrain import Terrain
from crossres.imagery.numbers import Mask
from crossres.imagery.raster import write_mask
from crossres.imagery.scene import make_scene, open_scene, write_scene
from crossres.settings.acquire import AcquireSettings
from crossres.settings.grid import GridSettings

MSS_PX = 500
OFF = (5.0, -7.5)
"""What the delivered RPC gets wrong, in MSS rows and columns."""


def texture() -> np.ndarray:
    rng = np.random.default_rng(5)
    fine, broad = (gaussian_filter(rng.standard_normal((900, 900)), s) for s in (3.0, 12.0))
    return 0.2 + 0.04 * fine / fine.std() + 0.03 * broad / broad.std()


TEXTURE = texture()
"""The ground, in pixels of 2 m."""


def ground(x, y):
    """Return reflectance (4, ...) of a field that looks nowhere as it does elsewhere."""
    value = map_coordinates(TEXTURE, ((NORTH - y + 50) / 2, (x - WEST + 50) / 2), order=1, mode="nearest")
    return np.stack([0.5 * value, 0.7 * value, value, 0.5 - value])


def displaced(text: bytes, gsd: float) -> bytes:
    """Return an RPB that puts every point `OFF` MSS pixels away from where the image has it."""
    scale = made_gaofen2.MSS_GSD / gsd
    for key, off in (("lineOffset", OFF[0]), ("sampOffset", OFF[1])):
        text = text.replace(f"{key} = {0.0:.15f}".encode(), f"{key} = {off * scale:.15f}".encode())
    return text


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """Make a package with a displaced RPC, its item, and a reference of 10 m whose corner is under cloud."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(made_gaofen2, "reflectance", ground)
        patch.setattr(made_gaofen2, "MSS_PX", MSS_PX)
        files = made_gaofen2.members()
    for kind, gsd in (("PAN", made_gaofen2.PAN_GSD), ("MSS", made_gaofen2.MSS_GSD)):
        files[f"{NAME}-{kind}1.rpb"] = displaced(files[f"{NAME}-{kind}1.rpb"], gsd)
    files = {k: v.replace(b"2020-05-10 11:12:05", b"2023-05-10 11:12:05") for k, v in files.items()}
    folder = tmp_path_factory.mktemp("package")
    write_archive(folder / f"{NAME}.tar.gz", files)
    catalog_gaofen2(folder, folder / "catalog")

    grid = GeoBox((180, 180), from_origin(WEST - 100, NORTH + 100, 10, 10), f"EPSG:{EPSG}")
    step = 2.5
    x = grid.affine.c + (np.arange(720) + 0.5) * step
    y = grid.affine.f - (np.arange(720) + 0.5) * step
    seen = ground(*np.meshgrid(x, y)).reshape(4, 180, 4, 180, 4).mean((2, 4))
    values = (0.9 * seen[:3] + 0.03).astype(np.float32)  # another sensor, another day
    values[:, :60, :60] = 0.6
    mask = np.full(grid.shape, np.uint8(Mask.CLEAR))
    mask[:60, :60] = Mask.CLOUD
    write_scene(folder / "reference" / "reflectance.tif", make_scene(values, grid, ("blue", "green", "red")))
    write_mask(folder / "reference" / "mask.tif", mask, grid)
    return folder / "catalog" / "items" / f"{NAME}.json", folder / "reference"


SETTINGS = AcquireSettings(haze="none", height_m=GROUND_M)


def off_m(folder) -> tuple[float, float]:
    """Return how far a scene's content lies from the truth, in metres along rows and columns."""
    scene = open_scene(folder / "reflectance.tif")
    a, (rows, cols) = scene.odc.geobox.affine, scene.odc.geobox.shape
    x, y = np.meshgrid(a.c + (np.arange(cols) + 0.5) * a.a, a.f + (np.arange(rows) + 0.5) * a.e)
    part = (slice(rows // 2 - 150, rows // 2 + 150), slice(cols // 2 - 150, cols // 2 + 150))
    shift, reliability = match(ground(x[part], y[part])[2:3], scene.reflectance.values[2:3, *part], 60)
    assert reliability > 0.5
    return tuple(float(s * a.a) for s in shift)


def test_a_package_is_put_where_its_lr_scene_has_it(tmp_path, package):
    item, reference = package
    download(SETTINGS, GridSettings(gsd_m=5), item, None, tmp_path / "delivered")
    download(SETTINGS, GridSettings(gsd_m=0.8), item, None, tmp_path / "refined", reference)
    assert np.hypot(*off_m(tmp_path / "delivered")) > 20
    assert np.hypot(*off_m(tmp_path / "refined")) < 0.8
    properties = json.loads((tmp_path / "refined" / "item.json").read_text())["properties"]
    assert "MSS RPC refined (shift) by" in properties["crossres:orthorectification"]
    assert "RPC refined" not in open_scene(tmp_path / "delivered" / "reflectance.tif").attrs["orthorectification"]
    # What is younger than its calibration says so.
    assert "no calibration published for 2023" in properties["crossres:calibration_warning"]


def test_a_reference_under_cloud_changes_nothing(tmp_path, package):
    item, reference = package
    scene = open_scene(reference / "reflectance.tif")
    write_scene(tmp_path / "cloudy" / "reflectance.tif", scene)
    write_mask(
        tmp_path / "cloudy" / "mask.tif", np.full(scene.odc.geobox.shape, np.uint8(Mask.CLOUD)), scene.odc.geobox
    )
    download(SETTINGS, GridSettings(gsd_m=5), item, None, tmp_path / "out", tmp_path / "cloudy")
    assert (
        "MSS RPC as delivered, too few tie points"
        in open_scene(tmp_path / "out" / "reflectance.tif").attrs["orthorectification"]
    )


def chips(off, noise=0.0):
    """Return what `refine_rpc` takes, of an image whose RPC is off by `off(where)`."""
    rpc = parse_rpb(made_gaofen2.rpb(made_gaofen2.MSS_GSD, MSS_PX), "made")
    flat = Terrain(None, GROUND_M, GROUND_M, "")
    rng = np.random.default_rng(0)

    def image(refined: RPC):
        def chip(grid: GeoBox) -> np.ndarray:
            a = grid.affine
            x = a.c + (np.arange(grid.shape[1]) + 0.5) * a.a
            y = a.f + (np.arange(grid.shape[0]) + 0.5) * a.e
            lon, lat = Transformer.from_crs(EPSG, 4326, always_xy=True).transform(*np.meshgrid(x, y))
            at = project(refined, lon, lat, GROUND_M)
            true_lon, true_lat = locate(rpc, at.row - off(at)[0], at.col - off(at)[1], GROUND_M)
            here = Transformer.from_crs(4326, EPSG, always_xy=True).transform(true_lon, true_lat)
            seen = ground(*map(np.asarray, here))[:1]
            return seen + noise * rng.standard_normal(seen.shape)

        return chip

    def reference(grid: GeoBox) -> np.ndarray:
        a = grid.affine
        x = a.c + (np.arange(grid.shape[1]) + 0.5) * a.a
        y = a.f + (np.arange(grid.shape[0]) + 0.5) * a.e
        return ground(*np.meshgrid(x, y))[:1]

    grid = GeoBox((160, 160), from_origin(WEST, NORTH, 10, 10), f"EPSG:{EPSG}")
    return rpc, (MSS_PX, MSS_PX), image, reference, grid, flat


def test_a_shift_is_found_to_a_tenth_of_a_pixel_and_is_no_affine_map():
    found = refine_rpc(*chips(lambda at: (4.0, -11.0), noise=0.005))
    assert found.model == "shift"
    # The image shows at p what the RPC puts at p - off: so much has to be added.
    np.testing.assert_allclose(found.affine[:, 0], (4.0, -11.0), atol=0.1)
    assert found.after_px < 0.5 < 10 < found.before_px


def test_an_rpc_that_fits_is_left_alone():
    found = refine_rpc(*chips(lambda at: (0.1, -0.1), noise=0.005))
    assert found.model == "none"
    assert found.before_px < 0.5


def test_an_affine_map_in_the_image_becomes_part_of_the_rpc():
    rpc = parse_rpb(made_gaofen2.rpb(made_gaofen2.MSS_GSD, MSS_PX), "made")
    affine = np.array([[3.0, 2e-3, -1e-3], [-5.0, 5e-4, 3e-3]])
    refined = mapped(rpc, affine, (MSS_PX, MSS_PX), (GROUND_M - 100, GROUND_M + 100))
    row, col = np.meshgrid(np.linspace(0, MSS_PX, 7), np.linspace(0, MSS_PX, 7))
    lon, lat = locate(rpc, row, col, GROUND_M + 40)
    seen = project(refined, lon, lat, GROUND_M + 40)
    expected = affine @ np.stack([np.ones(49), row.ravel(), col.ravel()])
    np.testing.assert_allclose(seen.row.ravel() - row.ravel(), expected[0], atol=1e-3)
    np.testing.assert_allclose(seen.col.ravel() - col.ravel(), expected[1], atol=1e-3)


def test_places_that_differ_have_low_reliability():
    *_, reference, grid, _ = chips(lambda at: (0, 0))
    other = GeoBox(grid.shape, from_origin(WEST, NORTH, 10, 10), grid.crs)
    elsewhere = match_chips(lambda g: reference(g)[:, ::-1, ::-1].copy(), reference, other, 64, 8, 4)
    assert elsewhere.reliability.size == 0 or np.median(elsewhere.reliability) < 0.3
