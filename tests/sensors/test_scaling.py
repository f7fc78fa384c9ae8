"""Whether Sentinel-2's offset is still in the numbers is decided by what is known, and checked with dark pixels."""

import json

import numpy as np
import pytest
import yaml
from real_data import ROOT, needs_real_data

from crossres.sensors.scaling import decide_scaling, is_sentinel2, processing_baseline
from crossres.sensors.scaling_check import check_dark_pixels

S2 = {"platform": "sentinel-2b", "s2:processing_baseline": "05.09"}
DECLARED = {"raster:bands": [{"scale": 0.0001, "offset": -0.1, "nodata": 0, "data_type": "uint16"}]}


@needs_real_data
def test_planetary_computers_old_baseline_has_no_offset():
    item = json.loads((ROOT / "stac" / "planetary_computer_s2_item.json").read_text())
    scaling = decide_scaling(item["properties"], item["assets"]["B02"])
    assert (scaling.scale, scaling.offset) == (1e-4, 0.0)
    assert "02.12" in scaling.why


@needs_real_data
def test_earth_searchs_two_collections_differ():
    answers = yaml.safe_load((ROOT / "stac" / "earth_search_v1_filter.cassette.yaml").read_text())["interactions"]
    bodies = [json.loads(a["response"]["body"]["string"]) for a in answers]
    items = [f for body in bodies for f in body.get("features", []) if is_sentinel2(f["properties"])]
    offsets = {(i["collection"], decide_scaling(i["properties"], i["assets"]["blue"]).offset) for i in items}
    assert ("sentinel-2-c1-l2a", -0.1) in offsets
    assert ("sentinel-2-l2a", 0.0) in offsets  # boa_offset_applied, although raster:bands says -0.1
    assert len({o for c, o in offsets if c == "sentinel-2-c1-l2a"}) == 1


@needs_real_data
def test_planetary_computers_naip_says_nothing_of_its_numbers_and_is_8_bits():
    answers = yaml.safe_load((ROOT / "stac" / "planetary_computer_naip_paging.cassette.yaml").read_text())
    bodies = [json.loads(a["response"]["body"]["string"]) for a in answers["interactions"] if a["response"]["body"]]
    items = [f for body in bodies for f in body.get("features", []) if f.get("collection") == "naip"]
    assert items
    for item in items:
        scaling = decide_scaling(item["properties"], item["assets"]["image"], 3, "uint8")
        assert (scaling.scale, scaling.offset) == (pytest.approx(1 / 255), 0.0)


@needs_real_data
def test_every_recorded_sentinel2_item_is_decided_by_its_own_words():
    answers = yaml.safe_load((ROOT / "stac" / "earth_search_v1_filter.cassette.yaml").read_text())["interactions"]
    bodies = [json.loads(a["response"]["body"]["string"]) for a in answers]
    items = [f for body in bodies for f in body.get("features", []) if is_sentinel2(f["properties"])]
    for item in items:
        applied = item["properties"].get("earthsearch:boa_offset_applied")
        declared = {item["assets"][b]["raster:bands"][0]["offset"] for b in ("blue", "green", "red", "nir")}
        decided = {
            decide_scaling(item["properties"], item["assets"][b]).offset for b in ("blue", "green", "red", "nir")
        }
        assert declared == {-0.1}, "raster:bands always says -0.1"
        assert decided == ({0.0} if applied else {-0.1})


@pytest.mark.parametrize(
    ("properties", "asset", "offset"),
    [
        (S2, DECLARED, -0.1),
        (S2, {}, -0.1),
        ({**S2, "earthsearch:boa_offset_applied": True}, DECLARED, 0.0),
        ({**S2, "earthsearch:boa_offset_applied": False}, DECLARED, -0.1),
        ({**S2, "s2:processing_baseline": "03.01"}, {}, 0.0),
        ({**S2, "s2:processing_baseline": "03.01"}, DECLARED, 0.0),
        ({"platform": "sentinel-2a", "s2:product_uri": "S2A_MSIL2A_20230101T0_N0400_R1_T1_2.SAFE"}, {}, -0.1),
        ({"platform": "sentinel-2a"}, DECLARED, -0.1),
        ({"platform": "sentinel-2a"}, {}, -0.1),  # assumed: dark pixels may take it back
        ({"platform": "sentinel-2a", "sentinel:product_id": "S2A_MSIL2A_20200605T030541_N0214_R075_T50SLD_2"}, {}, 0.0),
        ({"platform": "sentinel-2b", "sentinel:processing_baseline": "04.00"}, {}, -0.1),
        ({**S2, "sentinel:boa_offset_applied": True}, {}, 0.0),
        ({"constellation": "Sentinel 2", "processing:version": "05.00"}, {"raster:offset": -0.1}, -0.1),
    ],
)
def test_offset_of_sentinel2(properties, asset, offset):
    assert decide_scaling(properties, asset).offset == pytest.approx(offset)


