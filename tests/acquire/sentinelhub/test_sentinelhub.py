"""Sentinel Hub as a source: its catalogue gives ordinary items, its Process API the product's own pixels."""

import csv
import json
import logging
import traceback

import numpy as np
import pytest
import rasterio
from pyproj import CRS
from rasterio.transform import from_bounds
from sentinelhub_server import CLIENT_ID, CLIENT_SECRET, Service, Tile, archive, geotiff, serve
from shapely.geometry import box, mapping, shape

from crossres.acquire.download import download
from crossres.acquire.regions import LON_LAT, reproject
from crossres.acquire.search import search
from crossres.acquire.sentinelhub import scene as sentinelhub_scene
from crossres.acquire.sentinelhub.catalog import from_sentinelhub
from crossres.acquire.stac.date_range import parse_date_range
from crossres.acquire.stac.offered import Offered, Unusable
from crossres.errors import UserError
from crossres.imagery.numbers import Mask
from crossres.imagery.raster import read_mask
from crossres.settings.acquire import AcquireSettings
from crossres.settings.grid import GridSettings
from crossres.settings.search import CatalogSource, SearchSettings, SentinelHubSource

WEST, NORTH, SIDE = 600_000, 5_600_040, 4000
NAME = "S2B_MSIL2A_20230601T102609_{}_R108_T32UPB_20230601T{}"
WANTED = Tile(NAME.format("N0509", "150500"), "2023-06-01T10:31:20Z", 32632, WEST, NORTH, SIDE)
# All of these lie in the same window: an older processing, a tile of the next zone, an earlier day, too many clouds.
OLDER = Tile(NAME.format("N0400", "140000"), WANTED.time, 32632, WEST, NORTH, SIDE, seed=5000)
NEXT_ZONE = Tile("S2B_MSIL2A_20230601T102609_N0509_R108_T33UUS_20230601T150500", WANTED.time, 32633,
                 170_000, 5_600_040, 6000, seed=9000)  # fmt: skip
BEFORE = Tile("S2A_MSIL2A_20230527T102601_N0509_R108_T32UPB_20230527T150500", "2023-05-27T10:31:18Z",
              32632, WEST, NORTH, SIDE, seed=15000)  # fmt: skip
CLOUDY = Tile("S2A_MSIL2A_20230606T102601_N0509_R108_T32UPB_20230606T150500", "2023-06-06T10:31:18Z",
              32632, WEST, NORTH, SIDE, cloud=80.0)  # fmt: skip
ARCHIVE = [OLDER, NEXT_ZONE, WANTED, BEFORE, CLOUDY]
RGBN = GridSettings()


@pytest.fixture
def service(tmp_path, monkeypatch):
    """A running service, and a user whose profile names it."""
    with serve(Service(list(ARCHIVE))) as running:
        folder = tmp_path / "config" / "sentinelhub"
        folder.mkdir(parents=True)
        (folder / "config.toml").write_text(
            f'[default-profile]\nsh_base_url = "{running.url}"\nsh_token_url = "{running.url}/token"\n'
            "download_sleep_time = 0.02\nmax_download_attempts = 3\n"
        )
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
        monkeypatch.setenv("SH_CLIENT_ID", CLIENT_ID)
        monkeypatch.setenv("SH_CLIENT_SECRET", CLIENT_SECRET)
        monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")  # OAuth is refused over plain http
        yield running


def utm_box(west, south, east, north):
    return reproject(box(west, south, east, north), CRS.from_epsg(32632), LON_LAT)


def hr_catalog(folder, *bounds):
    """Write a catalogue of one aerial image that covers bounds of the tile's grid."""
    region = utm_box(*bounds)
    item = {
        "type": "Feature", "stac_version": "1.0.0", "id": "high", "geometry": mapping(region), "links": [],
        "properties": {"datetime": "2023-06-01T09:00:00Z"},
        "assets": {"data": {"href": "a.tif", "eo:bands": [{"common_name": b} for b in RGBN.bands]}},
    }  # fmt: skip
    folder.mkdir()
    place = dict(crs="EPSG:32632", transform=from_bounds(*bounds, 20, 20), width=20, height=20)
    with rasterio.open(folder / "a.tif", "w", driver="GTiff", count=4, dtype="uint8", **place):
        pass
    (folder / "high.json").write_text(json.dumps(item))
    catalog = {"type": "Catalog", "id": "x", "description": "x", "links": [{"rel": "item", "href": "high.json"}]}
    (folder / "catalog.json").write_text(json.dumps(catalog))
    return str(folder / "catalog.json"), region


SMALL = (WEST + 10_105, NORTH - 12_000, WEST + 12_000, NORTH - 10_205)


