"""Items of catalogues, read as they are kept on a disk and as a server has them: scale and offset are decided once."""

import json

import numpy as np
import pytest
import rasterio
from made_scenes import (
    BANDS,
    assert_is,
    cdse,
    earth_search_v0,
    earth_search_v1,
    planetary_computer,
    read,
    truth,
    write,
)
from range_server import serve_files
from rasterio.warp import transform_geom
from shapely.geometry import box, mapping

from crossres.acquire.download import download
from crossres.errors import UserError
from crossres.imagery.scene import open_scene
from crossres.settings.acquire import AcquireSettings
from crossres.settings.grid import GridSettings

GROUND = truth(4)
BRIGHT = GROUND + 0.2
"""Without dark pixels, that could prove a decision wrong."""
APPLIED = {"earthsearch:boa_offset_applied": True}


def changed(path, asset=None, remove=(), **properties):
    """Give all assets of an item other fields, and the item other properties."""
    content = json.loads(path.read_text())
    content["properties"] |= {key.replace("__", ":"): value for key, value in properties.items()}
    for key in remove:
        content["properties"].pop(key, None)
    for one in content["assets"].values():
        for key in remove:
            one.pop(key, None)
        one |= asset or {}
    path.write_text(json.dumps(content))
    return path


CATALOGUES = {
    "Earth Search v0, offset applied": lambda folder: earth_search_v0(
        folder, BRIGHT, **{"sentinel:boa_offset_applied": True, "sentinel:processing_baseline": "04.00"}
    ),
    "Earth Search v0, before offsets": lambda folder: earth_search_v0(
        folder, BRIGHT, **{"sentinel:product_id": "S2A_MSIL2A_20200605T030541_N0214_R075_T50SLD_20200605T060000"}
    ),
    "Earth Search v1, with its flag": lambda folder: earth_search_v1(folder, BRIGHT, **APPLIED),
    "Earth Search v1, its flag in words": lambda folder: earth_search_v1(
        folder, BRIGHT, **{"earthsearch:boa_offset_applied": "True"}
    ),
    "Earth Search v1, Collection 1": lambda folder: earth_search_v1(folder, BRIGHT, 1000),
    "Planetary Computer": lambda folder: planetary_computer(folder, BRIGHT),
    "CDSE, the coarsest first": lambda folder: cdse(folder, BRIGHT),
    "CDSE, the finest first": lambda folder: cdse(folder, BRIGHT, (10, 20, 60)),
}


@pytest.mark.parametrize("catalogue", CATALOGUES)
def test_each_catalogue_is_read_as_it_means_its_numbers(tmp_path, catalogue):
    found = read(CATALOGUES[catalogue](tmp_path / "in"), tmp_path / "out")
    assert_is(found, BRIGHT)
    assert found.assumed == ""


@pytest.mark.parametrize("catalogue", ["Earth Search v1, Collection 1", "CDSE, the coarsest first"])
def test_a_url_of_an_item_gives_the_same(tmp_path, catalogue):
    CATALOGUES[catalogue](tmp_path / "www")
    with serve_files(tmp_path / "www") as server:
        assert_is(read(f"{server.url}/item.json?sig=secret", tmp_path / "out"), BRIGHT)


def test_a_flag_that_dark_pixels_disprove_is_not_followed(tmp_path):
    """Earth Search's items that say that the offset is to be applied, of which it is already."""
    item = earth_search_v1(tmp_path / "in", GROUND, **{"earthsearch:boa_offset_applied": False})
    found = read(item, tmp_path / "out")
    assert_is(found, GROUND)
    assert "but dark pixels show that the offset is applied already" in found.properties["crossres:radiometry"]


def test_numbers_whose_darkest_are_near_1000_although_no_offset_is_said_to_be_in_them_are_doubted_aloud(tmp_path):
    found = read(earth_search_v1(tmp_path / "in", GROUND, 1000, **APPLIED), tmp_path / "out")
    assert_is(found, GROUND + 0.1)
    assert "doubtful, the darkest pixels are near 1000" in found.assumed


