"""Static catalogues of what a user has."""

import csv
import json
import shutil

import numpy as np
import pystac
import pystac.validation
import pytest
import rasterio
from made_gaofen2 import EPSG, NAME, NORTH, WEST, members, write_archive
from pyproj import Transformer
from rasterio.transform import from_origin
from real_data import PMS1, PMS2, ROOT, needs_real_data
from shapely.geometry import Point, shape

from crossres.acquire.catalog import catalog_folder, catalog_gaofen2
from crossres.errors import UserError
from crossres.settings.search import FolderSource, SensorSettings

RGB = SensorSettings(name="aerial", bands=("red", "green", "blue"), scale=1 / 255, datetime="2010-01-22T08:00:00Z")


def folder_source(pattern="*.tif", sensor=RGB) -> FolderSource:
    return FolderSource(kind="folder", path="unused", pattern=pattern, sensor=sensor)


def write_raster(path, values, crs="EPSG:32650", nodata=None, tags=None):
    profile = dict(driver="GTiff", count=len(values), height=values.shape[1], width=values.shape[2])
    profile |= dict(dtype=values.dtype, transform=from_origin(500_000, 4_000_000, 5, 5), nodata=nodata)
    if crs:
        profile["crs"] = crs
    with rasterio.open(path, "w", **profile) as dst:
        dst.write(values)
        dst.update_tags(**(tags or {}))
    return path


def items(catalog):
    return {p.stem: json.loads(p.read_text()) for p in (catalog / "items").glob("*.json")}


def test_items_are_stac_and_their_hrefs_lead_back(tmp_path):
    (tmp_path / "in").mkdir()
    path = write_raster(tmp_path / "in" / "über a.tif", np.ones((3, 40, 60), np.uint8))
    catalog_folder(folder_source(), tmp_path / "in", tmp_path / "out")
    catalog = pystac.Catalog.from_file(str(tmp_path / "out" / "catalog.json"))
    (item,) = catalog.get_items()
    assert item.id == "_ber_a"
    assert item.datetime.isoformat() == "2010-01-22T08:00:00+00:00"
    assert rasterio.open(item.get_assets()["data"].get_absolute_href()).name == str(path)
    raw = items(tmp_path / "out")["_ber_a"]
    assert not raw["assets"]["data"]["href"].startswith("/")
    assert raw["properties"]["proj:code"] == "EPSG:32650"
    assert [b["eo:common_name"] for b in raw["assets"]["data"]["bands"]] == ["red", "green", "blue"]


def test_footprint_follows_valid_pixels_not_the_bounding_box(tmp_path):
    values = np.ones((3, 400, 400), np.uint8)
    values[:, np.add.outer(np.arange(400), np.arange(400)) < 400] = 0  # the upper left triangle is empty
    values[:, 300:320, 300:320] = 0  # a lake of zeros inside is part of the scene
    write_raster(tmp_path / "a.tif", values, nodata=0)
    write_raster(tmp_path / "b.tif", values)
    catalog_folder(folder_source(), tmp_path, tmp_path / "out")
    a, b = (shape(items(tmp_path / "out")[name]["geometry"]) for name in ("a", "b"))
    assert a.area / b.area == pytest.approx(0.5, abs=0.02)
    to_degrees = Transformer.from_crs(32650, 4326, always_xy=True)
    assert a.contains(Point(to_degrees.transform(501_550, 3_998_450)))
    assert not a.contains(Point(to_degrees.transform(500_300, 3_999_700)))


def test_settings_may_say_what_the_file_does_not(tmp_path):
    values = np.full((3, 50, 50), 7, np.uint8)
    values[:, :, :25] = 255
    write_raster(tmp_path / "a.tif", values, tags={"TIFFTAG_DATETIME": "2019:06:01 10:20:30"})
    sensor = SensorSettings(bands=("red", "green", "blue"), nodata=255)
    catalog_folder(folder_source(sensor=sensor), tmp_path, tmp_path / "out")
    item = items(tmp_path / "out")["a"]
    assert item["properties"]["datetime"] == "2019-06-01T10:20:30Z"
    assert item["assets"]["data"]["nodata"] == 255
    assert shape(item["geometry"]).bounds[0] == pytest.approx(117.0 + 125 / 90_200, abs=1e-4)


