"""What an item says of its place is a claim: the raster's own header decides before a pair is made."""

import json
import logging
import os

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_bounds
from shapely.geometry import MultiPolygon, Polygon, box, mapping, shape
from test_search import RGBN, catalog, item, read, run, settings, write_raster
from web import serve

from crossres.acquire.pairing.candidates import candidate
from crossres.acquire.pairing.claims import NoPlaceError, claimed_region
from crossres.acquire.regions import area_km2
from crossres.acquire.search import search
from crossres.acquire.stac.offered import Offered
from crossres.errors import UserError

HERE, AWAY = (10.0, 50.0, 10.1, 50.1), (20.0, 50.0, 20.1, 50.1)
PART = (10.0, 50.0, 10.05, 50.1)
BLUE = "{name}/blue.tif"


def searched(tmp_path, lr, hr, rasters, **changes):
    """Search catalogues after the rasters of some items were written elsewhere, or with other content."""
    catalogs = catalog(tmp_path / "lr", *lr), catalog(tmp_path / "hr", *hr)
    for name, content in rasters.items():
        [path] = tmp_path.glob(f"*/child/{name}/blue.tif")
        path.write_bytes(content) if isinstance(content, bytes) else write_raster(path, content)
    search(settings(**changes), RGBN, *catalogs, tmp_path / "items")
    return read(tmp_path / "items")


def test_an_lr_scene_whose_raster_lies_elsewhere_gives_way_to_the_next_best(tmp_path):
    lr = [item("wrong"), item("good", time="2021-06-09T10:00:00Z")]
    _, pairs, reasons = searched(tmp_path, lr, [item("high")], {"wrong": AWAY})
    assert list(pairs) == ["high--good"]
    assert reasons["wrong"].startswith(
        "its raster lies elsewhere than its item says: at 20.000, 50.000, 20.100, 50.100"
    )


@pytest.mark.parametrize(
    ("content", "reason"), [(b"<html>", "no GeoTIFF"), (None, "no such file"), (b"II*\0" + bytes(20), "damaged")]
)
def test_an_lr_scene_whose_raster_is_not_there_gives_way_to_the_next_best(tmp_path, content, reason):
    lr = [item("wrong"), item("good", time="2021-06-09T10:00:00Z")]
    catalogs = catalog(tmp_path / "lr", *lr), catalog(tmp_path / "hr", item("high"))
    path = tmp_path / "lr" / "child" / "wrong" / "blue.tif"
    path.unlink() if content is None else path.write_bytes(content)
    search(settings(), RGBN, *catalogs, tmp_path / "items")
    _, pairs, reasons = read(tmp_path / "items")
    assert list(pairs) == ["high--good"]
    assert reason in reasons["wrong"]
    assert "blue.tif" in reasons["wrong"]


def test_an_lr_raster_that_holds_a_part_counts_for_that_part(tmp_path):
    lr = [item("half"), item("whole", time="2021-06-03T10:00:00Z")]
    _, pairs, _ = searched(tmp_path / "a", lr, [item("high")], {"half": PART})
    assert list(pairs) == ["high--whole"]
    _, pairs, _ = searched(tmp_path / "b", lr[:1], [item("high")], {"half": PART})
    assert pairs["high--half"]["overlap_km2"] == pytest.approx(area_km2(box(*PART)), rel=1e-3)
    assert pairs["high--half"]["score"] == pytest.approx(0.5, abs=1e-3)


def test_an_hr_scene_is_paired_where_its_raster_lies(tmp_path):
    lr = [item("here"), item("there", AWAY)]
    scenes, pairs, _ = searched(tmp_path, lr, [item("high")], {"high": AWAY})
    assert list(pairs) == ["high--there"]
    assert shape(scenes["high"]["geometry"]).symmetric_difference(box(*AWAY)).area < 1e-6
    assert scenes["high"]["bbox"] == pytest.approx(AWAY, abs=1e-6)