def test_the_sensing_date_is_no_signal():
    old = {**S2, "datetime": "2016-01-01T00:00:00Z"}
    new = {**S2, "datetime": "2024-01-01T00:00:00Z"}
    assert decide_scaling(old, DECLARED) == decide_scaling(new, DECLARED)


def test_other_sensors_keep_what_the_item_says():
    asset = {"raster:bands": [{"scale": 0.5, "offset": 2}, {"scale": 0.25}]}
    assert decide_scaling({"platform": "x"}, asset, 0).offset == 2
    assert decide_scaling({"platform": "x"}, asset, 1).scale == 0.25
    assert decide_scaling({}, {"raster:bands": [{"data_type": "uint8"}]}).scale == pytest.approx(1 / 255)
    assert decide_scaling({}, {"bands": [{"raster:scale": 0.01}]}).scale == 0.01


def test_an_offset_that_makes_water_negative_is_taken_back():
    rng = np.random.default_rng(0)
    applied = rng.normal(1500, 400, 5000).clip(50)  # 50 DN is 0.005: the offset was subtracted by the provider
    scaling = check_dark_pixels(decide_scaling(S2, DECLARED), applied)
    assert scaling.offset == 0
    assert "dark pixels" in scaling.why


def test_an_offset_that_fits_the_numbers_stays():
    numbers = np.random.default_rng(0).normal(2500, 400, 5000).clip(1020)
    assert check_dark_pixels(decide_scaling(S2, DECLARED), numbers).offset == pytest.approx(-0.1)


def test_numbers_that_end_at_1000_without_an_offset_are_called_doubtful_but_kept():
    wrong = decide_scaling({**S2, "earthsearch:boa_offset_applied": True}, DECLARED)
    checked = check_dark_pixels(wrong, np.linspace(1010, 4000, 5000))
    assert checked.offset == 0
    assert "doubtful" in checked.why


def test_baseline_is_read_from_the_product_name():
    assert processing_baseline({"s2:product_uri": "S2B_MSIL2A_20190629T212529_N0212_R043_T06VVN_2.SAFE"}) == "02.12"
    assert processing_baseline({"processing:version": "v1.2.3"}) is None


@pytest.mark.parametrize(
    ("name", "scale", "offset"),
    [
        ("LC08_L2SP_122036_20210503_20210517_02_T1", 2.75e-5, -0.2),
        ("LC09_L2SR_122036_20230503_20230505_02_T1_SR", 2.75e-5, -0.2),
        ("HLS.S30.T50SKE.2021120T030541.v2.0", 1e-4, 0.0),
        ("HLS.L30.T50SKE.2021120T025512.v2.0", 1e-4, 0.0),
    ],
)
def test_products_of_landsat_and_hls_that_do_not_say_their_scale_are_known_by_name(name, scale, offset):
    for platform in ("landsat-8", "sentinel-2a"):  # HLS S30 is Sentinel-2's, without ESA's offset
        scaling = decide_scaling({"platform": platform}, {}, data_type="int16", name=name)
        assert (scaling.scale, scaling.offset, scaling.assumed) == (scale, offset, True)
    stated = decide_scaling({}, {"raster:bands": [{"scale": 0.5, "offset": 0.1}]}, data_type="int16", name=name)
    assert (stated.scale, stated.offset) == (0.5, 0.1)
    assert decide_scaling({}, {}, data_type="float32", name=name).scale == 1.0
