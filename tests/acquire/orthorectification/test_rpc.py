"""The rational polynomial camera agrees with GDAL's, and can be inverted."""

import numpy as np
import pytest
from made_gaofen2 import GROUND_M, MSS_GSD, MSS_PX, PAN_GSD, rpb
from rasterio.rpc import RPC
from rasterio.transform import RPCTransformer
from real_data import PMS1, PMS2, needs_real_data
from shapely.geometry import Point

from crossres.acquire.gaofen2.rpb import parse_rpb
from crossres.acquire.orthorectification.rpc import footprint, locate, project, rescaled, shifted
from crossres.errors import UserError

REAL = [(PMS1, "MSS1"), (PMS1, "PAN1"), (PMS2, "PAN2")]


def real_rpc(folder, image) -> RPC:
    path = folder / f"{folder.name}-{image}.rpb"
    return parse_rpb(path.read_text(), path.name)


@needs_real_data
@pytest.mark.parametrize(("folder", "image"), REAL)
def test_projection_agrees_with_gdal(folder, image):
    rpc = real_rpc(folder, image)
    rng = np.random.default_rng(1)
    lon = rpc.long_off + rng.uniform(-0.5, 0.5, 200) * rpc.long_scale
    lat = rpc.lat_off + rng.uniform(-0.5, 0.5, 200) * rpc.lat_scale
    height = rng.uniform(-100, 900, 200)
    ours = project(rpc, lon, lat, height)
    with RPCTransformer(rpc) as gdal:
        row, col = gdal.rowcol(lon.tolist(), lat.tolist(), height.tolist(), op=lambda x: x)
    assert np.abs(ours.row - row).max() < 1e-3
    assert np.abs(ours.col - col).max() < 1e-3


@needs_real_data
@pytest.mark.parametrize(("folder", "image"), REAL)
def test_locating_a_pixel_inverts_projection(folder, image):
    rpc = real_rpc(folder, image)
    row, col = np.meshgrid(np.linspace(0, 6908, 7), np.linspace(0, 7300, 7))
    lon, lat = locate(rpc, row, col, 350.0)
    back = project(rpc, lon, lat, 350.0)
    np.testing.assert_allclose(back.row, row, atol=1e-4)
    np.testing.assert_allclose(back.col, col, atol=1e-4)


@needs_real_data
def test_footprint_lies_hundreds_of_metres_from_the_corners_in_the_xml():
    rpc = real_rpc(PMS1, "MSS1")
    outline = footprint(rpc, 6908, 7300, rpc.height_off)
    bottom_left_in_xml = Point(-91.1291, 17.5161)
    assert 300 < outline.distance(bottom_left_in_xml) * 111_000 < 1500
    assert outline.contains(Point(-90.99, 17.6))


def test_a_window_of_an_image_keeps_its_geometry():
    rpc = parse_rpb(rpb(PAN_GSD, 480), "made")
    whole = project(rpc, 113.9 * np.ones(1), 34.8 * np.ones(1), 100.0)
    part = project(shifted(rpc, 100, 37), 113.9 * np.ones(1), 34.8 * np.ones(1), 100.0)
    assert whole.row - part.row == pytest.approx(100)
    assert whole.col - part.col == pytest.approx(37)


def test_a_decimated_image_keeps_its_geometry():
    rpc = parse_rpb(rpb(PAN_GSD, 480), "made")
    lon, lat = locate(rpc, np.array([40.0]), np.array([80.0]), GROUND_M)
    small = project(rescaled(rpc, 4, 4), lon, lat, GROUND_M)
    assert small.row == pytest.approx(10.0, abs=1e-3)
    assert small.col == pytest.approx(20.0, abs=1e-3)


def test_a_camera_that_is_none_is_refused():
    good = parse_rpb(rpb(MSS_GSD, MSS_PX), "made")
    flat = RPC(**{**good.to_dict(), "samp_num_coeff": good.line_num_coeff})
    with pytest.raises(UserError, match="cannot be inverted"):
        locate(flat, np.array([10.0]), np.array([50.0]), 0.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("lineOffset = abc;", "heightOffset"),
        (rpb(MSS_GSD, MSS_PX).replace("lineScale = 120.", "lineScale = 0."), "lineScale is 0, which no camera has"),
        (rpb(MSS_GSD, MSS_PX).replace("+1.000000000000000E+00,", "", 1), "20 numbers"),
        (rpb(MSS_GSD, MSS_PX).replace("+1.000000000000000E+00,", "nan,", 1), "20 numbers"),
    ],
)
def test_a_broken_rpb_is_named_in_one_line(text, message):
    with pytest.raises(UserError, match=message) as caught:
        parse_rpb(text, "scene-MSS1.rpb")
    assert str(caught.value).startswith("scene-MSS1.rpb: ")
    assert "\n" not in str(caught.value)
