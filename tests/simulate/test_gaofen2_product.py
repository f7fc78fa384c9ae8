"""Gaofen-2's packages are what the real ones are, and err as their truth says."""

import tarfile
from datetime import UTC, datetime

import numpy as np
import pytest
import rasterio
from defusedxml import ElementTree
from pyproj import Transformer
from rasterio.warp import Resampling, reproject
from skimage.registration import phase_cross_correlation

from crossres.files import read_json
from crossres.sensors.sun import sun_position
from crossres.simulate.gaofen2.camera import draw_location_error, true_ground
from crossres.simulate.gaofen2.product import camera_rpc, cameras, satellite_direction
from crossres.simulate.land.terrain import make_terrain
from crossres.simulate.schedule import gaofen2_pass
from crossres.simulate.sites import site


def member(folder, pattern):
    return next(folder.glob(pattern))


def xml(path):
    return {element.tag: element.text for element in ElementTree.parse(path).getroot()}


def test_the_package_holds_what_a_real_one_holds_under_its_own_name(place):
    package = next((place / "gaofen2").glob("*.tar.gz"))
    name = package.name.removesuffix(".tar.gz")
    with tarfile.open(package) as archive:
        names = archive.getnames()
    assert names == [f"{name}-{kind}1.{suffix}" for kind in ("PAN", "MSS") for suffix in ("tiff", "xml", "rpb")]
    assert name.startswith("GF2_PMS1_E") and "_L1A00" in name


def test_pan_has_four_pixels_for_one_of_mss_and_ten_bits(unpacked):
    with rasterio.open(member(unpacked, "*PAN1.tiff")) as pan, rasterio.open(member(unpacked, "*MSS1.tiff")) as mss:
        assert (pan.count, mss.count) == (1, 4)
        assert pan.shape == (4 * mss.height, 4 * mss.width)
        for image in (pan.read(), mss.read()):
            assert image.dtype == np.uint16 and image.min() >= 1 and image.max() <= 1023
        assert pan.crs is None and pan.rpcs is not None


def test_the_xml_keeps_the_real_ones_habits(unpacked):
    data = xml(member(unpacked, "*PAN1.xml"))
    seen = gaofen2_pass(0)
    beijing = datetime.strptime(data["CenterTime"], "%Y-%m-%d %H:%M:%S")
    received = datetime.strptime(data["ReceiveTime"], "%Y-%m-%d %H:%M:%S")
    assert received.replace(tzinfo=UTC) == seen.time
    assert (beijing - received).total_seconds() == 8 * 3600
    assert float(data["SatelliteZenith"]) > 60  # an elevation, whatever it is called
    here = site(0)
    azimuth, elevation = sun_position(seen.time, here.longitude, here.latitude)
    assert float(data["SolarZenith"]) == pytest.approx(90 - elevation, abs=1e-3)
    assert float(data["SolarAzimuth"]) == pytest.approx(azimuth, abs=1e-3)
    assert data["Bands"] == "5" and xml(member(unpacked, "*MSS1.xml"))["Bands"] == "1,2,3,4"
    with rasterio.open(member(unpacked, "*PAN1.tiff")) as pan:
        assert (int(data["HeightInPixels"]), int(data["WidthInPixels"])) == pan.shape


def test_the_xmls_bottom_corners_lie_past_the_last_line(unpacked):
    data = xml(member(unpacked, "*PAN1.xml"))
    here = site(0)
    to_metres = Transformer.from_crs(4326, here.epsg, always_xy=True)
    corner = {
        name: np.array(to_metres.transform(float(data[f"{name}Longitude"]), float(data[f"{name}Latitude"])))
        for name in ("TopLeft", "TopRight", "BottomLeft")
    }
    across = np.linalg.norm(corner["TopRight"] - corner["TopLeft"])
    along = np.linalg.norm(corner["BottomLeft"] - corner["TopLeft"])
    assert along - across == pytest.approx(300, abs=20)


