"""The dataset: places are split, splits never share ground, and what is written is what was cut."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
from dataset_runs import run_dataset as run
from shapely.geometry import box

from crossres.errors import UserError
from crossres.pairs.splits import assign, places, too_near
from crossres.pairs.statistics import Moments
from crossres.rasters import Mask
from crossres.settings.dataset import DatasetSettings

WritePair = Callable[..., tuple[dict[str, Any], Path]]


def test_the_index_row_is_the_patch(write_pair: WritePair, tmp_path: Path) -> None:
    made = [write_pair(f"p{k}", east_m=5000 * k, brightness=0.15 + 0.02 * k) for k in range(6)]
    summary, index, zarr = run(tmp_path / "pairs", made)
    assert {s: len(n) for s, n in summary["splits"].items()} == {"train": 3, "val": 1, "test": 2}
    assert summary["patches"] == {"train": 45, "val": 15, "test": 30}
    assert index["patch"].tolist() == list(range(90)) and (index["split"] == index["pair"].map(_split(summary))).all()
    assert dict(zarr.sizes) == {"patch": 90, "band": 2, "y": 32, "x": 32, "y_hr": 128, "x_hr": 128}
    for row in index.iloc[[3, 44, 88]].itertuples():
        with np.load(tmp_path / "aligned" / row.pair / "p.npz") as arrays:
            cut = arrays["hr"][row.at] * 1e-4 - 0.1
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
    assert summary["left_out"] == {"too near to a place of another split": 6}
    ground = index.to_crs(32650)
    train, test = (ground[ground["split"] == s].union_all() for s in ("train", "test"))
    assert train.distance(test) >= 100


def test_a_declined_pair_is_listed_with_its_reason(write_pair: WritePair, tmp_path: Path) -> None:
    made = [write_pair("a"), write_pair("b", east_m=5000), write_pair("bad", east_m=9000, accepted=False)]
    made.append(write_pair("cloudy", east_m=15000, mask=np.full((64, 96), Mask.CLOUD)))
    summary, index, _ = run(tmp_path / "pairs", made, val_share=0)
    assert {d["pair"]: d["reason"] for d in summary["declined"]} == {
        "bad": "only 1 of 40 windows match",
        "cloudy": "no patch is kept: too few clear pixels",
    }
    assert set(index["pair"]) == {"a", "b"} and summary["left_out"] == {"too few clear pixels": 15}


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
    footprints = gpd.GeoSeries(
        [box(0, 0, 10, 10), box(1, 0, 11, 10), box(50, 0, 60, 10), box(57, 0, 67, 10), box(90, 0, 99, 9)]
    )
    groups = places(footprints)
    assert groups == [[0, 1], [2], [3], [4]]
    names = ["a1", "a2", "b", "c", "d"]
    seen = set()
    for seed in range(20):
        found = assign(DatasetSettings(seed=seed), names, groups, [0.0, 0.0, 1.0, 2.0, 3.0])
        assert found["a1"] == found["a2"]
        assert set(found.values()) == {"train", "val", "test"}
        seen.add(tuple(found[n] for n in names))
    assert len(seen) > 3
    assert assign(DatasetSettings(assign={"a1": "test"}, val_share=0), names, groups, [0.0] * 5)["a2"] == "test"


def test_test_places_are_spread_over_the_look_of_all_places() -> None:
    names = [f"p{k:02d}" for k in range(12)]
    for seed in range(10):
        found = assign(
            DatasetSettings(seed=seed, test_share=0.25), names, [[k] for k in range(12)], list(map(float, range(12)))
        )
        test = [k for k, n in enumerate(names) if found[n] == "test"]
        assert len(test) == 3 and [k // 4 for k in test] == [0, 1, 2]


def test_val_gives_way_to_test_and_not_the_other_way() -> None:
    patches = gpd.GeoSeries([box(0, 0, 10, 10), box(15, 0, 25, 10), box(100, 0, 110, 10)])
    near = too_near(patches, ["val", "test", "train"], patches, ["val", "test", "train"], gap_m=6)
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
