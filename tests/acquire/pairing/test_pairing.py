"""Which LR scene is chosen: by what it shows of the overlap, when, and under which Sun."""

import logging
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin
from shapely.geometry import box, mapping
from test_search import item, run, settings
from web import serve

from crossres.acquire.pairing.best_pairs import best_pairs
from crossres.acquire.pairing.candidates import Candidate, candidate
from crossres.acquire.pairing.overlap_cloud import read_overlap
from crossres.acquire.regions import area_km2, polygons
from crossres.acquire.stac.offered import Offered
from crossres.grids import grid_outline
from crossres.settings.search import PairingWeights

WEST, NORTH = 600_000, 5_600_000
SCL = {"type": "image/tiff", "roles": ["data"]}
CLEAR, CLOUD, NOTHING = 4, 9, 0


def region_of(*window):
    """Return a window (row, column, rows, columns) of the classification's grid in degrees."""
    row, col, rows, cols = window
    return grid_outline(GeoBox((rows, cols), from_origin(WEST + 20 * col, NORTH - 20 * row, 20, 20), "EPSG:32632"))


TILE = region_of(0, 0, 500, 500)
WEST_HALF, EAST_HALF = region_of(100, 50, 200, 150), region_of(100, 300, 200, 150)


def scene(name, folder=None, classes=None, **properties):
    """Return an item over the tile whose classification, where given, is written into a folder."""
    one = item(name, **properties) | {"geometry": mapping(TILE), "bbox": list(TILE.bounds)}
    if classes is not None:
        values = np.full((500, 500), CLEAR, np.uint8)
        for rows, cols, value in classes:
            values[rows, cols] = value
        path = folder / f"{name}_SCL.tif"
        profile = dict(driver="COG", dtype="uint8", crs="EPSG:32632", count=1, width=500, height=500)
        with rasterio.open(path, "w", transform=from_origin(WEST, NORTH, 20, 20), **profile) as dst:
            dst.write(values, 1)
        one["assets"]["scl"] = SCL | {"href": str(path)}
    return one


def high(name="high", region=WEST_HALF, **properties):
    return item(name, **properties) | {"geometry": mapping(region), "bbox": list(region.bounds)}


def test_cloud_counts_over_the_overlap_not_over_the_scene(tmp_path):
    east = (slice(None), slice(250, 500), CLOUD)
    west = (slice(None), slice(0, 250), CLOUD)
    lr = [
        scene("west-is-clear", tmp_path, [east], **{"eo:cloud_cover": 39}),
        scene("east-is-clear", tmp_path, [west], **{"eo:cloud_cover": 5}),
    ]
    _, pairs, _ = run(tmp_path, lr, [high("w"), high("e", EAST_HALF)])
    assert sorted(pairs) == ["e--east-is-clear", "w--west-is-clear"]
    for pair in pairs.values():
        assert pair["overlap_cloud_percent"] == 0
        assert pair["overlap_cloud_source"] == "SCL"
        assert pair["score"] == pytest.approx(1, abs=1e-3)


def test_a_share_of_cloud_is_that_of_the_valid_pixels(tmp_path):
    classes = [(slice(100, 300), slice(50, 65), NOTHING), (slice(100, 300), slice(65, 92), CLOUD)]
    _, pairs, _ = run(tmp_path, [scene("low", tmp_path, classes)], [high()])
    pair = pairs["high--low"]
    assert pair["overlap_cloud_percent"] == pytest.approx(20, abs=0.7)
    assert pair["overlap_km2"] == pytest.approx(0.9 * area_km2(WEST_HALF), rel=0.01)
    assert pair["score"] == pytest.approx(0.9 * 0.8, abs=0.01)


def test_above_the_limit_the_next_best_is_taken_or_the_reason_given(tmp_path):
    west = [(slice(None), slice(0, 250), CLOUD)]
    near, later = scene("near", tmp_path, west), scene("later", tmp_path, [], time="2021-06-09T10:00:00Z")
    _, pairs, reasons = run(tmp_path / "a", [near, later], [high()])
    assert list(pairs) == ["high--later"]
    assert reasons["near"] == "cloud over its overlap with high 100 % (search.max_overlap_cloud_percent is 30)"
    _, pairs, reasons = run(tmp_path / "b", [near], [high("w"), high("e", EAST_HALF)])
    assert list(pairs) == ["e--near"]
    assert "cloud over the overlap at least 100 % in the 1 best LR scenes" in reasons["w"]