def test_an_hr_scene_whose_raster_lies_where_no_lr_scene_is_or_is_not_there_is_declined(tmp_path):
    high = [item("high"), item("moved"), item("gone")]
    _, pairs, reasons = searched(tmp_path, [item("low")], high, {"moved": AWAY, "gone": b"<html>"})
    assert list(pairs) == ["high--low"]
    assert reasons["moved"].startswith("its raster lies elsewhere than its item says")
    assert reasons["moved"].endswith("no LR scene overlaps it")
    assert "gone/blue.tif" in reasons["gone"]


def test_only_scenes_that_would_be_chosen_are_opened_and_how_many_is_said(tmp_path, caplog):
    lr = [item(f"low{day}", time=f"2021-06-0{day}T10:00:00Z") for day in range(1, 7)]
    with caplog.at_level(logging.INFO):
        run(tmp_path, lr, [item("a"), item("b"), item("far", AWAY)])
    assert "search: 3 rasters were opened to see where they lie" in caplog.text


def test_a_server_that_is_away_declines_nothing(tmp_path, caplog):
    away = [item(name, href="http://127.0.0.1:9/{name}/{band}.tif") for name in ("low", "low2")]
    catalog(tmp_path / "www", *away)
    with serve(tmp_path / "www") as url, caplog.at_level(logging.WARNING):
        hr = catalog(tmp_path / "hr", item("high"))
        search(settings(), RGBN, f"{url}/catalog.json", hr, tmp_path / "items")
    scenes, pairs, _ = read(tmp_path / "items")
    assert list(pairs) == ["high--low"]
    assert caplog.text.count("where scenes of this server lie is taken from their items") == 1
    assert scenes["low"]["properties"]["crossres:private_hosts"] == ["127.0.0.1"]


def test_a_file_that_is_not_on_its_server_is_declined_with_the_servers_reason(tmp_path):
    catalog(tmp_path / "www", item("gone"), item("good", time="2021-06-09T10:00:00Z"))
    (tmp_path / "www" / "child" / "gone" / "blue.tif").unlink()
    with serve(tmp_path / "www") as url:
        hr = catalog(tmp_path / "hr", item("high"))
        search(settings(), RGBN, f"{url}/catalog.json", hr, tmp_path / "items")
    _, pairs, reasons = read(tmp_path / "items")
    assert list(pairs) == ["high--good"]
    assert "gone/blue.tif: is not on its server (404)" in reasons["gone"]


def utm_item(name, **changes):
    """An item whose geometry says nothing but that knows its grid, 100 x 100 pixels of 10 m."""
    grid = {"proj:epsg": 32632, "proj:transform": [10, 0, 600_000, 0, -10, 5_600_000], "proj:shape": [100, 100]}
    return item(name, **grid) | changes


