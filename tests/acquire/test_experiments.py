"""The experiments of config/ find the right pairs in what real servers answered."""

import csv
import json
from pathlib import Path

import pytest
from made_gaofen2 import NAME, members, write_archive
from real_data import needs_real_data
from recorded_servers import EARTH_SEARCH, NAIP, recorded
from shapely.geometry import box, mapping, shape

from crossres.acquire.catalog import catalog_gaofen2
from crossres.acquire.regions import area_km2
from crossres.acquire.search import search
from crossres.acquire.search_area import read_area
from crossres.settings.config import Config, load

CONFIG = Path(__file__).parents[2] / "config"


def with_servers(config: Config, **urls: str) -> Config:
    """Return an experiment whose STAC APIs are those of a test, and whose images are not read while searching."""
    content = config.model_dump(mode="json")
    content["search"]["cloud_reads"] = 0
    for role, url in urls.items():
        content["search"][role][0]["url"] = url
    return Config.model_validate(content)


def moved(area, **times):
    """Return a change that puts recorded Sentinel-2 L2A items where and when a test needs them, with signed hrefs.

    `times` are by tile: what was recorded there lies over `area` instead, at another time; its other properties,
    assets and links stay as they were, but for those of its grid.
    """

    def change(feature):
        tile = feature["properties"].get("grid:code", "").removeprefix("MGRS-")
        if tile in times and feature["collection"].endswith("l2a"):
            feature["geometry"], feature["bbox"] = mapping(area), list(area.bounds)
            feature["properties"]["datetime"] = times[tile]
            for says in (feature["properties"], *feature["assets"].values()):  # where its raster lies is not recorded
                for key in [key for key in says if key.startswith("proj:")]:
                    del says[key]
            for asset in feature["assets"].values():
                asset["href"] += "?X-Amz-Signature=notforyou&sig=notforyou"

    return change


def read(out):
    pairs = [json.loads(p.read_text()) for p in sorted((out / "pairs").glob("*.json"))]
    scenes = {p.stem: json.loads(p.read_text()) for p in (out / "scenes").glob("*.json")}
    return pairs, scenes, {r["id"]: r["reason"] for r in csv.DictReader((out / "declined.csv").open())}


def nothing_signed(out):
    return not [p for p in out.rglob("*") if p.is_file() and b"notforyou" in p.read_bytes()]


@needs_real_data
def test_naip_pairs_each_place_with_the_nearest_clear_sentinel2(tmp_path, monkeypatch):
    monkeypatch.chdir(CONFIG.parent)
    config = load(CONFIG / "naip.yaml")
    area = box(-73.8, 43.5, -72.5, 44.5)
    near_and_far = {"24MWV": "2023-06-24T15:52:11Z", "24MXV": "2023-07-19T15:52:11Z", "24MUV": "2023-06-21T15:52:11Z"}
    with (
        recorded(EARTH_SEARCH, moved(area, **near_and_far)) as (lr, lr_asked),
        recorded(NAIP) as (hr, hr_asked),
    ):
        search(with_servers(config, lr=lr, hr=hr).search, config.grid, None, None, tmp_path / "items")
    pairs, scenes, reasons = read(tmp_path / "items")

    quads = ["4307307_ne", "4307307_nw", "4307308_nw", "4407363_se", "4407363_sw", "4407364_sw"]
    assert [pair["hr"][5:15] for pair in pairs] == quads
    assert all("_030_20230620_" in p["hr"] or "_030_20230621_" in p["hr"] or "_030_20230622_" in p["hr"] for p in pairs)
    # Of three dates: 24MUV is too cloudy (57 %), 24MXV is four weeks off; of both processings of 24MWV one remains.
    assert {pair["lr"] for pair in pairs} == {"S2B_T24MWV_20250731T130245_L2A"}
    assert "cloud cover 57 %" in reasons["S2B_T24MUV_20250731T130245_L2A"]
    assert "another processing" in reasons["S2B_24MWV_20250731_0_L2A"]
    assert [round(pair["overlap_km2"], 1) for pair in pairs] == [9.0] * 6
    places = read_area(config.search.area)
    assert all(shape(pair["geometry"]).difference(places.buffer(1e-6)).is_empty for pair in pairs)

    image = scenes[pairs[0]["hr"]]["assets"]["image"]
    assert image["href"].startswith("https://naipeuwest.blob.core.windows.net/naip/v002/vt/2023/")
    assert nothing_signed(tmp_path / "items")
    for asked, source in ((lr_asked, config.search.lr), (hr_asked, config.search.hr)):
        [source] = source
        assert asked[0]["collections"] == list(source.collections)
        assert shape(asked[0]["intersects"]).equals_exact(places, 1e-6)
    assert lr_asked[0]["query"] == {"eo:cloud_cover": {"lt": 40}}


def test_the_places_of_naip_fit_its_splits_and_do_not_touch():
    config = load(CONFIG / "naip.yaml")
    places = [shape(f["geometry"]) for f in json.loads((CONFIG / "naip_places.geojson").read_text())["features"]]
    assert [round(area_km2(p)) for p in places] == [9] * 6
    distances = [a.distance(b) for i, a in enumerate(places) for b in places[:i]]
    assert min(distances) * 80_000 > config.dataset.gap_m
    assert set(config.dataset.assign.values()) == {"train", "val", "test"}


@needs_real_data
def test_gaofen2_pairs_an_archive_with_sentinel2_of_its_days(tmp_path):
    config = load(CONFIG / "gaofen2.yaml")
    (tmp_path / "archive" / "2020").mkdir(parents=True)
    write_archive(tmp_path / "archive" / "2020" / f"{NAME}.tar.gz", members())
    catalog_gaofen2(tmp_path / "archive", tmp_path / "catalog")
    # The made scene is 384 m a side.
    small = config.search.model_copy(update={"min_overlap_km2": 0.1})
    area = box(*config.search.area)
    dates = {"24MWV": "2020-05-12T03:05:51Z", "24MXV": "2020-06-01T03:05:51Z", "24MVV": "2020-05-20T03:05:51Z"}
    with recorded(EARTH_SEARCH, moved(area, **dates)) as (url, asked):
        settings = with_servers(config.model_copy(update={"search": small}), lr=url).search
        search(settings, config.grid, None, str(tmp_path / "catalog" / "catalog.json"), tmp_path / "items")
    pairs, _, _ = read(tmp_path / "items")
    [pair] = pairs
    assert (pair["hr"], pair["lr"]) == (NAME, "S2B_T24MWV_20250731T130245_L2A")
    assert pair["date_gap_days"] == pytest.approx(2, abs=0.01)
    assert asked[0]["bbox"] == list(config.search.area)
    assert asked[0]["datetime"] == "2018-12-01T00:00:00Z/2023-12-31T23:59:59Z"
    assert nothing_signed(tmp_path / "items")