def test_no_more_classifications_are_read_than_allowed_and_none_that_cannot_win(tmp_path, monkeypatch):
    days = [1, 2, 3, 4, 5]
    lr = [scene(f"d{d}", tmp_path, [], time=f"2021-06-0{d}T10:00:00Z") for d in days]
    read = []
    monkeypatch.setattr(
        "crossres.acquire.pairing.best_pairs.read_overlap",
        lambda c, *rest: (read.append(c.id), read_overlap(c, *rest))[1],
    )
    _, pairs, _ = run(tmp_path / "a", lr, [high()])
    assert (list(pairs), read) == (["high--d1"], ["d1"])
    read.clear()
    west = [(slice(None), slice(0, 250), CLOUD)]
    lr = [scene(f"c{d}", tmp_path, west, time=f"2021-06-0{d}T10:00:00Z") for d in days]
    with pytest.raises(Exception, match="in the 2 best LR scenes"):
        run(tmp_path / "b", lr, [high()], cloud_reads=2)
    assert read == ["c1", "c2"]


def test_where_a_classification_is_missing_or_broken_the_scenes_percentage_stands_in_and_is_named(tmp_path, caplog):
    broken = scene("broken", tmp_path, [], **{"eo:cloud_cover": 20})
    (tmp_path / "broken_SCL.tif").write_text("<html>")
    for name, low in (("a", broken), ("b", scene("none", **{"eo:cloud_cover": 20}))):
        with caplog.at_level(logging.INFO):
            _, pairs, _ = run(tmp_path / name, [low], [high()])
        [pair] = pairs.values()
        assert (pair["overlap_cloud_percent"], pair["overlap_cloud_source"]) == (20, "eo:cloud_cover")
        assert "1 pairs know the clouds of the whole LR scene only" in caplog.text
    assert "broken: its eo:cloud_cover is taken for the overlap" in caplog.text
    _, pairs, _ = run(tmp_path / "c", [scene("unknown")], [high()])
    assert pairs["high--unknown"]["overlap_cloud_percent"] is None


def test_a_classification_is_read_over_http(tmp_path):
    noise = np.random.default_rng(0).choice([2, 4, 5, 6], (500, 500)).astype(np.uint8)
    low = scene("low", tmp_path, [(slice(None), slice(None), noise), (slice(100, 200), slice(50, 200), CLOUD)])
    (tmp_path / "www").mkdir()
    (tmp_path / "low_SCL.tif").rename(tmp_path / "www" / "low_SCL.tif")
    with serve(tmp_path / "www") as url:
        low["assets"]["scl"]["href"] = f"{url}/low_SCL.tif"
        seen = read_overlap(candidate(Offered(low, url)), WEST_HALF, (9,))
    assert seen.percent == pytest.approx(50, abs=1)


def test_parts_of_a_tile_fill_each_others_gaps(tmp_path):
    s2 = {"s2:mgrs_tile": "32UNA", "s2:datatake_id": "GS2A_20210601T100000_031000_N05.00"}
    a = scene("a", tmp_path, [(slice(None), slice(125, 500), NOTHING)], **s2)
    b = scene("b", tmp_path, [(slice(None), slice(0, 125), NOTHING), (slice(100, 300), slice(150, 170), CLOUD)], **s2)
    a["geometry"], b["geometry"] = mapping(region_of(0, 0, 500, 125)), mapping(region_of(0, 125, 500, 375))
    _, pairs, _ = run(tmp_path, [a, b], [high()])
    [pair] = pairs.values()
    assert pair["overlap_km2"] == pytest.approx(area_km2(WEST_HALF), rel=1e-3)
    assert pair["overlap_cloud_percent"] == pytest.approx(100 * 20 / 150, abs=0.8)


def test_the_sun_decides_between_scenes_alike(tmp_path):
    def lit(name, azimuth, elevation, **more):
        return scene(name, **{"view:sun_azimuth": azimuth, "view:sun_elevation": elevation} | more)

    one = high(**{"view:sun_azimuth": 150, "view:sun_elevation": 60})
    _, pairs, _ = run(tmp_path / "a", [lit("a-low", 170, 30), lit("b-high", 150, 55)], [one])
    assert list(pairs) == ["high--b-high"]
    assert pairs["high--b-high"]["sun_difference_deg"] == pytest.approx(5, abs=1e-3)
    with pytest.raises(Exception, match=r"the Sun of the best LR scene 60 degrees away \(search.max_sun_difference"):
        run(tmp_path / "b", [lit("away", 330, 60)], [one], max_sun_difference_deg=20)
    _, pairs, _ = run(tmp_path / "c", [scene("unknown")], [one], max_sun_difference_deg=1)
    assert pairs["high--unknown"]["sun_difference_deg"] is None


