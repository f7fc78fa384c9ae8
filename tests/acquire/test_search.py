"""Scenes of both sources become pairs; what is left out is listed with its reason."""

import csv
import json
import re
from pathlib import Path

import geopandas
import numpy as np
import pystac
import pytest
import rasterio
from rasterio.transform import from_bounds
from real_data import ROOT, needs_real_data
from shapely.geometry import box, mapping, shape
from web import serve

from crossres.acquire.catalog import catalog_folder
from crossres.acquire.regions import area_km2
from crossres.acquire.search import search
from crossres.acquire.search_area import read_area
from crossres.errors import UserError
from crossres.settings.grid import GridSettings
from crossres.settings.search import (
    CatalogSource,
    FolderSource,
    SearchSettings,
    SensorSettings,
    StacApiSource,
)

CATALOG = CatalogSource(kind="catalog", href="unused")
RGBN = GridSettings()


def settings(**changes) -> SearchSettings:
    return SearchSettings(**{"lr": CATALOG, "hr": CATALOG, **changes})


def item(name, bounds=(10.0, 50.0, 10.1, 50.1), time="2021-06-01T10:00:00Z", href="{name}/{band}.tif", **properties):
    folder = re.sub("[^a-z0-9]", "_", name)[:40]
    assets = {
        band: {"href": href.format(name=folder, band=band), "eo:bands": [{"name": band, "common_name": band}]}
        for band in ("blue", "green", "red", "nir")
    }
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": name, "geometry": mapping(box(*bounds)),
        "bbox": list(bounds), "properties": {"datetime": time, "platform": "sentinel-2a", **properties},
        "assets": assets, "links": [],
    }  # fmt: skip


def write_raster(path: Path, bounds, value=1) -> None:
    """Write 20 x 20 pixels that lie between bounds in degrees."""
    path.parent.mkdir(parents=True, exist_ok=True)
    place = dict(crs="EPSG:4326", transform=from_bounds(*bounds, 20, 20), width=20, height=20)
    with rasterio.open(path, "w", driver="GTiff", count=1, dtype="uint8", **place) as dst:
        dst.write(np.full((20, 20), value, np.uint8), 1)


def write_rasters(content, folder: Path) -> None:
    """Write those bands of an item that lie in its own folder where its geometry says."""
    for band in ("blue", "green", "red", "nir"):
        href = content["assets"].get(band, {}).get("href", "/")
        if "/" in href and ":" not in href and not href.startswith(("/", ".")) and not (folder / href).exists():
            write_raster(folder / href, shape(content["geometry"]).bounds)


def catalog(folder: Path, *items) -> str:
    """Write a catalogue whose items stand in a child collection, with their rasters."""
    (folder / "child").mkdir(parents=True)
    links = []
    for content in items:
        write_rasters(content, folder / "child")
        (folder / "child" / f"{content['id']}.json").write_text(json.dumps(content))
        links.append({"rel": "item", "href": f"./{content['id']}.json"})
    root = {"type": "Catalog", "stac_version": "1.0.0", "id": "x", "description": "x"}
    child = {"rel": "child", "href": "./child/catalog.json"}
    (folder / "catalog.json").write_text(json.dumps({**root, "links": [child]}))
    (folder / "child" / "catalog.json").write_text(json.dumps({**root, "links": links}))
    return str(folder / "catalog.json")


def run(tmp_path, lr, hr, **changes):
    """Search, and return (scenes, pairs, reasons by id)."""
    out = tmp_path / "items"
    search(settings(**changes), RGBN, catalog(tmp_path / "lr", *lr), catalog(tmp_path / "hr", *hr), out)
    return read(out)


def read(out):
    scenes, pairs = ({p.stem: json.loads(p.read_text()) for p in (out / d).glob("*.json")} for d in ("scenes", "pairs"))
    reasons = {row["id"]: row["reason"] for row in csv.DictReader((out / "declined.csv").open())}
    return scenes, pairs, reasons


def test_a_pair_names_its_scenes_and_their_regions(tmp_path):
    scenes, pairs, _ = run(tmp_path, [item("low")], [item("high", (10.02, 50.02, 10.05, 50.05))])
    pair = pairs["high--low"]
    assert (pair["lr"], pair["hr"], pair["date_gap_days"]) == ("low", "high", 0)
    assert pair["overlap_km2"] == pytest.approx(7.15, rel=0.02)
    assert scenes["low"]["properties"]["crossres:role"] == "lr"
    low, high = (shape(scenes[n]["properties"]["crossres:region"]) for n in ("low", "high"))
    assert high.equals_exact(shape(pair["geometry"]), 1e-6)
    grown = (low.bounds[0] - high.bounds[0]) * 71_700, (low.bounds[1] - high.bounds[1]) * 111_250
    assert grown == pytest.approx((-200, -200), abs=5)