@pytest.mark.parametrize("kind", ["PAN", "MSS"])
def test_a_ground_point_falls_where_the_camera_sees_it(kind):
    rng = np.random.default_rng(0)
    terrain, here, seen = make_terrain(rng, 30.0), site(3), gaofen2_pass(3)
    camera = cameras(seen, terrain, 2000.0)[kind]
    rpc = camera_rpc(kind, camera, here)
    east, north = rng.uniform(-900, 900, (2, 200))
    height = terrain.height_m(east, north) + rng.uniform(0, 100, 200)
    degrees = Transformer.from_crs(here.epsg, 4326, always_xy=True).transform(here.east + east, here.north + north)
    expected = camera.project(east, north, height)
    assert np.abs(np.array(rpc.project(*map(np.asarray, degrees), height)) - expected).max() < 0.01
    # And back: the ground at that height again.
    assert np.abs(np.array(camera.locate(*expected, height)) - [east, north]).max() < 1e-6


def test_a_pixels_ground_is_off_by_the_location_error():
    rng = np.random.default_rng(1)
    terrain, seen = make_terrain(rng, 30.0), gaofen2_pass(2)
    camera, error = cameras(seen, terrain, 2000.0)["PAN"], draw_location_error(rng, 12.0)
    line, sample = rng.uniform(0, camera.lines, (2, 100))
    east, north = true_ground(camera, error, terrain, line, sample)
    d_east, d_north = error.shift_m(east, north)
    back = camera.project(east + d_east, north + d_north, terrain.height_m(east, north))
    assert np.abs(np.array(back) - [line, sample]).max() < 0.01


def test_high_ground_moves_away_from_the_satellite():
    for number in range(5):
        seen = gaofen2_pass(number)
        camera = cameras(seen, make_terrain(np.random.default_rng(0), 1.0), 2000.0)["PAN"]
        azimuth = np.deg2rad(satellite_direction(seen)[0])
        assert np.dot(camera.relief, [np.sin(azimuth), np.cos(azimuth)]) < 0


@pytest.mark.parametrize("kind", ["PAN", "MSS"])
def test_the_orthoimage_is_displaced_by_the_truths_shift(place, unpacked, kind):
    """GDAL's RPC orthorectification of the delivered files, matched to the landscape, finds the shift put in."""
    with rasterio.open(place / "truth" / "reflectance.tif") as src:
        truth, grid, crs = src.read(3 if kind == "MSS" else (2, 3)), src.transform, src.crs
    with rasterio.open(place / "truth" / "shift_m.tif") as src:
        east, north = src.read().mean(axis=(1, 2))
    ortho = np.zeros(truth.shape[-2:], np.float32)
    with rasterio.open(member(unpacked, f"*{kind}1.tiff")) as src:
        reproject(
            src.read(3 if kind == "MSS" else 1), ortho, rpcs=src.rpcs, src_crs="EPSG:4326", dst_transform=grid,
            dst_crs=crs, resampling=Resampling.average if kind == "PAN" else Resampling.cubic,
            RPC_DEM=str(place / "dem.tif"), RPC_DEMINTERPOLATION="cubic",
        )  # fmt: skip
    reference = truth.astype(float).reshape(-1, *ortho.shape).mean(axis=0)
    middle = slice(48, -48)
    rows, cols = phase_cross_correlation(reference[middle, middle], ortho[middle, middle], upsample_factor=20)[0] * 2.5
    assert (-cols, rows) == pytest.approx((east, north), abs=0.8)


def test_truth_names_the_error_that_was_put_in(place):
    facts = read_json(place / "truth" / "truth.json")
    bias = facts["gaofen2"]["location_error"]["bias_m"]
    with rasterio.open(place / "truth" / "shift_m.tif") as src:
        assert src.read().mean(axis=(1, 2)) == pytest.approx(np.array(bias), abs=1.5)
    assert set(facts["gaofen2"]["gain_error"]) == {"blue", "green", "red", "nir", "pan"}
