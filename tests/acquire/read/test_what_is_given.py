"""Whatever a person names, however it is called and wherever it lies: it is read, or one line says what to do."""

import json
import os
import shutil
import zipfile

import numpy as np
import pytest
import rasterio
from made_scenes import BANDS, CRS, ESA, PLACE, SIDE, assert_is, dn, read, safe, truth, write, zipped
from range_server import serve_files
from rasterio.control import GroundControlPoint
from rasterio.transform import Affine, from_origin

from crossres.errors import UserError

GROUND = truth(5)
NUMBERS = dn(GROUND)


def image(path, **profile):
    return write(path, NUMBERS, names=BANDS, nodata=0, **profile)


def refused(scene, tmp_path) -> str:
    """Return the line with which a scene is refused."""
    with pytest.raises(UserError) as caught:
        read(scene, tmp_path / "out")
    line = str(caught.value)
    assert line.isprintable() and "delete" not in line and not (tmp_path / "out").exists()
    return line


@pytest.mark.parametrize(
    "name",
    ["with space.tif", "per%cent%20.tif", "a&b;.tif", "quo'te\".tif", "ha#sh?.tif", "数据ü.tif", "-dash.tif",
     "co:lon.tif", "{brace}.tif", "[a]*.tif", "a" * 200 + ".tif", "back\\slash.tif", "~tilde.tif", "vrt:x.tif",
     "GTIFF_DIR:1:a.tif",
     "HTTP:x.tif", ".hidden.tif", "no suffix"],
)  # fmt: skip
def test_names_of_all_kinds_are_names(tmp_path, name, monkeypatch):
    (tmp_path / "in").mkdir()
    image(tmp_path / "a.tif").rename(tmp_path / "in" / name)
    monkeypatch.chdir(tmp_path / "in")
    assert_is(read(name, tmp_path / "out"), GROUND)


@pytest.mark.parametrize("name", [b"caf\xe9.tif", b"new\nline.tif", b"esc\x1b[31m.tif"])
def test_names_that_no_reader_takes_are_refused_and_beside_others_not_minded(tmp_path, name):
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / os.fsdecode(name)
    shutil.copy(image(tmp_path / "a.tif"), path)
    assert "its path is not UTF-8, or holds control characters; rename it" in refused(path, tmp_path)
    for band, values in zip(BANDS, NUMBERS, strict=True):
        write(tmp_path / "in" / f"{ESA[band]}.tif", values, nodata=0)
    assert_is(read(tmp_path / "in", tmp_path / "out"), GROUND)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ("", "is no path"), ("file:///etc/passwd", "is no path and no http"), ("ftp://a/b.tif", "is no path and no"),
        ("gs://b/a.tif", "is no path"), ("http://", "is no plain http"), ("http://[::1", "is no plain http"),
        ("s3://", "is no plain http"), ("https://a.org/x.zip", "is read from disk; fetch it first"),
        ("https://a.org/x.SAFE?sig=secret", "https://a.org/x.SAFE: is read from disk"),
        ("a\0b.tif", "control characters"), ("absent.tif", "no such file or folder"), ("x" * 5000, "too long"),
        ("/vsizip//etc/x.zip/a.tif", "no such file"), ("/vsicurl/http://127.0.0.1/a.tif", "no such file"),
        ("NETCDF:x.nc:B04", "no such file"), ("SENTINEL2_L2A:/x/MTD.xml:10m:EPSG_32650", "no such file"),
        ("/dev/null", "is no file"), ("/dev/zero", "is no file"), ("~/a.tif", "no such file"),
    ],
)  # fmt: skip
def test_what_is_no_scene_of_this_machine_is_refused(tmp_path, given, line, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert line in refused(given, tmp_path) and "secret" not in refused(given, tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.txt", b"text", "is neither a SAFE"), ("a.png", b"\x89PNG\r\n\x1a\n", "is neither a SAFE"),
        ("a.nc", b"CDF\1", "is neither a SAFE"), ("MTD_MSIL2A.xml", b"<x/>", "has no 10 m file of band B02"),
        ("a.tif", b"II*\0", "is damaged or cut off"), ("a.tif", b"", "is empty; get it again"),
        ("a.tif", b"<html>", "is no GeoTIFF or JPEG 2000 image; give one"),
        ("a.jp2", b"\0\0\0\x0cjP  \r\n\x87\n", "is damaged or cut off"),
        ("a.zip", b"PK\3\4", "a damaged zip"), ("a.json", b"{", "not valid JSON"), ("a.json", b"[]", "is no STAC item"),
        ("a.json", b'{"type": "FeatureCollection", "features": []}', "is no STAC item"),
        ("a.tif", b"<VRTDataset/>", "is a VRT, which can name any other file; write it as an image of its own"),
    ],
)  # fmt: skip
def test_files_that_are_none_of_it_are_named_in_one_line(tmp_path, name, content, line):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(content)
    assert line in refused(tmp_path / "in" / name, tmp_path)


