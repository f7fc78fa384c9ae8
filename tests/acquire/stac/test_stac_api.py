"""STAC APIs: recorded answers of real servers give the right items, and each server is asked in its own dialect."""

import copy
import json

import pytest
from real_data import ROOT, needs_real_data
from shapely.geometry import box, mapping, shape
from stac_server import STAC, answering, api, cassette, landing_page, replaying
from test_search import RGBN, catalog, item, read, settings

from crossres.acquire.search import search
from crossres.acquire.stac.api import cql2_json, cql2_text, from_api
from crossres.acquire.stac.offered import Offered
from crossres.errors import UserError
from crossres.settings.search import StacApiSource

AREA = box(10, 50, 11, 51)
CLEAR = {"eo:cloud_cover": {"lte": 40}, "platform": {"eq": "it's"}}


def source(url, **changes):
    return StacApiSource(**({"kind": "stac-api", "url": url, "collections": ("x",)} | changes))


def ids(source, area=AREA, datetime=None):
    return [one.item["id"] for one in from_api(source, area, datetime) if isinstance(one, Offered)]


@needs_real_data
def test_earth_search_pages_by_a_body_that_replaces_the_question():
    exchanges = cassette(ROOT / "stac" / "earth_search_v1_filter.cassette.yaml")
    with replaying(exchanges, "https://earth-search.aws.element84.com/v1") as (url, asked):
        found = ids(source(url, max_items=20, query={"eo:cloud_cover": {"lte": 40}}), datetime="2025-07-31")
    assert found == [i["id"] for _, _, _, answer in exchanges[1:] for i in answer["features"]]
    assert len(found) == 20
    assert asked[0]["query"] == {"eo:cloud_cover": {"lte": 40}}
    assert asked[0]["datetime"] == "2025-07-31T00:00:00Z/2025-07-31T23:59:59Z"
    assert asked[1] == exchanges[2][2]


@needs_real_data
def test_planetary_computer_pages_by_a_token_beside_the_question():
    exchanges = cassette(ROOT / "stac" / "planetary_computer_naip_paging.cassette.yaml")
    _, _, question, _ = exchanges[0]
    root = "https://planetarycomputer.microsoft.com/api/stac/v1"
    with replaying(exchanges, root, landing_page(root)) as (url, asked):
        area = box(*question["bbox"])
        found = ids(source(url, collections=question["collections"], max_items=20), area)
    assert found == [i["id"] for _, _, _, answer in exchanges for i in answer["features"]]
    assert asked[0] == question | {"limit": 20}
    assert asked[1] == question | {"limit": 20, "token": exchanges[1][2]["token"]}


@needs_real_data
def test_of_earth_searchs_three_copies_of_a_scene_the_collection_1_product_is_paired(tmp_path):
    exchanges = cassette(ROOT / "stac" / "earth_search_v1_filter.cassette.yaml")
    scenes = {i["id"]: i for _, _, _, answer in exchanges[1:] for i in answer["features"]}
    centre = shape(scenes["S2B_T24MWV_20250731T130245_L2A"]["geometry"]).centroid
    high = item("high", centre.buffer(0.02).bounds, time="2025-07-30T13:00:00Z")
    with replaying(exchanges, "https://earth-search.aws.element84.com/v1") as (url, _):
        lr = source(url, max_items=20)
        changes = dict(lr=lr, area=high["bbox"], max_cloud_percent=100, cloud_reads=0)
        search(settings(**changes), RGBN, None, catalog(tmp_path / "hr", high), tmp_path / "items")
    found, pairs, reasons = read(tmp_path / "items")
    assert list(pairs) == ["high--S2B_T24MWV_20250731T130245_L2A"]
    for same in ("S2B_24MWV_20250731_0_L2A", "S2B_24MWV_20250731_0_L1C"):
        assert reasons[same].endswith("is used: S2B_T24MWV_20250731T130245_L2A")
    assert pairs["high--S2B_T24MWV_20250731T130245_L2A"]["overlap_cloud_percent"] == pytest.approx(24.9, abs=0.5)
    assert pairs["high--S2B_T24MWV_20250731T130245_L2A"]["overlap_cloud_source"] == "eo:cloud_cover"
    assert found["S2B_T24MWV_20250731T130245_L2A"]["assets"]["red"]["href"].startswith("https://")


