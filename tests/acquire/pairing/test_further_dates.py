"""Which LR scenes a pair takes as further dates: the next best of other passes, within the same limits."""

import logging

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin
from shapely.geometry import mapping, shape
from test_pairing import CLOUD, NORTH, TILE, WEST, WEST_HALF, high, region_of, scene
from test_search import item, run

from crossres.acquire.pairing import best_pairs
from crossres.settings.search import SearchSettings

DAYS = [1, 3, 6, 11, 16, 21]


def passes(folder, classes=(), days=DAYS, **properties):
    return [scene(f"d{d:02}", folder, list(classes), time=f"2021-06-{d:02}T10:00:00Z", **properties) for d in days]


def dates(pair):
    return [pair["lr"], *pair["further_dates"]]


def test_a_pair_takes_the_next_best_dates_in_order_and_their_items_are_written(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    scenes, pairs, reasons = run(tmp_path, passes(tmp_path), [high()], lr_dates=4)
    assert dates(pairs["high--d01"]) == ["d01", "d03", "d06", "d11"]
    assert set(scenes) == {"high", "d01", "d03", "d06", "d11"}
    for name in ("d01", "d06"):
        assert scenes[name]["properties"]["crossres:role"] == "lr"
        region = shape(scenes[name]["properties"]["crossres:region"])
        assert region.contains(shape(pairs["high--d01"]["geometry"]))
    assert set(reasons) == {"d16", "d21"}
    assert "1 of 1 pairs have all 4 dates" in caplog.text


def test_one_date_says_nothing_of_others(tmp_path):
    _, pairs, _ = run(tmp_path / "a", passes(tmp_path), [high()])
    assert "further_dates" not in pairs["high--d01"]
    _, several, _ = run(tmp_path / "b", passes(tmp_path), [high()], lr_dates=2)
    several["high--d01"].pop("further_dates")
    assert several == pairs


def test_limits_hold_for_further_dates_and_a_pair_with_fewer_is_kept(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    west = (slice(None), slice(0, 250), CLOUD)
    cloudy = scene("cloudy", tmp_path, [west], time="2021-06-02T10:00:00Z")
    late = scene("late", tmp_path, [], time="2021-07-15T10:00:00Z")
    dark = scene("dark", tmp_path, [], time="2021-06-04T10:00:00Z",
                 **{"view:sun_azimuth": 300.0, "view:sun_elevation": 10.0})  # fmt: skip
    sunny = {"view:sun_azimuth": 140.0, "view:sun_elevation": 60.0}
    low = [*passes(tmp_path, days=[1, 6], **sunny), cloudy, late, dark]
    _, pairs, reasons = run(tmp_path, low, [high(**sunny)], lr_dates=4)
    assert dates(pairs["high--d01"]) == ["d01", "d06"]
    assert reasons["cloudy"].startswith("cloud over its overlap with high 100 %")
    assert "0 of 1 pairs have all 4 dates (search.lr_dates); the fewest that one has is 2" in caplog.text


def test_another_tile_of_the_same_pass_is_no_further_date(tmp_path):
    first = scene("tile", tmp_path, [], **{"s2:mgrs_tile": "32UNA"})
    beside = scene("beside", tmp_path, [], time="2021-06-01T10:00:14Z", **{"s2:mgrs_tile": "32UPA"})
    _, pairs, reasons = run(tmp_path, [beside, first, *passes(tmp_path, days=[9])], [high()], lr_dates=3)
    assert dates(pairs["high--tile"]) == ["tile", "d09"]
    assert reasons["beside"] == "no further date of high--tile: shows the same pass as tile"


def test_a_date_that_shows_half_of_the_region_is_not_taken(tmp_path):
    half = region_of(100, 50, 200, 75)
    part = scene("half", tmp_path, [], time="2021-06-02T10:00:00Z")
    part |= {"geometry": mapping(half), "bbox": list(half.bounds)}
    empty = scene("empty", tmp_path, [(slice(None), slice(0, 110), 0)], time="2021-06-03T10:00:00Z")
    low = [part, empty, *passes(tmp_path, days=[1, 9])]
    _, pairs, reasons = run(tmp_path, low, [high()], lr_dates=4, weights={"overlap": 0})
    assert dates(pairs["high--d01"]) == ["d01", "d09"]
    assert reasons["half"] == "no further date of high--d01: has data over 50% of its region only"
    assert "has data over 60% of its region only" in reasons["empty"]


def test_a_date_with_other_pixels_is_not_taken(tmp_path):
    low = passes(tmp_path, days=[1, 2, 3])
    for one, gsd in zip(low, (10, 20, 10), strict=True):
        path = tmp_path / f"{one['id']}.tif"
        size = 10_000 // gsd
        profile = dict(driver="GTiff", dtype="uint16", crs="EPSG:32632", count=1, width=size, height=size)
        with rasterio.open(path, "w", transform=from_origin(WEST, NORTH, gsd, gsd), **profile) as dst:
            dst.write(np.ones((size, size), np.uint16), 1)
        for band in ("blue", "green", "red", "nir"):
            one["assets"][band]["href"] = str(path)
    _, pairs, reasons = run(tmp_path, low, [high()], lr_dates=3)
    assert dates(pairs["high--d01"]) == ["d01", "d03"]
    assert reasons["d02"] == "no further date of high--d01: has pixels of 20 m, not of 10 m"


@pytest.mark.parametrize(("lr_dates", "most"), [(1, 2), (3, 6)])
def test_more_classifications_are_read_where_further_dates_are_wanted(tmp_path, monkeypatch, lr_dates, most):
    read = []
    own = best_pairs.read_overlap
    monkeypatch.setattr(best_pairs, "read_overlap", lambda c, *rest: (read.append(c.id), own(c, *rest))[1])
    west = [(slice(None), slice(0, 250), CLOUD)]
    low = passes(tmp_path, days=[1]) + passes(tmp_path, west, days=[2, 3, 4, 5, 6, 7, 8])
    _, pairs, _ = run(tmp_path, low, [high()], lr_dates=lr_dates, cloud_reads=2)
    assert len(read) == (1 if lr_dates == 1 else most)
    assert pairs["high--d01"].get("further_dates", []) == []


def test_what_was_not_read_for_the_first_is_read_for_further_dates(tmp_path):
    """The first date is the one that it is without others, also where better ones were not looked at."""
    west = [(slice(None), slice(0, 250), CLOUD)]
    plain = item("plain", time="2021-06-25T10:00:00Z") | {"geometry": mapping(TILE), "bbox": list(TILE.bounds)}
    low = [*passes(tmp_path, west, days=[1]), *passes(tmp_path, days=[3]), plain]
    for lr_dates in (1, 2):
        _, pairs, _ = run(tmp_path / str(lr_dates), low, [high()], cloud_reads=1, lr_dates=lr_dates)
        assert list(pairs) == ["high--plain"]
    assert dates(pairs["high--plain"]) == ["plain", "d03"]


def test_a_scene_is_first_of_one_pair_and_a_further_date_of_another(tmp_path):
    beside = region_of(100, 260, 200, 150)
    two = [high("a", time="2021-06-01T10:00:00Z"), high("b", beside, time="2021-06-06T10:00:00Z")]
    scenes, pairs, _ = run(tmp_path, passes(tmp_path, days=[1, 6]), two, lr_dates=2)
    assert dates(pairs["a--d01"]) == ["d01", "d06"] and dates(pairs["b--d06"]) == ["d06", "d01"]
    region = shape(scenes["d01"]["properties"]["crossres:region"])
    assert region.contains(WEST_HALF) and region.contains(beside)


def test_degraded_scenes_have_no_further_dates():
    with pytest.raises(ValueError, match="lr_dates: an LR scene that is made of the HR scene has no further dates"):
        SearchSettings(lr={"kind": "degraded"}, hr={"kind": "catalog", "href": "x"}, lr_dates=2)
