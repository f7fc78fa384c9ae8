"""The dataset: places are split, splits never share ground, and what is written is what was cut."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from dataset_runs import run_dataset as run
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod
from shapely.geometry import Point, box

from crossres.errors import UserError
from crossres.imagery.numbers import Mask
from crossres.imagery.raster import grid_of, read_mask
from crossres.pairs.ground import METRES_PER_DEGREE, blocks, widened
from crossres.pairs.held_out import held_out_mask
from crossres.pairs.partition import OUTSIDE, TOO_NEAR
from crossres.pairs.patch_file import read_patches
from crossres.pairs.splits import HeldOut, assert_disjoint, assign, places, strata
from crossres.pairs.statistics import Moments
from crossres.settings.dataset import DatasetSettings

WritePair = Callable[..., tuple[dict[str, Any], Path]]


def test_the_index_row_is_the_patch(write_pair: WritePair, tmp_path: Path) -> None:
    made = [write_pair(f"p{k}", east_m=5000 * k, brightness=0.15 + 0.02 * k) for k in range(6)]
    summary, index, zarr = run(tmp_path / "pairs", made)
    assert {s: len(n) for s, n in summary["splits"].items()} == {"train": 3, "val": 1, "test": 2}
    assert summary["patches"] == {"train": 45, "val": 15, "test": 30}
    assert index["patch"].tolist() == list(range(90)) and (index["split"] == index["pair"].map(_split(summary))).all()
    assert dict(zarr.sizes) == {"patch": 90, "band": 2, "lr_band": 2, "y": 32, "x": 32, "y_hr": 128, "x_hr": 128}
    for row in index.iloc[[3, 44, 88]].itertuples():
        cut = list(read_patches(tmp_path / "pairs-patches" / f"{row.pair}.zip"))[row.at]["hr"] * 1e-4 - 0.1
        np.testing.assert_allclose(zarr["hr"][row.patch].values, cut, atol=1e-6)
    assert summary["bands"] == ["red", "nir"] and summary["factor"] == "4/1" and summary["hr_gsd_m"] == 2.5


def test_statistics_are_those_of_clear_train_pixels(write_pair: WritePair, tmp_path: Path) -> None:
    made = [write_pair(f"p{k}", east_m=5000 * k, brightness=0.1 + 0.1 * k) for k in range(3)]
    summary, index, zarr = run(tmp_path / "pairs", made, assign={"p0": "train", "p1": "val", "p2": "test"})
    train = zarr["hr"][np.flatnonzero(index["split"] == "train")].values
    np.testing.assert_allclose(summary["statistics"]["hr_mean"], train.mean(axis=(0, 2, 3)), atol=1e-6)
    np.testing.assert_allclose(summary["statistics"]["hr_std"], train.std(axis=(0, 2, 3)), atol=1e-6)
    assert summary["statistics"]["lr_mean"][0] == pytest.approx(0.1, abs=0.02)


def test_neighbours_give_way_to_the_held_out_place(write_pair: WritePair, tmp_path: Path) -> None:
    made = [write_pair("a"), write_pair("b", east_m=800), write_pair("c", east_m=9000)]
    summary, index, _ = run(tmp_path / "pairs", made, val_share=0, assign={"b": "test", "*": "train"}, gap_m=100)
    assert summary["patches"] == {"train": 15 + 9, "val": 0, "test": 15}
    assert summary["left_out"] == {TOO_NEAR: 6}
    left_out = gpd.read_parquet(tmp_path / "pairs" / "left_out.parquet")
    assert len(left_out) == 6 and set(left_out["reason"]) == {TOO_NEAR} and set(left_out["pair"]) == {"a"}
    ground = index.to_crs(32650)
    train, test = (ground[ground["split"] == s].union_all() for s in ("train", "test"))
    assert train.distance(test) >= 100


def test_pairs_of_one_place_are_told_to_share_out_its_ground(write_pair: WritePair, tmp_path: Path) -> None:
    made = [write_pair("a"), write_pair("b")]
    with pytest.raises(UserError, match=r"they show one place.* set dataset\.split: block.* dataset\.assign"):
        run(tmp_path / "pairs", made)


def test_a_declined_pair_is_listed_with_its_reason(write_pair: WritePair, tmp_path: Path) -> None:
    made = [write_pair("a"), write_pair("b", east_m=5000), write_pair("bad", east_m=9000, accepted=False)]
    made.append(write_pair("cloudy", east_m=15000, mask=np.full((64, 96), Mask.CLOUD)))
    summary, index, _ = run(tmp_path / "pairs", made, val_share=0)
    assert {d["pair"]: d["reason"] for d in summary["declined"]} == {
        "bad": "only 1 of 40 windows match",
        "cloudy": "no patch is kept: too few clear pixels: cloud",
    }
    assert set(index["pair"]) == {"a", "b"} and summary["left_out"] == {"too few clear pixels: cloud": 15}


def test_without_a_pair_to_test_on_the_error_says_what_was_declined(write_pair: WritePair, tmp_path: Path) -> None:
    made = [write_pair("a"), write_pair("bad", east_m=9000, accepted=False)]
    with pytest.raises(UserError, match=r"none for test.*bad: only 1 of 40 windows match"):
        run(tmp_path / "pairs", made)
    with pytest.raises(UserError, match="no pair has patches"):
        run(tmp_path / "pairs", made[1:])
    assert not (tmp_path / "pairs").exists()


def test_assembling_twice_gives_the_same_bytes_in_any_order(write_pair: WritePair, tmp_path: Path) -> None:
    made = [write_pair(f"p{k}", east_m=5000 * k) for k in range(5)]
    contents = []
    for order in (made, made[::-1]):
        run(tmp_path / "pairs", order)
        files = sorted(p for p in (tmp_path / "pairs").rglob("*") if p.is_file())
        contents.append({p.relative_to(tmp_path).as_posix(): p.read_bytes() for p in files})
        shutil.rmtree(tmp_path / "pairs")
    assert contents[0] == contents[1]


def test_every_place_is_in_one_split_whatever_the_seed() -> None:
    footprints = np.array(
        [box(0, 0, 10, 10), box(1, 0, 11, 10), box(50, 0, 60, 10), box(57, 0, 67, 10), box(90, 0, 99, 9)], object
    )
    groups = places(footprints)
    assert groups == [[0, 1], [2], [3], [4]]
    names = ["a1", "a2", "b", "c", "d"]
    seen = set()
    for seed in range(20):
        found = assign(DatasetSettings(seed=seed), names, groups, np.array([0.0, 0.0, 1.0, 2.0, 3.0])[:, None])
        assert found["a1"] == found["a2"]
        assert set(found.values()) == {"train", "val", "test"}
        seen.add(tuple(found[n] for n in names))
    assert len(seen) > 3
    assert assign(DatasetSettings(assign={"a1": "test"}, val_share=0), names, groups, np.zeros((5, 3)))["a2"] == "test"


def test_test_places_are_spread_over_the_look_of_all_places() -> None:
    names = [f"p{k:02d}" for k in range(12)]
    for seed in range(10):
        found = assign(
            DatasetSettings(seed=seed, test_share=0.25), names, [[k] for k in range(12)], np.arange(12.0)[:, None]
        )
        test = [k for k, n in enumerate(names) if found[n] == "test"]
        assert len(test) == 3 and [k // 4 for k in test] == [0, 1, 2]


def test_val_gives_way_to_test_and_not_the_other_way() -> None:
    metre = 1 / METRES_PER_DEGREE
    patches = np.array([box(*(np.array(b) * metre)) for b in ((0, 0, 10, 10), (15, 0, 25, 10), (100, 0, 110, 10))])
    splits = np.array(["val", "test", "train"], object)
    near = HeldOut(patches, splits, gap_m=6).reaches(patches, splits)
    assert near.tolist() == [True, False, False]


def test_moments_are_exact_for_any_number_of_pixels() -> None:
    dn = np.random.default_rng(0).integers(1, 65535, (1, 300, 300)).astype(np.uint16)
    moments = Moments(1)
    for rows in np.array_split(np.arange(300), 7):
        moments.add(dn[:, rows], np.ones((len(rows), 300), bool))
    assert moments.mean()[0] == pytest.approx(dn.mean() * 1e-4 - 0.1, abs=1e-12)
    assert moments.std()[0] == pytest.approx(dn.std() * 1e-4, abs=1e-12)


def _split(summary: dict[str, Any]) -> dict[str, str]:
    return {name: split for split, names in summary["splits"].items() for name in names}


@pytest.mark.parametrize("split", ["block", "region"])
def test_one_large_scene_is_split_by_ground(write_pair: WritePair, tmp_path: Path, split: str) -> None:
    made = [write_pair(name, east_m=900 * k) for k, name in enumerate("abcd")]
    chosen: dict[str, Any] = {"split": split, "gap_m": 40, "val_share": 0.25, "test_share": 0.25}
    regions = None
    if split == "region":
        regions = tmp_path / "regions.gpkg"
        table = gpd.GeoDataFrame(
            {"split": ["test", "val", "train"]},
            geometry=[box(500_000, 3_999_000, 500_600, 4_001_000), box(500_600, 3_999_000, 501_400, 4_001_000),
                      box(501_400, 3_999_000, 503_000, 4_001_000)], crs=32650,
        )  # fmt: skip
        table.to_file(regions)
        chosen["regions"] = str(regions)
    else:
        chosen["block_m"] = 600
    summary, index, _ = run(tmp_path / "pairs", made, region_file=regions, lr_px=16, **chosen)
    assert all(summary["patches"].values()), "every split has patches"
    assert any(sum(name in pairs for pairs in summary["splits"].values()) > 1 for name in "abcd"), "within a scene too"
    ground = index.to_crs(32650)
    for one, other in (("train", "val"), ("train", "test"), ("val", "test")):
        a, b = (ground[ground["split"] == s].union_all() for s in (one, other))
        assert a.distance(b) >= 40, (one, other)
    left_out = gpd.read_parquet(tmp_path / "pairs" / "left_out.parquet")
    assert (
        len(left_out) + len(index) == 4 * 4 * 6 and summary["left_out"] == left_out["reason"].value_counts().to_dict()
    )
    assert (OUTSIDE in summary["left_out"]) == (split == "region")

    name = summary["splits"]["test"][0]
    aligned, judged = tmp_path / "aligned" / name / "mask.tif", tmp_path / "held_out.tif"
    held_out_mask(name, aligned, tmp_path / "pairs" / "index.parquet", judged)
    clear = read_mask(judged) == Mask.CLEAR
    assert grid_of(judged) == grid_of(aligned)
    assert clear.sum() == 16 * 16 * ((index["pair"] == name) & (index["split"] == "test")).sum() > 0


def test_ground_of_two_splits_is_an_error() -> None:
    ground = np.array([box(0, 0, 1, 1), box(0.9, 0, 2, 1)], object)
    with pytest.raises(AssertionError, match="share ground"):
        assert_disjoint(ground, np.array(["train", "test"], object))
    assert_disjoint(ground, np.array(["train", "train"], object))


@settings(max_examples=60, deadline=None)
@given(
    longitude=st.floats(-179, 179), latitude=st.floats(-79, 79), gap_m=st.floats(1, 5000),
    bearing=st.floats(0, 360), share=st.floats(0.01, 0.99),
)  # fmt: skip
def test_the_gap_holds_anywhere_on_earth(
    longitude: float, latitude: float, gap_m: float, bearing: float, share: float
) -> None:
    """A point nearer than the gap to a footprint's border, by geodesic, is within the widened footprint."""
    polygon = box(longitude, latitude, longitude + 0.3, latitude + 0.3)
    edge = polygon.exterior.interpolate(share, normalized=True)
    x, y, _ = Geod(ellps="WGS84").fwd(edge.x, edge.y, bearing, gap_m)
    wide = widened(np.array([polygon], object), gap_m)[0]
    assert wide.contains(Point(x, y))


