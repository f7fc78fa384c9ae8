"""The STAC items that are written: valid, and understood by what reads those of others."""

from datetime import UTC, datetime

import numpy as np
import pystac
import pystac.validation
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely.geometry import box

from crossres.acquire.pairing.claims import claimed_region
from crossres.acquire.stac.items import common_names
from crossres.grids import grid_outline
from crossres.imagery.items import derived_from, grid_fields, new_item, raster_asset, write_catalog
from crossres.imagery.numbers import CODES, REFLECTANCE_DN, STD_DN, Encoding
from crossres.sensors.scaling import decide_scaling, declared_nodata

UTM = GeoBox((40, 50), Affine(10, 0, 500_000, 0, -10, 4_000_000), "EPSG:32650")
BANDS = ("blue", "nir", None, "soil")
TIME = datetime(2023, 5, 1, 3, tzinfo=UTC)


def an_item(grid=UTM, time=TIME, encoding=REFLECTANCE_DN):
    assets = {"image": raster_asset("./a.tif", BANDS, encoding), "mask": raster_asset("./m.tif", ("mask",), CODES)}
    links = [derived_from("../in/lr.tif", "LR scene"), derived_from("https://a.org/x?y=1")]
    return new_item("a", grid_outline(grid), time, {**grid_fields(grid), "view:sun_azimuth": 150.0}, assets, links)


@pytest.mark.parametrize("encoding", [REFLECTANCE_DN, STD_DN, CODES, Encoding("float32", np.nan)])
@pytest.mark.parametrize("time", [TIME, None])
def test_an_item_is_valid_stac_1_1_and_declares_what_it_uses(time, encoding):
    item = an_item(time=time, encoding=encoding)
    pystac.validation.validate_dict({**item, "stac_extensions": []})
    used = {url.split("/")[3] for url in item["stac_extensions"]}
    assert used == {"eo", "projection", "view"} | ({"raster"} if encoding.scale else set())
    assert ("start_datetime" in item["properties"]) == (time is None)


def test_what_is_written_of_bands_is_what_is_read():
    asset = an_item()["assets"]["image"]
    assert common_names(asset) == ["blue", "nir", None, "soil"]
    for band in range(len(BANDS)):
        scaling = decide_scaling({}, asset, band)
        assert (scaling.scale, scaling.offset, scaling.assumed) == (1e-4, -0.1, False)
        assert declared_nodata(asset, band) == 0
    assert np.isnan(declared_nodata(raster_asset("a.tif", BANDS, Encoding("float32", np.nan))))
    assert declared_nodata(raster_asset("a.tif", BANDS, CODES)) is None
    # The extension knows no other names; the band keeps its own.
    assert asset["bands"][3] == {"name": "soil"}


@pytest.mark.parametrize("crs", ["EPSG:32650", "+proj=tmerc +lon_0=117.5 +x_0=500000 +ellps=WGS84"])
def test_the_place_of_a_grid_is_read_back_from_its_fields_alone(crs):
    item = an_item(GeoBox(UTM.shape, UTM.affine, crs))
    assert (item["properties"]["proj:code"] is None) == (crs != "EPSG:32650")
    found = claimed_region({**item, "geometry": None, "bbox": None}, "a")
    assert found.symmetric_difference(box(*item["bbox"])).area < 0.02 * found.area


def test_links_say_the_kind_of_file_where_its_name_tells():
    assert an_item()["links"] == [
        {"rel": "derived_from", "href": "../in/lr.tif", "type": "image/tiff; application=geotiff", "title": "LR scene"},
        {"rel": "derived_from", "href": "https://a.org/x?y=1"},
    ]


def test_a_catalogue_is_valid_and_leads_to_its_items(tmp_path):
    write_catalog(tmp_path, "mine", [an_item()])
    catalog = pystac.Catalog.from_file(str(tmp_path / "catalog.json"))
    pystac.validation.validate_dict(catalog.to_dict())
    assert [item.id for item in catalog.get_items()] == ["a"]