def test_a_baseline_goes_before_raster_bands_and_the_difference_is_said(tmp_path):
    said = {"raster:bands": [{"scale": 1e-4, "offset": 0, "nodata": 0}]}
    found = read(changed(earth_search_v1(tmp_path / "in", BRIGHT, 1000), said), tmp_path / "out")
    assert_is(found, BRIGHT)
    assert "processing baseline 05.11; doubtful, the item says offset 0" in found.assumed
    applied = read(changed(earth_search_v1(tmp_path / "dark", GROUND), said), tmp_path / "applied")
    assert_is(applied, GROUND)


def test_a_baseline_of_people_s_own_processing_says_nothing(tmp_path):
    item = changed(earth_search_v1(tmp_path / "in", BRIGHT, 1000), s2__processing_baseline="99.99")
    assert_is(read(item, tmp_path / "out"), BRIGHT)  # by raster:bands
    assert_is(read(changed(item, remove=("raster:bands",)), tmp_path / "b"), BRIGHT)  # assumed
    none = changed(
        earth_search_v1(tmp_path / "none", GROUND), s2__processing_baseline="99.99", remove=("raster:bands",)
    )
    assert_is(read(none, tmp_path / "c"), GROUND)  # by dark pixels


def test_a_scale_without_offset_leaves_the_offset_open(tmp_path):
    item = earth_search_v1(tmp_path / "in", BRIGHT, 1000)
    item = changed(item, {"raster:bands": [{"scale": 1e-4}]}, remove=("s2:processing_baseline",))
    found = read(item, tmp_path / "out")
    assert_is(found, BRIGHT)
    assert "taken as Sentinel-2 L2A since baseline 04.00" in found.assumed


def test_a_product_s_name_tells_the_baseline_where_nothing_else_does(tmp_path):
    item = earth_search_v1(tmp_path / "in", BRIGHT)
    item = changed(item, remove=("raster:bands", "s2:processing_baseline"))
    name = "S2A_MSIL2A_20200605T030541_N0214_R075_T50SLD_20200605T060000"
    content = json.loads(item.read_text())
    item.write_text(json.dumps({**content, "id": name}))
    found = read(item, tmp_path / "out")
    assert_is(found, BRIGHT)
    assert "of processing baseline 02.14, as the name says" in found.assumed


def test_tags_of_a_file_count_where_the_item_says_nothing_and_are_told_where_they_differ(tmp_path):
    item = earth_search_v1(tmp_path / "in", BRIGHT)
    for path in item.parent.glob("*.tif"):
        with rasterio.open(path, "r+") as dst:
            dst.scales, dst.offsets = (1e-4,), (0.0,)
    silent = changed(item, remove=("raster:bands", "s2:processing_baseline"))
    found = read(silent, tmp_path / "silent")
    assert_is(found, BRIGHT)
    assert found.assumed == ""
    other = earth_search_v1(tmp_path / "other", BRIGHT, 1000)
    for path in other.parent.glob("*.tif"):
        with rasterio.open(path, "r+") as dst:
            dst.scales, dst.offsets = (1e-3,), (0.0,)
    found = read(other, tmp_path / "told")
    assert_is(found, BRIGHT)
    assert "the file says scale 0.001, offset 0" in found.properties["crossres:radiometry"]


def test_scale_and_offset_of_stac_1_1_are_read(tmp_path):
    item = earth_search_v1(tmp_path / "in", BRIGHT, 1000)
    bands = [{"raster:scale": 1e-4, "raster:offset": -0.1, "nodata": 0, "data_type": "uint16"}]
    assert_is(read(changed(item, {"bands": bands}, ("raster:bands", "s2:processing_baseline")), tmp_path / "o"), BRIGHT)


def test_a_single_band_of_stac_1_1_may_be_described_by_its_asset_alone(tmp_path):
    item = earth_search_v1(tmp_path / "in", BRIGHT, 1000)
    content = json.loads(item.read_text())
    assets = {
        f"image-{band}": {"href": asset["href"], "eo:common_name": band, "raster:scale": 1e-4, "raster:offset": -0.1}
        for band, asset in content["assets"].items() if band in BANDS
    }  # fmt: skip
    del content["properties"]["s2:processing_baseline"]
    item.write_text(json.dumps({**content, "assets": assets}))
    assert_is(read(item, tmp_path / "out"), BRIGHT)