def test_pipes_and_links_that_lead_nowhere_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.tif")
    (tmp_path / "lost.tif").symlink_to(tmp_path / "absent.tif")
    (tmp_path / "loop.tif").symlink_to(tmp_path / "loop.tif")
    for name, line in (("pipe", "is no file"), ("lost", "no such file"), ("loop", "cannot be opened (Too many")):
        assert line in refused(tmp_path / f"{name}.tif", tmp_path)
    for band, values in zip(BANDS[:3], NUMBERS, strict=False):
        write(tmp_path / "bands" / f"{ESA[band]}.tif", values, nodata=0)
    os.mkfifo(tmp_path / "bands" / "B08.tif")
    assert "B08.tif: cannot be opened (is no file)" in refused(tmp_path / "bands", tmp_path)


def test_folders_and_zips_of_what_is_no_image_say_what_is_there(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    assert "holds no image that is known (GeoTIFF, JPEG 2000), and no metadata" in refused(folder, tmp_path)
    (folder / "a.vrt").write_text("<VRTDataset/>")
    assert "a.vrt is a VRT: write it as an image of its own with `rio convert`" in refused(folder, tmp_path)
    (folder / "a.vrt").rename(folder / "a.zip")
    assert "a.zip is another archive: unpack it and name it" in refused(folder, tmp_path)


def test_a_zip_of_bands_and_one_of_one_image_are_read(tmp_path):
    for band, values in zip(BANDS, NUMBERS, strict=True):
        write(tmp_path / "bands" / f"{ESA[band]}.tif", values, nodata=0)
    assert_is(read(zipped(tmp_path / "bands"), tmp_path / "a"), GROUND)
    with zipfile.ZipFile(tmp_path / "one.zip", "w") as archive:
        archive.write(image(tmp_path / "a.tif"), "scene.tif")
    assert_is(read(tmp_path / "one.zip", tmp_path / "b"), GROUND)


def test_what_lies_beside_an_image_changes_nothing_and_is_said(tmp_path):
    path = image(tmp_path / "a.tif")
    band = '<PAMRasterBand band="1"><Scale>0.5</Scale><NoDataValue>1500</NoDataValue></PAMRasterBand>'
    (tmp_path / "a.tif.aux.xml").write_text(f"<PAMDataset>{band}</PAMDataset>")
    (tmp_path / "a.tfw").write_text("20\n0\n0\n-20\n1\n1\n")
    write(tmp_path / "a.tif.msk", np.zeros((SIDE, SIDE), np.uint8))
    found = read(path, tmp_path / "out")
    assert_is(found, GROUND)
    for name in ("a.tif.aux.xml", "a.tif.msk", "a.tfw"):
        assert f"{name} beside the image was not read" in found.assumed


@pytest.mark.parametrize("share", [0.1, 0.6, 0.95])
def test_an_image_that_is_cut_off_is_named(tmp_path, share):
    noise = np.random.default_rng(0).integers(1100, 4000, (4, 256, 256)).astype(np.uint16)
    path = write(tmp_path / "cut.tif", noise, names=BANDS, nodata=0, tiled=True, blockxsize=64, blockysize=64)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    line = refused(path, tmp_path)
    assert line.startswith(f"{path}: is damaged or cut off") and line.endswith("get it again")


@pytest.mark.parametrize(
    "profile",
    [{"BIGTIFF": "YES"}, {"ENDIANNESS": "BIG"}, {"interleave": "band"}, {"compress": "zstd"}, {"compress": "lerc"},
     {"compress": "lzw", "predictor": 2}, {"tiled": True, "blockxsize": 16, "blockysize": 16}, {"blockysize": 1}],
)  # fmt: skip
def test_every_kind_of_geotiff_is_read(tmp_path, profile):
    assert_is(read(image(tmp_path / "a.tif", **profile), tmp_path / "out"), GROUND)


def test_an_image_that_claims_more_pixels_than_its_bytes_can_hold_is_not_opened(tmp_path):
    kind = dict(driver="GTiff", dtype="uint16", count=4, crs=CRS, transform=PLACE, sparse_ok=True, bigtiff="YES")
    tiles = dict(tiled=True, blockxsize=4096, blockysize=4096)
    with rasterio.open(tmp_path / "a.tif", "w", height=10**6, width=10**6, **kind, **tiles) as dst:
        dst.descriptions = BANDS
    assert "claims 1000000 x 1000000 pixels of 4 bands in" in refused(tmp_path / "a.tif", tmp_path)


def test_one_band_at_a_url_and_a_url_without_a_file_are_named_without_what_signs_them(tmp_path):
    write(tmp_path / "www" / "one.tif", NUMBERS[0])
    image(tmp_path / "www" / "a.tif")
    with serve_files(tmp_path / "www") as server:
        assert_is(read(f"{server.url}/a.tif?sig=secret", tmp_path / "out"), GROUND)
        shutil.rmtree(tmp_path / "out")
        for name, line in (("one.tif", "has 1 bands without names"), ("absent.tif", "is not on its server")):
            found = refused(f"{server.url}/{name}?sig=secret", tmp_path)
            assert found.startswith(f"{server.url}/{name}: {line}") and "secret" not in found


TURNED = Affine.translation(PLACE.c, PLACE.f) @ Affine.rotation(30) @ Affine.scale(10, -10)


@pytest.mark.parametrize(
    ("values", "place"),
    [
        (NUMBERS[:, ::-1], Affine(10, 0, PLACE.c, 0, 10, PLACE.f - 10 * SIDE)),  # rows run north
        (NUMBERS[:, :, ::-1], Affine(-10, 0, PLACE.c + 10 * SIDE, 0, -10, PLACE.f)),
        (NUMBERS, TURNED),
        (NUMBERS.transpose(0, 2, 1), Affine(0, 10, PLACE.c, -10, 0, PLACE.f)),
    ],
)
def test_a_grid_that_is_turned_stays_where_it_is(tmp_path, values, place):
    path = write(tmp_path / "a.tif", values, place, names=BANDS, nodata=0)
    read(path, tmp_path / "out")
    with rasterio.open(path) as given, rasterio.open(tmp_path / "out" / "reflectance.tif") as found:
        points = [given.xy(row, col) for row in range(2, SIDE, 9) for col in range(2, SIDE, 9)]
        assert [list(v) for v in found.sample(points)] == [list(v) for v in given.sample(points)]


def test_an_image_without_a_place_says_how_to_give_it_one(tmp_path):
    corners = [
        GroundControlPoint(row, col, PLACE.c + 10 * col, PLACE.f - 10 * row) for row in (0, 48) for col in (0, 48)
    ]
    kind = dict(driver="GTiff", dtype="uint16", count=4, height=SIDE, width=SIDE)
    with rasterio.open(tmp_path / "points.tif", "w", **kind) as dst:
        dst.write(NUMBERS)
        dst.gcps = (corners, rasterio.CRS.from_string(CRS))
    image(tmp_path / "bare.tif", crs=None)
    image(tmp_path / "nowhere.tif", transform=Affine.identity())
    image(tmp_path / "flat.tif", transform=Affine(10, 0, 0, 0, 0, 0))
    lines = {
        "points": "by ground control points alone; bring it to a grid, for example with `rio warp",
        "bare": "has no coordinate reference system; assign one, for example with `rio edit-info FILE --crs",
        "nowhere": "does not say where its pixels lie",
        "flat": "does not say where its pixels lie",
    }
    for name, line in lines.items():
        assert line in refused(tmp_path / f"{name}.tif", tmp_path)


@pytest.mark.parametrize(
    ("crs", "place", "gsd", "code"),
    [
        ("EPSG:32650", PLACE, 10.0, "EPSG:32650"),
        ("EPSG:4547", PLACE, 10.0, "EPSG:4547"),  # Gauss-Krueger, its zone not in the easting
        ("EPSG:4526", from_origin(38_500_000, 4_000_000, 10, 10), 10.0, "EPSG:4526"),  # and in it
        ("EPSG:32650+5773", PLACE, 10.0, None),
        ("EPSG:2263", from_origin(980_000, 200_000, 32.8083333, 32.8083333), 10.0, "EPSG:2263"),  # feet
        ("EPSG:3857", from_origin(1_200_000, 8_399_000, 10, 10), 5.01, "EPSG:3857"),  # at 60 degrees north
    ],
)
def test_gsd_is_metres_on_the_ground_and_the_code_right_or_absent(tmp_path, crs, place, gsd, code):
    found = read(image(tmp_path / "a.tif", crs=crs, transform=place), tmp_path / "out").properties
    assert found["gsd"] == pytest.approx(gsd, abs=5e-3)
    assert found["proj:code"] == code and ("proj:wkt2" in found) == (code is None)


def test_an_item_in_a_folder_stands_for_the_folder_and_an_own_scene_is_read_again(tmp_path):
    first = read(safe(tmp_path / "in", GROUND), tmp_path / "scene")
    assert {path.name for path in (tmp_path / "scene").iterdir()} == {"reflectance.tif", "mask.tif", "item.json"}
    again = read(tmp_path / "scene", tmp_path / "again")
    np.testing.assert_array_equal(again.values, first.values)
    assert (
        again.properties["datetime"] == json.loads((tmp_path / "scene/item.json").read_text())["properties"]["datetime"]
    )