def test_hrefs_are_relative_to_the_written_item(tmp_path):
    scenes, _, _ = run(tmp_path, [item("low")], [item("high", href="https://a.org/{band}.tif?sig=secret&page=1")])
    href = scenes["low"]["assets"]["red"]["href"]
    assert (tmp_path / "items" / "scenes" / href).resolve() == (tmp_path / "lr" / "child" / "low" / "red.tif").resolve()
    assert not href.startswith("/")
    assert scenes["high"]["assets"]["red"]["href"] == "https://a.org/red.tif?page=1"
    for path in (tmp_path / "items" / "scenes").glob("*.json"):
        assert pystac.Item.from_file(str(path)).id == path.stem


def test_the_nearest_clear_scene_that_covers_most_is_chosen(tmp_path):
    lr = [
        item("cloudy", **{"eo:cloud_cover": 90.0}),
        item("hazy", **{"eo:cloud_cover": 35.0}),
        item("late", time="2021-06-20T10:00:00Z"),
        item("near", time="2021-06-03T10:00:00Z"),
        item("half", (10.0, 50.0, 10.05, 50.1)),
        item("no-nir"),
        item("far", (20.0, 50.0, 20.1, 50.1)),
    ]
    del lr[5]["assets"]["nir"]
    _, pairs, reasons = run(tmp_path, lr, [item("high")])
    assert list(pairs) == ["high--near"]
    assert "cloud cover 90 %" in reasons["cloudy"]
    assert "no band 'nir'" in reasons["no-nir"]
    assert all("no pair uses it" in reasons[n] for n in ("hazy", "late", "half", "far"))


def test_area_and_time_range_limit_both_sources(tmp_path):
    area = tmp_path / "area.geojson"
    geopandas.GeoDataFrame(geometry=[box(10.0, 50.0, 10.03, 50.03)], crs=4326).to_crs(32632).to_file(area)
    lr = [item("low"), item("old", time="2020-06-01T10:00:00Z")]
    hr = [item("high"), item("outside", (10.05, 50.05, 10.1, 50.1))]
    _, pairs, reasons = run(tmp_path, lr, hr, area=str(area), datetime="2021-05-01/2021-06-01")
    assert list(pairs) == ["high--low"]
    assert area_km2(shape(pairs["high--low"]["geometry"])) == pytest.approx(7.15, rel=0.02)
    assert reasons["outside"] == "outside of search.area"
    assert reasons["old"] == "outside of search.datetime"


@pytest.mark.parametrize(
    ("lr", "hr", "changes", "message"),
    [
        ({"time": "2021-09-01T10:00:00Z"}, {}, {}, r"nearest dates 92 days apart \(search.max_date_gap_days is 30\)"),
        ({"bounds": (20, 50, 20.1, 50.1)}, {}, {}, "no pair: high: no LR scene overlaps it"),
        ({}, {"bounds": (10.0999, 50, 10.2, 50.1)}, {}, "search.min_overlap_km2 is 0.5"),
        ({"eo:cloud_cover": 77}, {}, {}, "no LR scene can be used; low: cloud cover 77 %"),
        ({}, {}, {"area": (0, 0, 1, 1)}, "no LR scene can be used; low: outside of search.area"),
        ({}, {}, {"area": (5, 0, 1, 1)}, "search.area"),
        ({}, {}, {"area": "/absent.gpkg"}, "no such file"),
        ({}, {}, {"datetime": "2022-01-01/2021-01-01"}, "ends before it starts"),
        ({}, {}, {"datetime": "May"}, "search.datetime"),
    ],
)
def test_when_nothing_pairs_one_line_says_why(tmp_path, lr, hr, changes, message):
    with pytest.raises(UserError, match=message) as caught:
        run(tmp_path, [item("low", **lr)], [item("high", **hr)], **changes)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "items").exists()


def test_a_stac_api_needs_an_area(tmp_path):
    api = StacApiSource(kind="stac-api", url="https://example.org", collections=("x",))
    with pytest.raises(UserError, match="needs an area"):
        search(settings(lr=api), RGBN, None, catalog(tmp_path / "hr", item("high")), tmp_path / "items")