def test_where_a_geometry_says_nothing_the_grid_and_then_the_box_do():
    place = claimed_region(utm_item("a", geometry=None, bbox=None), "item a")
    assert area_km2(place) == pytest.approx(1, rel=2e-3)
    for key, value in (("proj:code", "EPSG:32632"), ("proj:wkt2", rasterio.crs.CRS.from_epsg(32632).to_wkt())):
        other = utm_item("a", geometry=None, bbox=None)
        del other["properties"]["proj:epsg"]
        other["properties"][key] = value
        assert claimed_region(other, "a").symmetric_difference(place).area < 1e-12
    in_asset = item("a") | {"geometry": None, "bbox": None}
    in_asset["properties"] |= {"proj:epsg": 32632}
    in_asset["assets"]["red"]["proj:bbox"] = [600_000, 5_599_000, 601_000, 5_600_000]
    assert claimed_region(in_asset, "a").symmetric_difference(place).area < 1e-12
    assert claimed_region(item("a") | {"geometry": None}, "a").bounds == HERE
    assert claimed_region(item("a") | {"geometry": None, "bbox": [10, 50, 0, 10.1, 50.1, 900]}, "a").bounds == HERE
    with pytest.raises(NoPlaceError, match="different places"):
        claimed_region(utm_item("a", geometry=mapping(box(*AWAY))), "a")
    belt = mapping(box(-180, 40, 180, 60))
    assert claimed_region(utm_item("a", geometry=belt), "a").equals(place)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    "geometry",
    [
        None, {}, {"type": "Polygon"}, {"type": "Polygon", "coordinates": [[[NAN, 50], [10, 50], [10, 51], [NAN, 50]]]},
        {"type": "Polygon", "coordinates": [[[INF, 50], [10, 50], [10, 51], [INF, 50]]]},
        mapping(Polygon([(50, 100), (50.1, 100), (50.1, 100.1), (50, 100.1)])), mapping(box(10, 50, 10, 50.1)),
        {"type": "Point", "coordinates": [10, 50]}, mapping(Polygon([(1, 2), (1, 2), (1, 2)])),
        {"type": "Polygon", "coordinates": [[[i * 1e-6, i % 2] for i in range(120_000)]]}, mapping(box(*AWAY)),
    ],
)  # fmt: skip
def test_where_an_item_says_nothing_of_use_its_raster_does(tmp_path, geometry):
    low = utm_item("low", geometry=None, bbox=None) if geometry == mapping(box(*AWAY)) else item("low")
    folder = catalog(tmp_path / "lr", item("low"))
    low |= {"geometry": geometry, "bbox": None}
    (tmp_path / "lr" / "child" / "low.json").write_text(json.dumps(low))
    try:
        search(settings(), RGBN, folder, catalog(tmp_path / "hr", item("high")), tmp_path / "items")
    except UserError as error:  # what is no JSON is no item
        assert "which is no number in JSON" in str(error)
        assert "NaN" in json.dumps(geometry) or "Infinity" in json.dumps(geometry)
        return
    scenes, pairs, _ = read(tmp_path / "items")
    assert list(pairs) == ["high--low"]
    assert shape(scenes["low"]["geometry"]).symmetric_difference(box(*HERE)).area < 1e-6


def test_an_item_that_is_nowhere_and_whose_raster_is_not_there_is_declined_by_name(tmp_path):
    folder = catalog(tmp_path / "lr", item("low"), item("lost"))
    (tmp_path / "lr" / "child" / "lost.json").write_text(json.dumps(item("lost") | {"geometry": None, "bbox": None}))
    (tmp_path / "lr" / "child" / "lost" / "blue.tif").unlink()
    search(settings(), RGBN, folder, catalog(tmp_path / "hr", item("high")), tmp_path / "items")
    assert "lost/blue.tif: no such file" in read(tmp_path / "items")[2]["lost"]


def test_geometries_that_cross_themselves_have_heights_or_are_in_pieces_are_mended():
    bow = Polygon([(10, 50), (10.1, 50.1), (10.1, 50), (10, 50.1)])
    assert claimed_region(item("a") | {"geometry": mapping(bow)}, "a").area == pytest.approx(0.005)
    high = {"type": "Polygon", "coordinates": [[[x, y, 300.0] for x, y in box(*HERE).exterior.coords]]}
    assert claimed_region(item("a") | {"geometry": high}, "a").equals(box(*HERE))
    overlapping = MultiPolygon([box(10, 50, 10.06, 50.1), box(10.04, 50, 10.1, 50.1)])
    assert claimed_region(item("a") | {"geometry": mapping(overlapping)}, "a").area == pytest.approx(0.01)