def test_weights_say_what_counts(tmp_path):
    half = scene("half") | {"geometry": mapping(region_of(0, 0, 500, 125))}
    lr = [half, scene("late", time="2021-06-25T10:00:00Z"), scene("hazy", **{"eo:cloud_cover": 38})]
    chosen = {}
    for name, weights in (("near", dict(date_gap=9)), ("clear", dict(cloud=9)), ("whole", dict(overlap=9, cloud=0))):
        _, pairs, _ = run(tmp_path / name, lr, [high()], weights=PairingWeights(**weights))
        chosen[name] = next(iter(pairs))
    assert chosen == {"near": "high--hazy", "clear": "high--half", "whole": "high--hazy"}


def made(name, day, bounds, cloud, sun) -> Candidate:
    time = datetime(2021, 6, 1, tzinfo=UTC) + timedelta(days=day)
    given = {"eo:cloud_cover": cloud, "view:sun_azimuth": 150, "view:sun_elevation": sun}
    return candidate(Offered(item(name, bounds, time.isoformat(), **given), "x.json"))


def by_hand(lr, hr, limits):
    """Return the best pairs by looking at every combination."""
    found = []
    for scene in hr:
        best = None
        for other in lr:
            gap = abs((other.time - scene.time).total_seconds()) / 86400
            sun = abs(other.sun[1] - scene.sun[1])
            common = polygons(other.region.intersection(scene.region))
            overlap = 0 if common.is_empty else area_km2(common)
            if gap > limits.max_date_gap_days or sun > limits.max_sun_difference_deg or overlap < 0.5:
                continue
            w = limits.weights
            score = min(overlap / area_km2(scene.region), 1) ** w.overlap * (1 - other.cloud_percent / 100) ** w.cloud
            score *= np.exp(-w.date_gap * gap / limits.max_date_gap_days - w.sun * sun / limits.max_sun_difference_deg)
            if best is None or (-round(score, 9), other.id) < best:
                best = (-round(score, 9), other.id)
        if best is not None:
            found.append((f"{scene.id}--{best[1]}", -best[0]))
    return sorted(found)


@given(seed=st.integers(0, 10**6), weights=st.tuples(*[st.sampled_from([0.0, 0.5, 1.0, 3.0])] * 4))
@hypothesis_settings(max_examples=25, deadline=None)
def test_looking_at_few_gives_what_looking_at_all_gives(seed, weights):
    rng = np.random.default_rng(seed)

    def some(prefix, count, side):
        corners = rng.uniform(0, 0.5, (count, 2))
        return [
            made(f"{prefix}{i:02}", rng.uniform(0, 60), (x, y, x + side, y + side), rng.uniform(0, 40),
                 rng.uniform(30, 60))
            for i, (x, y) in enumerate(corners)
        ]  # fmt: skip

    lr, hr = some("l", 25, 0.3), some("h", 10, 0.1)
    names = ("date_gap", "cloud", "overlap", "sun")
    limits = settings(max_sun_difference_deg=20, weights=PairingWeights(**dict(zip(names, weights, strict=True))))
    pairs, declined = best_pairs(lr, hr, None, limits)
    assert [(p.id, pytest.approx(p.score, abs=1e-6)) for p in pairs] == by_hand(lr, hr, limits)
    assert len({d.id for d in declined}) == len(lr) + len(hr) - len(pairs) - len({p.lr.id for p in pairs})


def test_thousands_of_scenes_are_paired_without_looking_at_every_combination(monkeypatch):
    rng = np.random.default_rng(0)
    looked = []
    monkeypatch.setattr(
        "crossres.acquire.pairing.best_pairs.polygons", lambda region: (looked.append(1), polygons(region))[1]
    )
    # All of one place: the spatial index alone is of no help here.
    here = box(10.0, 50.0, 10.1, 50.1).bounds
    lr = [made(f"l{i:04}", rng.uniform(0, 2000), here, 0, 50) for i in range(1000)]
    hr = [made(f"h{i:04}", rng.uniform(0, 2000), here, 0, 50) for i in range(1000)]
    pairs, _ = best_pairs(lr, hr, None, settings(cloud_reads=0))
    assert len(pairs) == 1000
    assert len(looked) < 10 * len(hr)
