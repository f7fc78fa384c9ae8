"""One bad item is declined by name and spoils nothing beside it."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import box
from stac_server import landing_page
from test_search import item

from crossres.acquire.stac.api import from_api
from crossres.acquire.stac.foreign_json import offered, parse
from crossres.acquire.stac.offered import Offered, Unusable
from crossres.settings.search import StacApiSource

GOOD = item("good")
TEXT = json.dumps(GOOD)


def with_value(text):
    """Return the text of a good item with a value, given as JSON, among its properties."""
    return TEXT.replace('"properties": {', '"properties": {"x": ' + text + ", ", 1)


BAD = {
    "null": "null", "a list": "[]", "a text": '"x"', "a number": "7", "nothing": "{}",
    "no id": json.dumps(GOOD | {"id": None}), "an id that is a number": json.dumps(GOOD | {"id": 5}),
    "an id with NUL": json.dumps(GOOD | {"id": "a\0b"}), "an id of 10 kB": json.dumps(GOOD | {"id": "x" * 10_000}),
    "half a character as id": json.dumps(GOOD | {"id": "\ud800"}),
    "an id that turns the line around": json.dumps(GOOD | {"id": "a\u202eb"}),
    "an id of two lines": json.dumps(GOOD | {"id": "a\nb"}),
    "half a character in an href": TEXT.replace(".tif", "\\ud800.tif"),
    "half a character as key": with_value('{"\\udfff": 1}'),
    "properties null": json.dumps(GOOD | {"properties": None}),
    "properties a list": json.dumps(GOOD | {"properties": []}),
    "assets null": json.dumps(GOOD | {"assets": None}), "assets a list": json.dumps(GOOD | {"assets": [1]}),
    "an asset null": json.dumps(GOOD | {"assets": {"red": None}}),
    "an href null": json.dumps(GOOD | {"assets": {"red": {"href": None}}}),
    "an href a list": json.dumps(GOOD | {"assets": {"red": {"href": ["x"]}}}),
    "NaN": with_value("NaN"), "Infinity": with_value("[-Infinity]"), "1e999": with_value("1e999"),
    "5000 digits": with_value("7" * 5000), "lists": with_value("[" * 10_000 + "]" * 10_000),
    "objects": with_value('{"a":' * 10_000 + "1" + "}" * 10_000), "150 lists": with_value("[" * 150 + "]" * 150),
    "brackets in texts too": with_value('"[[[\\"{{{"').replace('"type"', f'"deep": {"[" * 999}{"]" * 999}, "type"'),
}  # fmt: skip


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_of_a_page_all_but_the_bad_item_is_taken(bad):
    rows = [
        offered(one, "https://a.org/search") for one in parse(f'{{"features": [{TEXT}, {bad}, {TEXT}]}}')["features"]
    ]
    assert [type(row) for row in rows] == [Offered, Unusable, Offered]
    row = rows[1]
    assert row.id
    assert row.id.isprintable()
    assert row.reason.isprintable()
    assert len(row.id) <= 120
    assert len(row.reason) <= 300
    (row.id + row.reason).encode()
    json.dumps(rows[0].item, allow_nan=False).encode()


def test_a_real_server_with_all_of_them_gives_the_good_ones():
    from http.server import BaseHTTPRequestHandler

    from local_server import listening

    page = (
        '{"type": "FeatureCollection", "links": [], "features": [' + ", ".join([TEXT, *BAD.values()]) + "]}"
    ).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = page if self.path.startswith("/search") else json.dumps(landing_page(url, methods=("GET",))).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    with listening(Handler) as url:
        rows = list(from_api(StacApiSource(kind="stac-api", url=url, collections=("x",)), box(10, 50, 11, 51), None))
    assert [row.item["id"] for row in rows if isinstance(row, Offered)] == ["good"]
    assert len([row for row in rows if isinstance(row, Unusable)]) == len(BAD)


def test_what_this_program_says_in_its_own_items_is_dropped_from_others_at_any_depth():
    ours = {"crossres:mosaic": [GOOD], "Crossres:role": "lr", " crossres:region": 1}
    content = json.loads(TEXT) | ours | {"links": [{"rel": "self", "href": "x", **ours}, None, {"rel": 1}, "x"]}
    content["properties"] |= ours | {"deep": [{"deeper": [ours, {"crossresolution": 1}]}]}
    content["assets"]["red"] |= ours | {"crossres:sentinelhub": {"endpoint": "cdse"}}
    one = offered(content, "https://a.org/search")
    assert isinstance(one, Offered)
    assert "crossres:" not in json.dumps(one.item).lower()
    assert one.item["properties"]["deep"] == [{"deeper": [{}, {"crossresolution": 1}]}]
    assert one.item["links"] == [{"rel": "self", "href": "x"}]


def test_what_is_no_json_is_an_error_within_a_second():
    for text in ("", "x", "{", "[" * 1_000_000, '{"a":' * 300_000, '"' + "\\" * 1_000_000, "[" * 5000 + '"a' * 500_000):
        start = time.process_time()
        with pytest.raises(ValueError):
            parse(text)
        assert time.process_time() - start < 5
    with pytest.raises(ValueError, match="holds more than"):
        parse("[" + "{}," * 6_000_000 + "1]")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(), max_size=8), inner, max_size=4)
    ),
    max_leaves=10,
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    st.dictionaries(st.sampled_from([*GOOD, "crossres:x"]), JSON, max_size=3),
    st.dictionaries(st.sampled_from(["red", "nir", "\ud800"]), JSON, max_size=2),
)
def test_an_item_with_any_values_is_offered_whole_or_declined_in_a_line(changes, assets):
    content = parse(json.dumps(GOOD | {"assets": {**GOOD["assets"], **assets}} | changes))
    one = offered(content, "https://a.org/search")
    if isinstance(one, Offered):
        json.dumps(one.item, allow_nan=False, ensure_ascii=False).encode()
        assert isinstance(one.item["properties"], dict)
        assert all(isinstance(asset["href"], str) for asset in one.item["assets"].values())
    else:
        assert (one.id + one.reason).isprintable()
        assert len(one.reason) <= 300