def test_a_stac_api_is_paged_through_its_failures(tmp_path):
    low = [item(f"low{i}", time=f"2021-06-0{i + 1}T10:00:00Z", href="https://a.org/{band}.tif") for i in range(3)]
    with serve(tmp_path, low, fail_every=3) as url:
        api = StacApiSource(kind="stac-api", url=url, collections=("x",))
        hr = catalog(tmp_path / "hr", item("high", time="2021-06-03T10:00:00Z"))
        search(settings(lr=api, area=(10, 50, 11, 51)), RGBN, None, hr, tmp_path / "items")
    scenes, pairs, _ = read(tmp_path / "items")
    assert list(pairs) == ["high--low2"]
    assert scenes["low2"]["assets"]["red"]["href"] == "https://a.org/red.tif"


def test_a_catalogue_over_http_with_a_hostile_item(tmp_path):
    hostile = [item("h1", href="file:///etc/passwd"), item("h2", href="/etc/{band}"), item("h3", href="vrt:///x")]
    catalog(tmp_path / "www", item("low"), *hostile)
    with serve(tmp_path / "www") as url:
        hr = catalog(tmp_path / "hr", item("high"))
        search(settings(), RGBN, f"{url}/catalog.json", hr, tmp_path / "items")
        scenes, _, reasons = read(tmp_path / "items")
        assert scenes["low"]["assets"]["red"]["href"] == f"{url}/child/low/red.tif"
        with pytest.raises(UserError, match=r"absent\.json: cannot be read"):
            search(settings(), RGBN, f"{url}/absent.json", hr, tmp_path / "items")
    assert all("may not point to a local file" in reasons[n] for n in ("h1", "h2", "h3"))


@pytest.mark.parametrize("content", ["{", "[]", '{"type": "Catalog", "links": [{"rel": "item", "href": "no.json"}]}'])
def test_a_broken_catalogue_is_named(tmp_path, content):
    (tmp_path / "catalog.json").write_text(content)
    with pytest.raises(UserError, match=r"\.json"):
        search(settings(), RGBN, str(tmp_path / "catalog.json"), str(tmp_path / "catalog.json"), tmp_path / "items")


def test_scenes_of_several_sources_are_paired_whatever_the_order_of_the_sources(tmp_path):
    low = [item("low", time="2021-06-05T10:00:00Z")], [item("near", time="2021-06-02T10:00:00Z")]
    high = [item("a"), item("b", (10.0, 50.0, 10.05, 50.05))], [item("c", (10.05, 50.05, 10.1, 50.1)), item("a")]
    lr, hr = (
        [catalog(tmp_path / f"{role}{i}", *c) for i, c in enumerate(s)] for role, s in (("lr", low), ("hr", high))
    )
    written = []
    for order in (1, -1):
        out = tmp_path / "items"
        search(settings(lr=(CATALOG, CATALOG), hr=[CATALOG] * 2), RGBN, lr[::order], hr[::order], out)
        written.append({p.relative_to(out): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()})
    _, pairs, reasons = read(tmp_path / "items")
    assert sorted(pairs) == ["a--near", "b--near", "c--near"]
    assert "low" in reasons
    assert written[0].keys() == written[1].keys()
    assert [path for path in written[0] if written[0][path] != written[1][path]] == []


def test_different_scenes_of_one_id_keep_apart_and_strange_ids_stay_unique(tmp_path):
    east = (10.05, 50.0, 10.1, 50.1)
    hr = [item("same"), item("a b"), item("a/b"), item("x" * 300)]
    lr = [item("low", (9.9, 49.9, 10.2, 50.2)), item("same", east, time="2021-06-02T10:00:00Z")]
    for number, one in enumerate((*hr, *lr)):
        for asset in one["assets"].values():
            asset["href"] = f"{number}/{asset['href'].rpartition('/')[2]}"
        write_rasters(one, tmp_path / "a")
    names = iter("abcdefgh")
    hrefs = {}
    for role, found in (("lr", lr), ("hr", hr)):
        for one in found:
            (tmp_path / "a" / f"{(name := next(names))}.json").write_text(json.dumps(one))
            hrefs.setdefault(role, []).append({"rel": "item", "href": f"{name}.json"})
        root = {"type": "Catalog", "id": role, "links": hrefs[role]}
        (tmp_path / "a" / f"{role}.json").write_text(json.dumps(root))
    search(settings(), RGBN, str(tmp_path / "a/lr.json"), str(tmp_path / "a/hr.json"), tmp_path / "items")
    scenes, pairs, _ = read(tmp_path / "items")
    high = sorted(name for name in scenes if scenes[name]["properties"]["crossres:role"] == "hr")
    assert len(high) == len(pairs) == 4
    assert [name.rpartition("-")[0] for name in high] == ["a_b", "a_b", "same", "x" * 100]
    assert all(scenes[name]["id"] == name for name in scenes)