def test_an_outline_made_to_be_slow_is_not():
    x = np.repeat(np.linspace(10, 10.1, 20_000), 2)
    comb = Polygon(np.column_stack([x, 50 + 0.1 * (np.arange(len(x)) // 2 % 2)]))
    crossed = Polygon(np.random.default_rng(0).uniform((10, 50), (10.1, 50.1), (3000, 2)))
    for outline in (comb, crossed):
        region = claimed_region(item("a") | {"geometry": mapping(outline)}, "a")
        assert box(*HERE).buffer(1e-9).contains(region)
        assert region.area == pytest.approx(0.01, rel=0.01)


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"eo:cloud_cover": 9999}, "its eo:cloud_cover is 9999, not 0 to 100"),
        ({"eo:cloud_cover": -1}, "its eo:cloud_cover is -1"),
        ({"eo:cloud_cover": "much"}, "is no STAC item"),
        ({"view:sun_azimuth": 1e9, "view:sun_elevation": 30}, "the Sun's azimuth is 1e"),
        ({"view:sun_azimuth": 100, "view:sun_elevation": 91}, "the Sun's elevation is 91"),
        ({"datetime": "0000-01-01T00:00:00Z"}, "is not a time"),
        ({"datetime": ".."}, "is not a time"),
        ({"datetime": "0001-01-01T00:00:00+14:00"}, "in the year 1, which no image was"),
        ({"datetime": "1850-01-01T00:00:00Z"}, "in the year 1850"),
        ({"datetime": "9999-12-31T23:59:59-14:00"}, "in the year 9999"),
        ({"datetime": 20200101}, "is not a time"),
    ],
)
def test_numbers_and_times_that_cannot_be_are_declined_by_name(tmp_path, properties, reason):
    wrong = item("wrong")
    wrong["properties"] |= properties
    _, pairs, reasons = run(tmp_path, [wrong, item("low")], [item("high")])
    assert list(pairs) == ["high--low"]
    assert reason in reasons["wrong"]


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_what_is_no_number_is_no_number(value):
    for key in ("eo:cloud_cover", "view:sun_azimuth", "s2:mean_solar_zenith"):
        given = {"view:sun_azimuth": 100, "view:sun_elevation": None if key.startswith("s2") else 30} | {key: value}
        with pytest.raises(UserError, match="item a"):
            candidate(Offered(item("a", **given), "x.json"))


def test_rounding_of_a_percentage_is_forgiven():
    assert candidate(Offered(item("a", **{"eo:cloud_cover": 100.00000001}), "x")).cloud_percent == 100


def test_the_same_file_name_for_both_roles_is_a_pair(tmp_path):
    # As sets of pairs are published: lr/x.tif and hr/x.tif; one time, one place, and here even one grid.
    for hr_side in (80, 20):
        folder = tmp_path / str(hr_side)
        names = []
        for role, side, value in (("lr", 20, 1), ("hr", hr_side, 2)):
            grid = {"gsd": 200 / side, "proj:shape": [side, side]}
            one = item("x", href="x.tif", **grid)
            names.append(catalog(folder / role, one))
            place = dict(crs="EPSG:4326", transform=from_bounds(*HERE, side, side), width=side, height=side)
            with rasterio.open(
                folder / role / "child" / "x.tif", "w", driver="GTiff", count=1, dtype="uint8", **place
            ) as dst:
                dst.write(np.full((1, side, side), value, np.uint8))
        search(settings(), RGBN, *names, folder / "items")
        scenes, pairs, _ = read(folder / "items")
        [pair] = pairs.values()
        assert pair["lr"] != pair["hr"]
        for role in ("lr", "hr"):
            href = scenes[pair[role]]["assets"]["red"]["href"]
            assert os.path.realpath(folder / "items" / "scenes" / href) == str(folder / role / "child" / "x.tif")


def test_a_copy_of_one_file_under_both_roles_is_one_scene(tmp_path):
    lr, hr = ([item("both"), item(name)] for name in ("low", "high"))
    _, pairs, reasons = run(tmp_path, lr, hr)
    assert list(pairs) == ["high--both"]
    assert reasons["both"] == "is an LR scene, too"


def test_half_characters_in_ids_do_not_end_a_search(tmp_path):
    broken = item("broken")
    found = catalog(tmp_path / "lr", item("low"), broken)
    text = json.dumps(broken | {"id": "tr\ud83ae"})
    (tmp_path / "lr" / "child" / "broken.json").write_text(text)
    search(settings(), RGBN, found, catalog(tmp_path / "hr", item("high")), tmp_path / "items")
    _, pairs, reasons = read(tmp_path / "items")
    assert list(pairs) == ["high--low"]
    assert any("half of a character" in reason for reason in reasons.values())