def test_a_file_has_as_many_bands_as_stac_1_1_describes(tmp_path):
    two = {"bands": [{"name": "B04", "data_type": "uint16"}, {"name": "other", "data_type": "uint16"}]}
    item = changed(earth_search_v1(tmp_path / "low", BRIGHT, 1000), two, remove=("raster:bands",))
    with pytest.raises(UserError, match="has 1 bands, its item describes 2"):
        read(item, tmp_path / "out")


@pytest.mark.parametrize(
    "said",
    [{"scale": "0.0001"}, {"scale": True}, {"scale": 0}, {"scale": [1e-4]}, {"offset": "nan"}, {"offset": True},
     {"offset": -1000}, {"offset": 10}, {"scale": -1e-4}, {"scale": 1e7}, {"nodata": True}, {"nodata": "none"}],
)  # fmt: skip
def test_raster_bands_that_cannot_be_are_refused_by_the_item_s_name(tmp_path, said):
    item = earth_search_v1(tmp_path / "low", BRIGHT, 1000)
    said = {"raster:bands": [{"scale": 1e-4, "offset": -0.1, **said}]}
    with pytest.raises(UserError, match=r"^item low: .*(mend the item|set scale and offset)") as caught:
        read(changed(item, said, remove=("s2:processing_baseline",)), tmp_path / "out")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "wrong",
    [{"eo:bands": "x"}, {"eo:bands": [None]}, {"eo:bands": [{"common_name": 5}]}, {"raster:bands": [1]},
     {"raster:bands": {"0": 1}}, {"roles": "data"}, {"type": 5}, {"gsd": "10"}, {"file:checksum": 5}],
)  # fmt: skip
def test_fields_of_other_types_are_as_if_they_were_not_there(tmp_path, wrong):
    assert_is(read(changed(earth_search_v1(tmp_path / "in", BRIGHT, 1000), wrong), tmp_path / "out"), BRIGHT)


def test_an_item_with_a_byte_order_mark_is_read(tmp_path):
    item = earth_search_v1(tmp_path / "in", BRIGHT, 1000)
    item.write_bytes(b"\xef\xbb\xbf" + item.read_bytes())
    assert_is(read(item, tmp_path / "out"), BRIGHT)


def test_bands_within_a_hundredth_of_a_pixel_are_on_one_grid_and_others_are_not(tmp_path):
    item = earth_search_v1(tmp_path / "in", BRIGHT, 1000)
    path = item.parent / "nir.tif"
    with rasterio.open(path) as src:
        values, place = src.read(), src.transform
    write(path, values, rasterio.Affine(place.a, 0, place.c + 1e-4, 0, place.e, place.f - 1e-3), nodata=0)
    assert_is(read(item, tmp_path / "near"), BRIGHT)
    write(path, values, rasterio.Affine(place.a, 0, place.c + 5, 0, place.e, place.f), nodata=0)
    with pytest.raises(UserError, match="bands blue and nir are on different grids"):
        read(item, tmp_path / "far")


def test_other_sensors_keep_what_they_say_and_whole_numbers_without_a_scale_are_refused(tmp_path):
    item = earth_search_v1(tmp_path / "in", GROUND)
    gone = ("s2:processing_baseline", "raster:bands", "constellation")
    item = changed(item, remove=gone, platform="venus")
    with pytest.raises(UserError, match=r"median reflectance of blue is \d+ at scale 1"):
        read(item, tmp_path / "out")
    item = changed(item, {"raster:bands": [{"scale": 1e-4, "offset": 0.0}]})
    assert_is(read(item, tmp_path / "out"), GROUND)


def test_download_of_a_search_s_item_and_the_door_give_the_same(tmp_path):
    item = earth_search_v1(tmp_path / "in", GROUND, **{"earthsearch:boa_offset_applied": False})
    with rasterio.open(item.parent / "red.tif") as src:
        region = transform_geom(src.crs, "EPSG:4326", mapping(box(*src.bounds)))
    content = json.loads(item.read_text())
    item.write_text(json.dumps({**content, "geometry": region}))
    download(AcquireSettings(), GridSettings(bands=BANDS), item, None, tmp_path / "download")
    scene = open_scene(tmp_path / "download" / "reflectance.tif")
    np.testing.assert_array_equal(scene.reflectance.values, read(item, tmp_path / "out").values)
