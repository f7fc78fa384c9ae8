"""A live STAC API with more than 10,000 items: all of them are found, and the right ones are paired and read."""

import json
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import rasterio
from pgstac_server import pgstac
from rasterio.transform import from_origin
from shapely.geometry import box
from test_pairing import CLOUD, WEST_HALF, high, scene
from test_search import RGBN, catalog, item, read, settings
from web import serve

from crossres.acquire.download import download
from crossres.acquire.search import search
from crossres.acquire.stac.api import from_api
from crossres.imagery.numbers import Mask
from crossres.imagery.raster import read_mask
from crossres.imagery.scene import bands_of, open_scene
from crossres.settings.acquire import AcquireSettings
from crossres.settings.search import StacApiSource

pytestmark = pytest.mark.integration

COLLECTION = {
    "type": "Collection", "stac_version": "1.0.0", "id": "sentinel-2-l2a", "description": "x", "license": "other",
    "links": [], "extent": {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[None, None]]}},
}  # fmt: skip
START = datetime(2021, 1, 1, 10, tzinfo=UTC)
EVERYWHERE = (-10.0, 40.0, 20.0, 60.0)


def archive():
    """Return 10,000 items: 500 tiles on 20 days."""
    rng = np.random.default_rng(0)
    clouds = np.round(rng.uniform(0, 100, (500, 20)), 1)
    items = []
    for tile in range(500):
        west, south = -5 + 0.2 * (tile % 25), 42 + 0.2 * (tile // 25)
        for day in range(20):
            one = item(f"T{tile:03}D{day:02}", (west, south, west + 0.2, south + 0.2), _time(5 * day),
                       "https://example.org/{band}.tif", **{"eo:cloud_cover": float(clouds[tile, day])})  # fmt: skip
            items.append(one | {"collection": "sentinel-2-l2a"})
    return items


def near_by(folder, url):
    """Return five items of one place whose images stand on a server; over the HR scene only the third is clear."""
    rng = np.random.default_rng(1)
    profile = dict(driver="COG", count=1, crs="EPSG:32632", dtype="uint16", width=1000, height=1000)
    numbers = {}
    for band in RGBN.bands:
        numbers[band] = rng.integers(1100, 4000, (1000, 1000)).astype(np.uint16)
        with rasterio.open(
            folder / f"{band}.tif", "w", transform=from_origin(600_000, 5_600_000, 10, 10), **profile
        ) as dst:
            dst.write(numbers[band], 1)
    west, east = slice(0, 250), slice(250, 500)
    items = []
    for day, side in enumerate([west, west, east, west, west]):
        one = scene(f"near{day}", folder, [(slice(None), side, CLOUD)], time=_time(200 + day), **{"eo:cloud_cover": 30})
        for name, asset in one["assets"].items():
            asset["href"] = f"{url}/near{day}_SCL.tif" if name == "scl" else f"{url}/{name}.tif"
            asset |= {} if name == "scl" else {"raster:bands": [{"scale": 1e-4, "offset": -0.1}]}
        one["properties"]["s2:processing_baseline"] = "05.10"
        items.append(one | {"collection": "sentinel-2-l2a"})
    return items, numbers


def _time(days):
    return (START + timedelta(days=days)).isoformat().replace("+00:00", "Z")


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """The API's URL, its items, and what the images hold."""
    folder = tmp_path_factory.mktemp("www")
    with serve(folder) as files:
        few, numbers = near_by(folder, files)
        items = archive() + few
        with pgstac([COLLECTION], items) as url:
            yield url, items, numbers


def source(url, **changes):
    return StacApiSource(kind="stac-api", url=url, collections=("sentinel-2-l2a",), max_items=20_000, **changes)


def test_the_server_filters_by_time_place_and_cloud(live):
    url, items, _ = live
    query = {"eo:cloud_cover": {"lt": 20}}
    area = box(-5.05, 41.95, -2.95, 43.05)
    found = {o.item["id"] for o in from_api(source(url, query=query), area, "2021-01-10/2021-02-20")}
    expected = {
        one["id"] for one in items
        if one["properties"]["eo:cloud_cover"] < 20 and "2021-01-10" <= one["properties"]["datetime"] < "2021-02-21"
        and area.intersects(box(*one["bbox"]))
    }  # fmt: skip
    assert len(expected) > 50
    assert found == expected


def test_of_ten_thousand_scenes_the_one_clear_over_the_overlap_is_paired_and_read_by_range_requests(live, tmp_path):
    url, items, numbers = live
    hr = catalog(tmp_path / "hr", high("high", WEST_HALF, time=_time(200)))
    limits = settings(lr=source(url), area=EVERYWHERE, max_cloud_percent=100)
    start = time.perf_counter()
    search(limits, RGBN, None, hr, tmp_path / "items")
    print(f"{len(items)} items of a live STAC API searched and paired in {time.perf_counter() - start:.1f} s")
    scenes, pairs, reasons = read(tmp_path / "items")
    assert len(items) > 10_000
    assert {*scenes, *reasons} == {"high", *(one["id"] for one in items)}
    assert list(pairs) == ["high--near2"]
    assert pairs["high--near2"]["overlap_cloud_percent"] == 0
    assert pairs["high--near2"]["date_gap_days"] == 2
    assert "cloud over its overlap with high 100 %" in reasons["near0"]
    download(AcquireSettings(), RGBN, tmp_path / "items" / "scenes" / "near2.json", None, tmp_path / "scene")
    seen = open_scene(tmp_path / "scene" / "reflectance.tif")
    col, row = (
        round(v)
        for v in ~from_origin(600_000, 5_600_000, 10, 10) @ (seen.odc.geobox.affine.c, seen.odc.geobox.affine.f)
    )
    rows, cols = seen.odc.geobox.shape
    for band, values in zip(bands_of(seen), seen.reflectance.values, strict=True):
        expected = numbers[band][row : row + rows, col : col + cols] * 1e-4 - 0.1
        assert np.nanmax(np.abs(values - expected)) < 1e-4
    assert (read_mask(tmp_path / "scene" / "mask.tif") == Mask.CLEAR).all()
    assert json.loads((tmp_path / "scene" / "item.json").read_text())["id"] == "near2"