def find(tmp_path, bounds=SMALL, **changes):
    """Search around an aerial image; return the written items, pairs and reasons."""
    catalog, region = hr_catalog(tmp_path / "hr", *bounds)
    lr = SentinelHubSource(kind="sentinelhub", endpoint="profile")
    settings = SearchSettings(lr=lr, hr=CatalogSource(kind="catalog", href="x"), area=region.bounds, margin_m=0,
                              datetime="2023-05-20/2023-06-10")  # fmt: skip
    out = tmp_path / "items"
    search(settings.model_copy(update=changes), RGBN, None, catalog, out)
    reasons = {row["id"]: row["reason"] for row in csv.DictReader((out / "declined.csv").open())}
    pairs = [json.loads(path.read_text()) for path in sorted((out / "pairs").glob("*.json"))]
    return out / "scenes", pairs, reasons


def fetch(scenes, tmp_path, name="out", product=WANTED.product):
    download(AcquireSettings(), RGBN, scenes / f"{product}.json", None, tmp_path / name)
    return tmp_path / name


def window_of(path):
    """Return the numbers of a written scene and the rows and columns of the tile that they should be."""
    with rasterio.open(path / "reflectance.tif") as src:
        row, col = round((NORTH - src.transform.f) / 10), round((src.transform.c - WEST) / 10)
        assert (src.transform.a, src.transform.e, src.crs.to_epsg()) == (10, -10, 32632)
        return src.read(), np.arange(row, row + src.height)[:, None], np.arange(col, col + src.width)[None, :]


def test_the_catalogue_gives_ordinary_items_through_its_pages(tmp_path, service):
    scenes, pairs, reasons = find(tmp_path)
    assert [pair["lr"] for pair in pairs] == [WANTED.product]
    item = json.loads((scenes / f"{WANTED.product}.json").read_text())
    properties = item["properties"]
    assert properties["platform"] == "sentinel-2b"
    assert (properties["s2:processing_baseline"], properties["s2:mgrs_tile"]) == ("05.09", "32UPB")
    assert properties["view:sun_elevation"] == pytest.approx(60.4, abs=0.2)
    assert 140 < properties["view:sun_azimuth"] < 170
    assert shape(item["geometry"]).symmetric_difference(WANTED.region).area < 1e-6
    assert service.seen.count("/api/v1/catalog/1.0.0/search") == 3
    assert "another processing of the same acquisition" in reasons[OLDER.product]
    assert "cloud cover 80 %" in reasons[CLOUDY.product]


def test_an_area_larger_than_one_request_is_the_source_pixel_by_pixel(tmp_path, service):
    bounds = (WEST + 5_000, NORTH - 31_000, WEST + 30_600, NORTH - 5_400)
    scenes, _, _ = find(tmp_path, bounds, min_overlap_km2=1)
    out = fetch(scenes, tmp_path)
    numbers, rows, cols = window_of(out)
    assert min(numbers.shape[1:]) > 2500
    assert len(service.sizes) == 4
    for i, band in enumerate(("B02", "B03", "B04", "B08")):
        # Numbers of baseline 05.09 are kept as they came: scenes have the same scale and offset.
        np.testing.assert_array_equal(numbers[i], WANTED.numbers(band, rows, cols))
    clouds = WANTED.numbers("SCL", rows, cols) == 9
    np.testing.assert_array_equal(read_mask(out / "mask.tif") == Mask.CLOUD, clouds)


@pytest.mark.parametrize("tells_product", [True, False])
def test_the_product_is_told_from_its_older_processing_by_either_name(tmp_path, service, tells_product):
    service.tiles = [Tile(**{**vars(t), "tells_product": tells_product}) for t in ARCHIVE]
    scenes, _, _ = find(tmp_path)
    numbers, rows, cols = window_of(fetch(scenes, tmp_path))
    np.testing.assert_array_equal(numbers[0], WANTED.numbers("B02", rows, cols))


def test_an_old_baseline_has_no_offset(tmp_path, service):
    old = Tile(NAME.format("N0214", "150500"), WANTED.time, 32632, WEST, NORTH, SIDE)
    service.tiles = [old]
    scenes, _, _ = find(tmp_path)
    out = fetch(scenes, tmp_path, product=old.product)
    numbers, rows, cols = window_of(out)
    np.testing.assert_array_equal(numbers[2], old.numbers("B04", rows, cols) + 1000)
    tags = json.loads((out / "item.json").read_text())["properties"]
    assert tags["crossres:sentinelhub"] == "profile, harmonizeValues false"
    assert "02.14" in tags["crossres:radiometry"]


def test_pixels_without_data_stay_without(tmp_path, service):
    service.tiles = [Tile(**{**vars(WANTED), "empty": (1050, 1090, 1030, 1060)})]
    scenes, _, _ = find(tmp_path)
    out = fetch(scenes, tmp_path)
    numbers, rows, cols = window_of(out)
    np.testing.assert_array_equal(numbers[0], service.tiles[0].numbers("B02", rows, cols))
    np.testing.assert_array_equal(read_mask(out / "mask.tif") == Mask.NODATA, numbers[0] == 0)