@settings(max_examples=40, deadline=None)
@given(
    centres=st.lists(st.tuples(st.floats(-0.05, 0.05), st.floats(40, 40.1)), min_size=4, max_size=40),
    block_m=st.floats(200, 4000), gap_m=st.floats(0, 500), seed=st.integers(0, 99),
)  # fmt: skip
def test_no_draw_of_blocks_lets_two_splits_touch(
    centres: list[tuple[float, float]], block_m: float, gap_m: float, seed: int
) -> None:
    patches = np.array([box(x - 0.002, y - 0.0015, x + 0.002, y + 0.0015) for x, y in centres], object)
    of = [f"{r}:{c}" for r, c in blocks(*np.array(centres).T, block_m).tolist()]
    names = sorted(set(of))
    drawn = assign(DatasetSettings(split="block", seed=seed), names, [[k] for k in range(len(names))],
                   np.zeros((len(names), 3)))  # fmt: skip
    split = np.array([drawn[name] for name in of], object)
    left = ~HeldOut(patches, split, gap_m).reaches(patches, split)
    assert_disjoint(patches[left], split[left])
    assert left[split == "test"].all()


@settings(max_examples=40, deadline=None)
@given(look=st.lists(st.tuples(*[st.floats(0, 1)] * 3), min_size=1, max_size=50), data=st.data())
def test_strata_are_even_and_hold_every_place_once(look: list[tuple[float, ...]], data: st.DataObject) -> None:
    count = data.draw(st.integers(1, len(look)))
    found = strata(np.array(look), count)
    assert len(found) == count and sorted(np.concatenate(found).tolist()) == list(range(len(look)))
    assert min(map(len, found)) >= 1