def test_a_scene_cannot_be_both_sides_of_a_pair(tmp_path):
    _, pairs, reasons = run(tmp_path, [item("low"), item("both")], [item("both"), item("high")])
    assert list(pairs) == ["high--both"]
    assert reasons["both"] == "is an LR scene, too"


def test_the_same_search_gives_the_same_bytes(tmp_path):
    run(tmp_path, [item("low"), item("low2")], [item("b"), item("a")])
    files = sorted(p for p in (tmp_path / "items").rglob("*") if p.is_file())
    before = [p.read_bytes() for p in files]
    search(settings(), RGBN, str(tmp_path / "lr/catalog.json"), str(tmp_path / "hr/catalog.json"), tmp_path / "items")
    assert [p.read_bytes() for p in files] == before


def test_an_area_is_read_whatever_its_attributes_are_encoded_in(tmp_path):
    table = geopandas.GeoDataFrame({"名称": ["地区"]}, geometry=[box(10, 50, 11, 51)], crs=4490)
    table.to_file(tmp_path / "area.shp", encoding="GBK")
    (tmp_path / "area.cpg").unlink()
    assert read_area(str(tmp_path / "area.shp")).bounds == pytest.approx((10, 50, 11, 51), abs=1e-9)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.geojson", b"", "not a vector file"),
        ("a.geojson", b'{"type": "FeatureCollection", "fea', "not a vector file"),
        ("a.geojson", b'{"type": "FeatureCollection", "features": []}', "holds no polygon"),
        ("a.geojson", b'{"type": "Point", "coordinates": [10, 50]}', "holds no polygon"),
        ("a.geojson", b'{"type": "Polygon", "coordinates": [[[10, 50], [10, 50], [10, 50], [10, 50]]]}', "no polygon"),
        ("a.csv", b"a,b\n1,2\n", "holds no polygon"),
        ("a.gpkg", bytes(1000), "not a vector file"),
        ("a.txt", "\u5730\u533a".encode("gbk"), "not a vector file"),
    ],
)
def test_a_vector_file_without_an_area_is_one_line(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_area(str(tmp_path / name))
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_an_area_without_a_crs_or_with_one_that_it_is_not_in_is_one_line(tmp_path):
    geopandas.GeoDataFrame(geometry=[box(0, 0, 1, 1)]).to_file(tmp_path / "none.gpkg")
    with pytest.raises(UserError, match="has no coordinate reference system"):
        read_area(str(tmp_path / "none.gpkg"))
    geopandas.GeoDataFrame(geometry=[box(1e9, 1e9, 2e9, 2e9)], crs=32632).to_file(tmp_path / "far.gpkg")
    with pytest.raises(UserError, match=r"far\.gpkg: (cannot be brought to degrees|holds no polygon)"):
        read_area(str(tmp_path / "far.gpkg"))


def test_what_a_source_cannot_give_is_declined_and_said(tmp_path, caplog):
    lr = catalog(tmp_path / "lr", item("low"))
    path = tmp_path / "lr" / "child" / "catalog.json"
    content = json.loads(path.read_text())
    content["links"] += [{"rel": "item", "href": f"./absent{i}.json"} for i in range(9)]
    path.write_text(json.dumps(content))
    search(settings(), RGBN, lr, catalog(tmp_path / "hr", item("high")), tmp_path / "items")
    _, pairs, reasons = read(tmp_path / "items")
    assert list(pairs) == ["high--low"]
    assert sum("absent" in name for name in reasons) == 9
    assert sum("absent" in record.message for record in caplog.records) == 5
    assert "4 more that this source could not give" in caplog.text


@needs_real_data
def test_a_real_sentinel2_and_three_aerial_frames_make_three_pairs(tmp_path):
    for role, pattern, time in (("lr", "sentinel2_*.tif", "2015-10-03"), ("hr", "ngi_*.tif", "2010-01-22")):
        sensor = SensorSettings(bands=("red", "green", "blue"), scale=1 / 255, datetime=time)
        source = FolderSource(kind="folder", path="unused", pattern=pattern, sensor=sensor)
        catalog_folder(source, ROOT / "pair_s2_ngi", tmp_path / role)
    catalogs = [str(tmp_path / role / "catalog.json") for role in ("lr", "hr")]
    search(
        settings(max_date_gap_days=3000), GridSettings(bands=("red", "green", "blue")), *catalogs, tmp_path / "items"
    )
    _, pairs, _ = read(tmp_path / "items")
    assert sorted(pairs) == [f"ngi_rgb_byte_{i}--sentinel2_b432_byte" for i in (1, 2, 3)]
    assert all(18 < pair["overlap_km2"] < 28 for pair in pairs.values())