def test_two_parts_of_a_tile_become_one_scene(tmp_path, service):
    middle = WEST + 10_050 + 1000
    column = (middle - WEST) // 10
    south, north, east = NORTH - 10 * SIDE, NORTH, WEST + 10 * SIDE
    west_part = Tile(**{**vars(WANTED), "empty": (0, SIDE, column, SIDE), "footprint": (WEST, south, middle, north)})
    east_part = Tile(NAME.format("N0509", "150600"), WANTED.time, 32632, WEST, NORTH, SIDE,
                     empty=(0, SIDE, 0, column), footprint=(middle, south, east, north))  # fmt: skip
    service.tiles = [west_part, east_part]
    scenes, [pair], _ = find(tmp_path)
    out = fetch(scenes, tmp_path, product=pair["lr"])
    numbers, rows, cols = window_of(out)
    assert (cols < column).any() and (cols >= column).any()
    for i, band in enumerate(("B02", "B03", "B04", "B08")):
        np.testing.assert_array_equal(numbers[i], WANTED.numbers(band, rows, cols))


def test_a_window_without_data_and_a_product_that_is_gone_are_named(tmp_path, service):
    scenes, _, _ = find(tmp_path)
    service.tiles = [Tile(**{**vars(WANTED), "empty": (0, SIDE, 0, SIDE)})]
    with pytest.raises(UserError, match="has no valid pixel in the region"):
        fetch(scenes, tmp_path)
    service.tiles = [OLDER, NEXT_ZONE]
    with pytest.raises(UserError, match="has no such product; search again"):
        fetch(scenes, tmp_path)
    assert not (tmp_path / "out").exists()


def test_tokens_that_run_out_and_a_busy_server_change_nothing(tmp_path, service):
    scenes, _, _ = find(tmp_path)
    plain = fetch(scenes, tmp_path)
    service.requests_per_token, service.busy_every = 2, 3
    with pytest.MonkeyPatch.context() as patch, pytest.warns(match="rate limit"):
        patch.setattr(sentinelhub_scene, "LARGEST_SIDE", 60)
        hard = fetch(scenes, tmp_path, "hard")
    assert len(service.tokens) > 5
    assert len(service.bodies) > 10
    for name in ("reflectance.tif", "mask.tif", "item.json"):
        assert (plain / name).read_bytes() == (hard / name).read_bytes()


def test_a_server_that_stays_busy_is_given_up_in_one_line(tmp_path, service):
    service.busy_every = 1
    with pytest.raises(UserError, match=r"try again later$"), pytest.warns(match="rate limit"):
        find(tmp_path)
    assert len(service.seen) < 30


def secrets_of(service):
    return [CLIENT_ID, CLIENT_SECRET, *service.tokens]


def shown(error):
    return "".join(traceback.format_exception(error)) + repr(error)


def test_no_secret_is_in_what_is_written_logged_or_said(tmp_path, service, caplog):
    caplog.set_level(logging.DEBUG)
    scenes, _, _ = find(tmp_path)
    fetch(scenes, tmp_path)
    written = [p for folder in ("items", "out") for p in (tmp_path / folder).rglob("*") if p.is_file()]
    assert len(written) > 5
    assert caplog.records
    for secret in secrets_of(service):
        assert not [p for p in written if secret.encode() in p.read_bytes()]
        assert secret not in caplog.text


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        ({"refused": "Your token {token} may not do that"}, r"HTTP 400 .*token \*\*\* may not"),
        ({"broken": b"<html>oops</html>"}, "HTTP 500"),
        ({"requests_per_token": 0}, r"HTTP 401 .*check SH_CLIENT_ID"),
    ],
)
def test_a_refusal_is_one_line_without_a_secret(tmp_path, service, caplog, trouble, message):
    caplog.set_level(logging.DEBUG)
    scenes, _, _ = find(tmp_path)
    for key, value in trouble.items():
        setattr(service, key, value)
    with pytest.raises(UserError, match=message) as caught:
        fetch(scenes, tmp_path)
    assert "\n" not in str(caught.value)
    for secret in secrets_of(service):
        assert secret not in shown(caught.value) + caplog.text
    assert not (tmp_path / "out").exists()