@needs_real_data
def test_planetary_computers_item_with_its_signature_becomes_one_without(tmp_path):
    content = json.loads((ROOT / "stac" / "planetary_computer_s2_item.json").read_text())
    for asset in content["assets"].values():
        asset["href"] += "?st=2025&se=2026&sp=rl&sig=SECRET"
    bounds = shape(content["geometry"]).centroid.buffer(0.02).bounds
    high = item("high", bounds, time="2019-06-30T21:25:29Z")
    older = copy.deepcopy(content)
    older["id"] = content["id"].replace("20201006T080531", "20190630T000000")
    older["properties"]["s2:generation_time"] = "2019-06-30T00:00:00.000Z"
    for order in ([content, older], [older, content, older]):
        out = tmp_path / str(len(order))
        with api(order, page_items=1) as (url, _):
            hr = catalog(out / "hr", high)
            search(settings(lr=source(url), area=bounds, cloud_reads=0), RGBN, None, hr, out / "items")
        found, pairs, _ = read(out / "items")
        assert list(pairs) == [f"high--{content['id']}"]
        assert pairs[f"high--{content['id']}"]["sun_difference_deg"] is None
        assert found[content["id"]]["assets"]["B02"]["href"].endswith("_B02_10m.tif")
        assert "SECRET" not in json.dumps(found)
    assert (tmp_path / "2/items/scenes/high.json").read_bytes() == (tmp_path / "3/items/scenes/high.json").read_bytes()


@pytest.mark.parametrize("methods", [("POST",), ("GET",), ("GET", "POST")])
@pytest.mark.parametrize("conforms", [("#query", "#filter"), ("#filter",), ()])
def test_each_server_is_asked_in_its_dialect_and_all_pages_are_read(methods, conforms):
    clear = {"eo:cloud_cover": 10, "platform": "it's"}
    items = [item(f"i{n}", **clear) for n in range(7)] + ([item("cloudy", **(clear | {"eo:cloud_cover": 50}))])
    with api(items, conforms=conforms, methods=methods) as (url, asked):
        found = ids(source(url, query=CLEAR), AREA.buffer(0.01))
    method, question = asked[0]
    assert len(asked) == 4
    assert method == ("POST" if "POST" in methods else "GET")
    assert ("bbox" in question) == (method == "GET")
    if "#query" in conforms:
        assert question["query"] == CLEAR if method == "POST" else json.loads(question["query"]) == CLEAR
    elif "#filter" in conforms:
        assert question["filter"] == (cql2_json(CLEAR) if method == "POST" else cql2_text(CLEAR))
        assert question["filter-lang"] == ("cql2-json" if method == "POST" else "cql2-text")
    # A server that knows conditions has applied them; of any other the items are tested here.
    assert found == [i["id"] for i in items if conforms or i["id"] != "cloudy"]


def test_conditions_in_cql2():
    assert cql2_text(CLEAR) == "\"eo:cloud_cover\" <= 40 AND \"platform\" = 'it''s'"
    assert cql2_json(CLEAR) == {
        "op": "and",
        "args": [
            {"op": "<=", "args": [{"property": "eo:cloud_cover"}, 40]},
            {"op": "=", "args": [{"property": "platform"}, "it's"]},
        ],
    }
    with pytest.raises(UserError, match="operator 'about' is not known"):
        cql2_text({"gsd": {"about": 3}})


def test_what_is_no_stac_api_is_named_without_its_password():
    with answering(lambda *_: None) as url:
        hidden = url.replace("http://", "http://me:secret@") + "/?token=secret"
        with pytest.raises(UserError, match="the search failed") as caught:
            ids(source(hidden))
    assert "secret" not in str(caught.value)


def test_features_that_are_no_items_are_declined_not_fatal(tmp_path):
    good = item("good", href="https://a.org/{band}.tif")
    broken = [{"type": "Feature", "id": "empty"}, good, item("lost") | {"geometry": None}]
    broken.append(item("undated") | {"properties": {}})
    with api(broken) as (url, _):
        hr = catalog(tmp_path / "hr", item("high"))
        search(settings(lr=source(url), area=(10, 50, 11, 51)), RGBN, None, hr, tmp_path / "items")
    _, pairs, reasons = read(tmp_path / "items")
    assert list(pairs) == ["high--good"]
    assert {"empty", "lost", "undated"} <= reasons.keys()


def test_polygons_are_sent_whole_where_that_fits():
    corner = shape({"type": "Polygon", "coordinates": [[[10, 50], [11, 50], [10, 51], [10, 50]]]})
    with api([item("a")]) as (url, asked):
        ids(source(url), corner)
    assert asked[0][1]["intersects"] == json.loads(json.dumps(mapping(corner)))
    assert STAC.startswith("https://")