def test_the_test_split_looks_like_the_rest() -> None:
    """Dark and bright, smooth and rough, bare and green: strata draw closer to the whole than chance does."""
    rng = np.random.default_rng(0)
    look = rng.normal(size=(200, 3)) ** 3
    names = [f"p{k:03d}" for k in range(200)]
    off: dict[str, list[float]] = {"strata": [], "chance": []}
    for seed in range(20):
        found = assign(DatasetSettings(seed=seed, val_share=0), names, [[k] for k in range(200)], look)
        test = np.array([found[n] == "test" for n in names])
        for kind, chosen in (("strata", test), ("chance", np.random.default_rng(seed).permutation(test))):
            quantiles = np.linspace(0.1, 0.9, 9)
            apart = np.abs(np.quantile(look[chosen], quantiles, axis=0) - np.quantile(look, quantiles, axis=0))
            off[kind].append((apart / look.std(axis=0)).mean())
    assert np.mean(off["strata"]) < 0.85 * np.mean(off["chance"])


def test_ten_thousand_places_are_grouped_in_seconds() -> None:
    rng = np.random.default_rng(0)
    west, south = rng.uniform(-100, 100, 5000), rng.uniform(-60, 60, 5000)
    first = shapely.box(west, south, west + 0.02, south + 0.02)
    second = shapely.box(west + 0.002, south, west + 0.022, south + 0.02)
    groups = places(np.concatenate([first, second]))
    assert sum(map(len, groups)) == 10_000
    of = {i: k for k, group in enumerate(groups) for i in group}
    assert all(of[i] == of[i + 5000] for i in range(5000)) and len(groups) > 4900
