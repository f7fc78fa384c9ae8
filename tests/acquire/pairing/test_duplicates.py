"""Sentinel-2 scenes that come several times: the best processing is used, and parts of a tile become one scene."""

import copy
import itertools

import pytest
from shapely.geometry import box, mapping, shape
from test_search import item, run

from crossres.acquire.pairing.candidates import candidate
from crossres.acquire.pairing.duplicates import without_duplicates
from crossres.acquire.stac.offered import Offered

S2 = {"s2:mgrs_tile": "32UNA", "s2:datatake_id": "GS2A_20210601T100000_031000_N03.00"}


def processing(name, baseline, generated, bounds=(10.0, 50.0, 10.1, 50.1), **properties):
    take = f"GS2A_20210601T100000_031000_N{baseline}"
    given = {"s2:processing_baseline": baseline, "s2:generation_time": generated, "s2:datatake_id": take}
    return item(name, bounds, **(S2 | given | properties))


OLD = processing("old", "03.00", "2024-06-01T15:00:00Z")
NEW = processing("new", "05.00", "2023-01-01T00:00:00Z")
NEWER = processing("newer", "05.00", "2023-02-01T00:00:00.5Z")
WEST = processing("west", "05.00", "2023-01-01T00:00:00Z", (10.0, 50.0, 10.06, 50.1), **{"eo:cloud_cover": 30})
EAST = processing("east", "05.00", "2023-01-01T00:00:00Z", (10.05, 50.0, 10.1, 50.1), **{"eo:cloud_cover": 0})


def chosen(*items):
    """Return ids of scenes -> ids of their other parts, and the ids of those declined."""
    kept, declined = without_duplicates([candidate(Offered(one, "x.json")) for one in items], "lr")
    return {c.id: [p.id for p in c.parts] for c in kept}, sorted(d.id for d in declined)


def test_highest_baseline_then_latest_processing_in_every_order_and_however_often():
    for order in itertools.permutations([OLD, NEW, NEWER, NEW]):
        assert chosen(*order) == ({"newer": []}, ["new", "old"])


def test_the_same_answer_twice_is_one_scene_without_a_word():
    assert chosen(NEW, NEW, NEW) == ({"new": []}, [])
    assert chosen(item("naip"), item("naip")) == ({"naip": []}, [])


def test_halves_of_a_tile_become_one_scene(tmp_path):
    for order in itertools.permutations([WEST, OLD, EAST]):
        assert chosen(*order) == ({"west": ["east"]}, ["old"])
    hr = item("high", (10.03, 50.02, 10.08, 50.08))
    scenes, pairs, _ = run(tmp_path, [EAST, WEST], [hr])
    assert list(pairs) == ["high--west"]
    assert pairs["high--west"]["overlap_km2"] == pytest.approx(23.9, rel=0.02)
    scene = scenes["west"]
    assert shape(scene["geometry"]).symmetric_difference(box(10.0, 50.0, 10.1, 50.1)).area < 1e-9
    assert scene["bbox"] == [10.0, 50.0, 10.1, 50.1]
    [part] = scene["properties"]["crossres:mosaic"]
    assert part["id"] == "east"
    assert part["properties"]["s2:processing_baseline"] == "05.00"
    assert (
        tmp_path / "items" / "scenes" / part["assets"]["red"]["href"]
    ).resolve() == tmp_path / "lr/child/east/red.tif"


def test_another_tile_datatake_or_platform_is_another_scene():
    others = []
    for key, value in (("s2:mgrs_tile", "32UPA"), ("s2:datatake_id", "GS2A_20210611T100000_031143_N05.00")):
        other = copy.deepcopy(NEW) | {"id": f"other-{key[3:]}"}
        other["properties"][key] = value
        others.append(other)
    others.append(copy.deepcopy(NEW) | {"id": "other-platform"})
    others[-1]["properties"]["platform"] = "sentinel-2b"
    assert len(chosen(NEW, *others)[0]) == 4


def test_catalogues_that_name_a_product_differently_agree_on_the_acquisition():
    earth_search = copy.deepcopy(NEW) | {"id": "S2A_T32UNA_20210601T100000_L2A"}
    earth_search["properties"] |= {"grid:code": "MGRS-32UNA"}
    del earth_search["properties"]["s2:mgrs_tile"]
    name = "S2A_MSIL2A_20210601T100000_N0500_R122_T32UNA_20230101T000000"
    copernicus = item(name, platform="sentinel-2a", constellation="sentinel-2", **{"grid:code": "MGRS-32UNA"})
    copernicus["properties"] |= {"processing:version": "05.00", "processing:datetime": "2023-01-01T00:00:00.000000Z"}
    for asset in copernicus["assets"].values():
        asset["type"] = "image/jp2"
    # The same product: the one that is a cloud-optimised GeoTIFF over https is read.
    assert chosen(copernicus, earth_search) == ({earth_search["id"]: []}, [name])


def test_an_l1c_product_gives_way_to_l2a():
    l1c = processing("S2A_32UNA_20210601_0_L1C", "05.10", "2024-01-01T00:00:00Z")
    assert chosen(l1c, NEW) == ({"new": []}, [l1c["id"]])


def test_parts_that_hardly_differ_are_copies():
    slightly = copy.deepcopy(NEW) | {"id": "a", "geometry": mapping(box(10.0, 50.0, 10.105, 50.1))}
    assert len(chosen(slightly, NEW)[0]) == 1
