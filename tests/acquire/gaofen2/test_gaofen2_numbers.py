"""Numbers of others: an RPC and metadata that no camera has are one line, and take no time."""

import re
import time

import numpy as np
import pytest
import shapely
from made_gaofen2 import MSS_GSD, MSS_PX, NAME, PAN_GSD, members, rpb, xml

from crossres.acquire.gaofen2.item import gaofen2_item
from crossres.acquire.gaofen2.metadata import parse_metadata
from crossres.acquire.gaofen2.package import read_package
from crossres.acquire.gaofen2.rpb import parse_rpb
from crossres.acquire.orthorectification.rpc import footprint
from crossres.acquire.regions import area_km2, from_geojson
from crossres.errors import UserError

RPB = rpb(MSS_GSD, MSS_PX)


def line_of(call) -> str:
    started = time.process_time()
    with pytest.raises(UserError) as caught:
        call()
    assert time.process_time() - started < 2
    assert str(caught.value).isprintable() and len(str(caught.value)) < 250
    return str(caught.value)


def value(key: str, text: str) -> str:
    return re.sub(rf"{key} = [^;]*;", f"{key} = {text};", RPB)


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n\n", " "])
def test_line_ends_capitals_and_groups_change_nothing(end):
    assert parse_rpb(RPB.replace("\n", end), "x.rpb") == parse_rpb(RPB, "x.rpb")
    assert parse_rpb(RPB.upper(), "x.rpb") == parse_rpb(RPB, "x.rpb")


@pytest.mark.parametrize(
    "text",
    [
        "1e99999999",
        "nan",
        "inf",
        "-Infinity",
        "9" * 10_000,
        "0." + "9" * 10_000,
        "1_0",
        "٣",
        "１２",
        "1,5",
        "1 5",
        "0x10",
        "",
    ],
)
@pytest.mark.parametrize("key", ["latOffset", "lineScale"])
def test_what_is_no_number_is_named_by_its_key(key, text):
    assert f"the RPC has no number for {key}" in line_of(lambda: parse_rpb(value(key, text), "x.rpb"))
    coefficients = RPB.replace("+1.000000000000000E+00", text, 1)
    assert "the RPC's lineDenCoef is not 20 numbers" in line_of(lambda: parse_rpb(coefficients, "x.rpb"))


@pytest.mark.parametrize("key", ["latOffset", "longScale", "lineNumCoef", "sampDenCoef"])
def test_a_missing_semicolon_is_one_line(key):
    before, _, after = RPB.partition(key)
    assert f" {key}" in line_of(lambda: parse_rpb(before + key + after.replace(";", "", 1), "x.rpb"))


HOSTILE = {
    "a word": "a" * 4_000_000,
    "words": "a " * 2_000_000,
    "spaces": "a" + " " * 4_000_000,
    "equals": "=" * 4_000_000,
    "open": "a=(" * 1_300_000,
    "spaced": "a = (" + " " * 4_000_000,
    "ends": ";" * 4_000_000,
    "digits": "latOffset = " + "1" * 4_000_000 + ";",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_megabytes_of_hostile_text_take_no_time(text):
    started = time.process_time()
    assert "x.rpb: is larger than 64 KiB" in line_of(lambda: parse_rpb(text, "x.rpb"))
    line_of(lambda: parse_rpb(text[: 64 << 10], "x.rpb"))
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("key", "text"),
    [("latOffset", "500"), ("longOffset", "-181"), ("latScale", "1e-300"), ("lineScale", "0"), ("heightOffset", "1e9"),
     ("sampOffset", "1e30"), ("longScale", "1e10")],
)  # fmt: skip
def test_values_that_no_camera_has_are_named(key, text):
    assert f"the RPC's {key} is {float(text):g}, which no camera has" in line_of(
        lambda: parse_rpb(value(key, text), "x")
    )


def folder_with(path, **texts: str):
    for name, content in members().items():
        (path / name).write_bytes(
            texts[name[-8:-5]].encode() if name.endswith("MSS1.rpb") and "MSS" in texts else content
        )
    return path


ZERO = "(" + ",".join(["0"] * 20) + ")"
FLAT = "(" + ",".join(["1"] + ["0"] * 19) + ")"