def test_a_wrong_secret_is_one_line_that_does_not_show_it(tmp_path, service, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("SH_CLIENT_SECRET", "mistyped-secret")
    with pytest.raises(UserError, match=r"signing in failed.*check SH_CLIENT_ID and SH_CLIENT_SECRET") as caught:
        find(tmp_path)
    assert "\n" not in str(caught.value)
    for secret in (CLIENT_ID, "mistyped-secret"):
        assert secret not in shown(caught.value) + caplog.text


def test_without_an_account_one_line_says_what_to_set(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    monkeypatch.delenv("SH_CLIENT_ID", raising=False)
    monkeypatch.delenv("SH_CLIENT_SECRET", raising=False)
    for endpoint, host in (("cdse", "sh.dataspace.copernicus.eu"), ("commercial", "services.sentinel-hub.com")):
        source = SentinelHubSource(kind="sentinelhub", endpoint=endpoint)
        (tmp_path / endpoint).mkdir()
        with pytest.raises(UserError, match=f"{host}.*set SH_CLIENT_ID and SH_CLIENT_SECRET"):
            find(tmp_path / endpoint, lr=(source,))
    assert not (tmp_path / "none").exists()  # sentinelhub would write a profile of its own there


@pytest.mark.parametrize("content", ['[other]\nsh_client_id = "x"\n', "[", '[default-profile]\nunknown = "x"\n'])
def test_a_profile_that_cannot_be_used_is_named(tmp_path, service, content):
    (tmp_path / "config" / "sentinelhub" / "config.toml").write_text(content)
    with pytest.raises(UserError, match=r"config\.toml: cannot be used as sentinelhub's profile"):
        find(tmp_path)


def test_sentinel_hub_needs_an_area(tmp_path, service):
    with pytest.raises(UserError, match="Sentinel Hub needs an area"):
        find(tmp_path, area=None)


def test_a_scene_whose_tile_ends_before_the_region_is_named(tmp_path, service):
    scenes, _, _ = find(tmp_path)
    path = scenes / f"{WANTED.product}.json"
    item = json.loads(path.read_text())
    item["properties"]["crossres:region"] = mapping(utm_box(WEST - 2000, NORTH - 500, WEST - 1000, NORTH))
    path.write_text(json.dumps(item))
    with pytest.raises(UserError, match="its tile does not reach the region"):
        fetch(scenes, tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"product": f'{WANTED.product}"; evil(); "'}, {"product": f"{WANTED.product}\n"}, {"product": '"+x+"'},
        {"product": WANTED.product.replace("T32", "T\u0663\u0662")}, {"product": None}, {"product": [WANTED.product]},
        {"endpoint": "https://evil.example"}, {"endpoint": None}, {"collection": "sentinel-1-grd"}, {"collection": {}},
    ],
)  # fmt: skip
def test_what_is_no_product_of_the_service_gets_into_no_request(tmp_path, service, change):
    scenes, _, _ = find(tmp_path)
    path = scenes / f"{WANTED.product}.json"
    item = json.loads(path.read_text())
    item["assets"]["process"]["crossres:sentinelhub"] |= change
    path.write_text(json.dumps(item))
    service.seen.clear()
    with pytest.raises(UserError, match="does not name a product of Sentinel Hub; search again"):
        fetch(scenes, tmp_path)
    assert not service.seen


@pytest.mark.parametrize("change", [{"proj:epsg": "32632"}, {"proj:epsg": 4326}, {"proj:bbox": [1, "x", {}, None]}])
def test_a_place_that_is_none_is_a_line(tmp_path, service, change):
    scenes, _, _ = find(tmp_path)
    path = scenes / f"{WANTED.product}.json"
    item = json.loads(path.read_text())
    item["properties"] |= change
    path.write_text(json.dumps(item))
    with pytest.raises(UserError, match=r"has no proj:epsg of a UTM zone|its proj:bbox is no box"):
        fetch(scenes, tmp_path)


def test_a_search_that_stops_at_max_items_says_so(service):
    source = SentinelHubSource(kind="sentinelhub", endpoint="profile", max_items=2)
    area = utm_box(WEST, NORTH - 30_000, WEST + 30_000, NORTH)
    rows = list(from_sentinelhub(source, area, parse_date_range("2023-05-20/2023-06-10", "x")))
    assert [type(row) for row in rows] == [Offered, Offered, Unusable]
    assert rows[2] == Unusable(service.url, "stopped after max_items = 2; there are more")


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>not a tar</html>",
        archive({"default.tif": b"II*\0broken", "userdata.json": b'{"tiles": ["x"]}'}),
        archive({"userdata.json": b"{}"}),
        archive({
            "default.tif": geotiff(np.ones((5, 4, 4), np.uint16), 32632, rasterio.transform.from_origin(0, 0, 10, 10)),
            "userdata.json": b'{"tiles": ["x"]}',
        }),
    ],
)  # fmt: skip
def test_an_answer_that_is_not_the_window_is_refused(tmp_path, service, monkeypatch, answer):
    import sentinelhub_server

    scenes, _, _ = find(tmp_path)
    monkeypatch.setattr(sentinelhub_server, "process", lambda service, body: answer)
    with pytest.raises(UserError, match="Sentinel Hub's answer"):
        fetch(scenes, tmp_path)
