"""Folds: every place is tested once, by a fold that neither trains nor chooses on it."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from dataset_runs import run_dataset as run
from pydantic import ValidationError

from crossres.diffusion.model.standardise import Standard
from crossres.diffusion.train.data import Split
from crossres.diffusion.train.material import read_material
from crossres.errors import UserError
from crossres.files import read_json
from crossres.pairs.cache import write_cache
from crossres.pairs.partition import TOO_NEAR
from crossres.pairs.splits import assign_folds
from crossres.settings.dataset import DatasetSettings

WritePair = Callable[..., tuple[dict[str, Any], Path]]


def fold_of_each(settings: DatasetSettings, names: list[str], groups: list[list[int]], look: np.ndarray) -> list[int]:
    folds = assign_folds(settings, names, groups, look)
    tested = np.array([[fold[name] == "test" for name in names] for fold in folds])
    assert (tested.sum(axis=0) == 1).all()
    return tested.argmax(axis=0).tolist()


@pytest.mark.parametrize(("places", "folds"), [(24, 5), (24, 24), (7, 3), (2, 2)])
def test_folds_are_of_like_size_and_each_trains(places: int, folds: int) -> None:
    names = [f"p{k:02}" for k in range(places)]
    settings = DatasetSettings(folds=folds)
    look = np.arange(places)[:, None] / places
    found = assign_folds(settings, names, [[k] for k in range(places)], look)
    sizes = [list(fold.values()).count("test") for fold in found]
    assert sum(sizes) == places and max(sizes) - min(sizes) <= 1
    assert all("train" in fold.values() for fold in found)
    if places > 2:
        assert all("val" in fold.values() for fold in found)


def test_folds_are_each_like_the_whole() -> None:
    places, folds = 40, 4
    names = [f"p{k:02}" for k in range(places)]
    look = np.random.default_rng(1).permutation(places)[:, None].astype(float)
    for seed in range(10):
        fold = np.array(
            fold_of_each(DatasetSettings(folds=folds, seed=seed), names, [[k] for k in range(places)], look)
        )
        for number in range(folds):
            held_out = np.sort(look[fold == number, 0])
            assert (held_out // folds == np.arange(places // folds)).all(), "one of each stratum"


def test_pairs_of_one_place_stay_together_and_what_is_assigned_holds_in_every_fold() -> None:
    names, groups = ["a1", "a2", "b", "c", "d", "e"], [[0, 1], [2], [3], [4], [5]]
    settings = DatasetSettings(folds=2, assign={"b": "train", "a1": "val"})
    for fold in assign_folds(settings, names, groups, np.zeros((6, 1))):
        assert fold["b"] == "train" and fold["a1"] == fold["a2"] == "val"
    tested = [
        {n for n in names if fold[n] == "test"} for fold in assign_folds(settings, names, groups, np.zeros((6, 1)))
    ]
    assert tested[0] | tested[1] == {"c", "d", "e"} and not tested[0] & tested[1]


def test_more_folds_than_places_are_refused_in_one_line() -> None:
    with pytest.raises(UserError, match=r"dataset\.folds: 3 folds need as many places .* there are 2; set it to 2"):
        assign_folds(DatasetSettings(folds=3), ["a", "b"], [[0], [1]], np.zeros((2, 1)))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"split": "region", "regions": "x.gpkg"}, "use dataset.split: pair or block"),
        ({"assign": {"a": "test"}}, "take out what is assigned to test"),
    ],
)
def test_what_does_not_go_with_folds_is_refused(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        DatasetSettings(folds=2, **keys)


def test_each_fold_has_its_own_index_statistics_and_gap_in_one_zarr(write_pair: WritePair, tmp_path: Path) -> None:
    east = {"a": 0, "b": 1100, "c": 9000, "d": 18000}  # a and b are two places, 140 m apart
    made = [write_pair(n, east_m=e, brightness=0.1 + 0.1 * k) for k, (n, e) in enumerate(east.items())]
    output = tmp_path / "pairs"
    summary, index, zarr = run(output, made, folds=4, val_share=0, gap_m=300)
    assert summary["splits"] == {"train": [], "val": [], "test": ["a", "b", "c", "d"]}
    assert sorted(name for fold in summary["folds"] for name in fold) == ["a", "b", "c", "d"]
    assert len(index) == zarr.sizes["patch"] == 60 and (index["split"] == "test").all()
    assert "statistics" not in summary

    for number, tested in enumerate(summary["folds"]):
        fold = output / "folds" / f"fold-{number}"
        own, about = pd.read_parquet(fold / "index.parquet"), read_json(fold / "summary.json")
        assert own["patch"].tolist() == index["patch"].tolist() and own["digest"].tolist() == index["digest"].tolist()
        assert set(own.loc[own["split"] == "test", "pair"]) == set(tested) == set(about["splits"]["test"])
        assert ((index["fold"] == number) == (own["split"] == "test")).all()
        train = np.flatnonzero(own["split"] == "train")
        assert not set(own["pair"][train]) & set(tested)
        means = zarr["hr"][train].values.mean(axis=(0, 2, 3))
        np.testing.assert_allclose(about["statistics"]["hr_mean"], means, atol=1e-6)
        ground = gpd.read_parquet(fold / "index.parquet").to_crs(32650)
        near = ground[ground["split"] == "train"].union_all().distance(ground[ground["split"] == "test"].union_all())
        assert near >= 300
        assert about["left_out"].get(TOO_NEAR, 0) == (own["split"] == "").sum() == (6 if tested[0] in "ab" else 0)


def test_a_pair_whose_blocks_lie_in_several_folds_is_a_scene_in_each(write_pair: WritePair, tmp_path: Path) -> None:
    made = [write_pair(f"p{k}", east_m=5000 * k) for k in range(2)]
    output = tmp_path / "pairs"
    summary, index, _ = run(output, made, lr_px=16, split="block", block_m=480, folds=2, gap_m=0, val_share=0)
    assert summary["splits"]["test"] == ["p0.fold-0", "p0.fold-1", "p1.fold-0", "p1.fold-1"]
    assert summary["folds"] == [["p0", "p1"], ["p0", "p1"]]
    assert set(index["fold"]) == {0, 1} and index.groupby("pair")["fold"].nunique().tolist() == [2, 2]


def test_a_fold_trains_from_the_shared_cache_and_all_folds_together_do_not(
    write_pair: WritePair, tmp_path: Path
) -> None:
    output = tmp_path / "pairs"
    run(output, [write_pair(f"p{k}", east_m=5000 * k) for k in range(3)], folds=3, val_share=0)
    write_cache(output / "dataset.zarr", output / "index.parquet", output / "cache")
    standard = Standard((0.2, 0.2), (0.1, 0.1))
    for number in range(3):
        index = output / "folds" / f"fold-{number}" / "index.parquet"
        cached, stored = (
            Split(output / name, index, "train", Fraction(4), standard) for name in ("cache", "dataset.zarr")
        )
        assert len(cached) == len(stored) == 30
        np.testing.assert_array_equal(cached.read("hr", np.array([7])), stored.read("hr", np.array([7])))
    with pytest.raises(UserError, match=r"name folds/fold-0/summary\.json"):
        read_material(output / "dataset.zarr", output / "index.parquet", output / "summary.json", "hr")
    other = tmp_path / "other"
    run(other, [write_pair(f"q{k}", east_m=5000 * k) for k in range(3)], folds=3, val_share=0)
    with pytest.raises(UserError, match="made from another dataset"):
        Split(output / "cache", other / "folds" / "fold-0" / "index.parquet", "train", Fraction(4), standard)