@pytest.mark.parametrize(
    ("make", "sensor", "message"),
    [
        (dict(crs=None), RGB, "no coordinate reference system"),
        (dict(crs="EPSG:4326"), RGB, "in degrees"),
        (dict(), SensorSettings(bands=("red",), datetime="2010-01-01"), "has 3 bands, but sensor.bands names 1"),
        (dict(), SensorSettings(bands=RGB.bands), "no acquisition time"),
        (dict(), SensorSettings(bands=RGB.bands, datetime="yesterday"), "not a time"),
        (dict(nodata=1), RGB, "no valid pixels"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_in_one_line(tmp_path, make, sensor, message):
    if make.get("crs") == "EPSG:4326":
        profile = dict(driver="GTiff", count=3, height=9, width=9, dtype="uint8", crs="EPSG:4326")
        with rasterio.open(tmp_path / "a.tif", "w", transform=from_origin(10, 50, 0.01, 0.01), **profile) as dst:
            dst.write(np.ones((3, 9, 9), np.uint8))
    else:
        write_raster(tmp_path / "a.tif", np.ones((3, 9, 9), np.uint8), **make)
    with pytest.raises(UserError, match=message) as caught:
        catalog_folder(folder_source(sensor=sensor), tmp_path, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_an_empty_or_absent_folder_is_named(tmp_path):
    with pytest.raises(UserError, match=r"no file matches '\*\.tif'"):
        catalog_folder(folder_source(), tmp_path, tmp_path / "out")
    with pytest.raises(UserError, match="no such folder"):
        catalog_gaofen2(tmp_path / "absent", tmp_path / "out")
    with pytest.raises(UserError, match="no usable Gaofen-2 package"):
        catalog_gaofen2(tmp_path, tmp_path / "out")


def test_gaofen2_packages_are_listed_or_declined(tmp_path):
    archive = tmp_path / "deep" / "er"
    archive.mkdir(parents=True)
    write_archive(archive / f"{NAME}.tar.gz", members())
    files = {n.replace("4793969", "4793970"): c for n, c in members().items()}
    write_archive(tmp_path / f"{NAME[:-2]}70.tar.gz", {n: c for n, c in files.items() if not n.endswith("PAN1.rpb")})
    (tmp_path / "deep" / "GF2_PMS2_broken.tar.gz").write_bytes(b"not an archive")
    catalog_gaofen2(tmp_path, tmp_path / "out")
    found = items(tmp_path / "out")
    assert list(found) == [NAME]
    assert found[NAME]["assets"]["package"]["href"] == f"../../deep/er/{NAME}.tar.gz"
    assert found[NAME]["properties"]["datetime"] == "2020-05-10T03:12:05Z"
    assert found[NAME]["properties"]["view:incidence_angle"] == pytest.approx(15)
    assert found[NAME]["properties"]["view:sun_elevation"] == pytest.approx(65)
    assert found[NAME]["properties"]["instruments"] == ["pms1"]
    assert "eo:cloud_cover" not in found[NAME]["properties"]
    rows = list(csv.DictReader((tmp_path / "out" / "declined.csv").open()))
    assert sorted(r["id"] for r in rows) == ["GF2_PMS1_E113.9_N34.8_20200510_L1A0004793970", "GF2_PMS2_broken"]
    assert any("PAN RPC (.rpb) is missing" in r["reason"] for r in rows)
    to_utm = Transformer.from_crs(4326, EPSG, always_xy=True)
    x, y = zip(*[to_utm.transform(*p) for p in shape(found[NAME]["geometry"]).exterior.coords], strict=True)
    assert min(x) == pytest.approx(WEST, abs=0.2)
    assert max(y) == pytest.approx(NORTH, abs=0.2)
    assert max(x) - min(x) == pytest.approx(384, abs=0.3)


def test_the_item_of_a_package_is_valid_stac(tmp_path):
    write_archive(tmp_path / f"{NAME}.tar.gz", members())
    catalog_gaofen2(tmp_path, tmp_path / "out")
    item = items(tmp_path / "out")[NAME]
    # The schema of STAC comes with pystac; those of extensions would have to be fetched.
    pystac.validation.validate_dict({**item, "stac_extensions": []})
    assert {url.split("/")[3] for url in item["stac_extensions"]} == {"eo", "view"}
    assert 0 <= item["properties"]["view:incidence_angle"] <= 90
    assert -90 <= item["properties"]["view:sun_elevation"] <= 90
    assert 0 <= item["properties"]["view:azimuth"] <= 360


def test_the_unpacked_copy_of_a_package_is_preferred(tmp_path):
    write_archive(tmp_path / f"{NAME}.tar.gz", members())
    (tmp_path / "open").mkdir()
    for name, content in members().items():
        (tmp_path / "open" / name).write_bytes(content)
    catalog_gaofen2(tmp_path, tmp_path / "out")
    assert items(tmp_path / "out")[NAME]["assets"]["package"]["href"] == "../../open"
    assert "another copy" in (tmp_path / "out" / "declined.csv").read_text()


@needs_real_data
def test_real_packages_with_the_footprint_of_their_rpc(tmp_path):
    for folder in (PMS1, PMS2):
        (tmp_path / folder.name).mkdir()
        for path in [*folder.glob("*.xml"), *folder.glob("*.rpb")]:
            shutil.copyfile(path, tmp_path / folder.name / path.name)
        for image in ("PAN", "MSS"):
            (tmp_path / folder.name / f"{folder.name}-{image}{folder.name[7]}.tiff").touch()
    catalog_gaofen2(tmp_path, tmp_path / "out")
    ((name, item),) = items(tmp_path / "out").items()
    assert name == PMS1.name
    assert item["bbox"] == pytest.approx([-91.127, 17.477, -90.851, 17.728], abs=2e-3)
    assert item["properties"]["eo:cloud_cover"] == 2
    assert "MSS RPC (.rpb) is missing" in (tmp_path / "out" / "declined.csv").read_text()


@needs_real_data
def test_a_real_sentinel2_file_without_nodata_tag_and_epsg_code(tmp_path):
    source = folder_source("sentinel2_*.tif", SensorSettings(bands=RGB.bands, scale=1 / 255, datetime="2015-10-03"))
    catalog_folder(source, ROOT / "pair_s2_ngi", tmp_path / "out")
    (item,) = items(tmp_path / "out").values()
    assert item["properties"]["proj:code"] is None
    assert "Transverse" in item["properties"]["proj:wkt2"]
    assert "nodata" not in item["assets"]["data"]