@pytest.mark.parametrize(
    "text",
    [
        value("lineDenCoef", ZERO),
        value("lineNumCoef", ZERO),
        value("sampNumCoef", FLAT),
        value("lineNumCoef", "(" + ",".join(["1e300"] * 20) + ")"),
        value("latScale", "89"),
        value("latOffset", "89.9999"),
        value("longOffset", "10"),
        value("lineDenCoef", "(" + ",".join(["1", "1e8", "-1e8"] + ["1e5"] * 17) + ")"),
    ],
    ids=["no denominator", "no line", "one sample", "huge", "whole globe", "pole", "elsewhere", "poles within"],
)
@pytest.mark.filterwarnings("error")
def test_an_rpc_that_is_not_that_of_a_camera_is_one_line(tmp_path, text):
    folder = folder_with(tmp_path, MSS=text)
    line = line_of(lambda: gaofen2_item(read_package(folder), tmp_path))
    assert NAME in line or tmp_path.name in line


def test_a_package_at_180_degrees_has_the_footprint_of_any_other_place(tmp_path):
    def at(lon: float, folder):
        folder.mkdir()
        for name, content in members().items():
            if name.endswith(".rpb"):
                text = content.decode()
                moved = float(re.search(r"longOffset = ([^;]*);", text)[1]) - centre + lon
                moved = (moved + 180) % 360 - 180
                content = re.sub(r"longOffset = [^;]*;", f"longOffset = {moved:.15f};", text).encode()
            (folder / name).write_bytes(content)
        return from_geojson(gaofen2_item(read_package(folder), tmp_path)["geometry"], "item")

    rpc = parse_rpb(rpb(PAN_GSD, 4 * MSS_PX), "x")
    centre = footprint(rpc, 4 * MSS_PX, 4 * MSS_PX, 0.0).centroid.x
    inland, across = at(150.0, tmp_path / "a"), at(180.0, tmp_path / "b")
    assert across.bounds[0] == -180 and across.bounds[2] == 180 and len(across.geoms) == 2
    assert area_km2(across) == pytest.approx(area_km2(inland), rel=1e-5)
    sides = [shapely.affinity.translate(part, 360 if part.bounds[0] < 0 else 0) for part in across.geoms]
    assert np.allclose(shapely.union_all(sides).bounds, np.add(inland.bounds, (30, 0, 30, 0)), atol=2e-7)


@pytest.mark.parametrize("text", ["1e30", "NaN", "inf", "-4", "0", "9" * 10_000, "", "many", "１e"])
def test_rows_that_no_image_has_are_one_line(text):
    broken = xml(9, 9).replace("<HeightInPixels>9<", f"<HeightInPixels>{text}<")
    assert "has no number from 1 to 1e+06 in HeightInPixels" in line_of(
        lambda: parse_metadata(broken.encode(), "x.xml")
    )


@pytest.mark.parametrize("text", ["1e300", "nan", "-5", "181"])
def test_a_sun_that_stands_nowhere_is_one_line(text):
    broken = xml(9, 9).replace("<SolarZenith>25.0<", f"<SolarZenith>{text}<")
    assert "in SolarZenith" in line_of(lambda: parse_metadata(broken.encode(), "x.xml"))


@pytest.mark.parametrize(
    "text", ["0001-01-01 00:00:00", "10000-01-01", "2020-13-41", "x" * 1_000_000, "2020-05-10\x0b\u2028"]
)
def test_times_that_never_were_are_one_line(text):
    broken = xml(9, 9).replace("2020-05-10 11:12:05", text)
    line_of(lambda: parse_metadata(broken.encode(), "x.xml"))


@pytest.mark.parametrize("text", ["clear", "NaN", "-1", "101", "1e400", ""])
def test_a_cloud_cover_that_is_none_is_not_known(text):
    said = xml(9, 9).replace("<CloudPercent>101<", f"<CloudPercent>{text}<")
    assert parse_metadata(said.encode(), "x.xml").cloud_percent is None


def test_of_repeated_elements_the_first_counts():
    said = xml(9, 9).replace("<CloudPercent>", "<CloudPercent>7</CloudPercent>" * 3 + "<CloudPercent>")
    assert parse_metadata(said.encode(), "x.xml").cloud_percent == 7


def test_a_time_that_says_its_zone_is_read_in_it():
    said = xml(9, 9).replace("2020-05-10 11:12:05", "2020-05-10T03:12:05Z")
    assert parse_metadata(said.encode(), "x.xml").time == parse_metadata(xml(9, 9).encode(), "x.xml").time
