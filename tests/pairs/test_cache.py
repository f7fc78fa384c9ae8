"""The training cache holds the dataset's own patches, whole, and no other dataset's."""

import shutil
from fractions import Fraction
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import torch
import zarr
from aligned_pairs import write_aligned
from dataset_runs import run_dataset

from crossres.diffusion.model.standardise import Standard
from crossres.diffusion.train.batches import batches
from crossres.diffusion.train.data import Split
from crossres.errors import UserError
from crossres.pairs.cache import write_cache
from crossres.pairs.store import digest
from crossres.settings.train import IN_MEMORY_BYTES

STANDARD = Standard((0.2, 0.3), (0.05, 0.06))


@pytest.fixture(scope="module")
def assembled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    run_dataset(folder / "pairs", [write_aligned(folder, f"p{k}", east_m=5000 * k) for k in range(2)], val_share=0)
    return folder / "pairs"


@pytest.fixture
def dataset(assembled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(assembled, tmp_path / "pairs"))


def test_a_cached_patch_is_the_dataset_s(dataset: Path) -> None:
    write_cache(dataset / "dataset.zarr", dataset / "index.parquet", dataset / "cache")
    group = zarr.open_group(dataset / "dataset.zarr", mode="r")
    for name in ("lr", "hr", "mask"):
        cached = np.load(dataset / "cache" / f"{name}.npy", mmap_mode="r")
        np.testing.assert_array_equal(cached, group[name][:])


@pytest.mark.parametrize("in_memory", [True, False])
def test_training_batches_are_the_same_with_and_without_the_cache(
    dataset: Path, in_memory: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crossres.diffusion.train.data.IN_MEMORY_BYTES", IN_MEMORY_BYTES if in_memory else 0)
    write_cache(dataset / "dataset.zarr", dataset / "index.parquet", dataset / "cache")
    splits = [
        Split(path, dataset / "index.parquet", "train", Fraction(4), STANDARD)
        for path in (dataset / "dataset.zarr", dataset / "cache")
    ]
    for a, b in zip(*(batches(split, 5, 12, 64, 0.5, seed=1) for split in splits), strict=True):
        assert a.turn == b.turn and all(map(torch.equal, a.tensors(), b.tensors()))


def test_a_cache_of_another_dataset_is_refused(dataset: Path) -> None:
    write_cache(dataset / "dataset.zarr", dataset / "index.parquet", dataset / "cache")
    index = gpd.read_parquet(dataset / "index.parquet")
    index.assign(digest="0" * 16).to_parquet(dataset / "index.parquet")
    with pytest.raises(UserError, match="made from another dataset"):
        Split(dataset / "cache", dataset / "index.parquet", "train", Fraction(4), STANDARD)


def test_a_damaged_dataset_gives_no_cache(dataset: Path) -> None:
    group = zarr.open_group(dataset / "dataset.zarr", mode="a")
    group["lr"][7, 0, 3, 3] = 77
    with pytest.raises(UserError, match=r"patch 7 is damaged"):
        write_cache(dataset / "dataset.zarr", dataset / "index.parquet", dataset / "cache")
    assert not (dataset / "cache").exists() and not list(dataset.glob(".part*"))


def test_the_digest_is_that_of_the_patch(dataset: Path) -> None:
    index = gpd.read_parquet(dataset / "index.parquet")
    group = zarr.open_group(dataset / "dataset.zarr", mode="r")
    patch = {name: group[name][5] for name in ("lr", "hr", "mask")}
    assert index["digest"][5] == digest(patch) != index["digest"][6]
    patch["mask"][0, 0] = 3
    assert digest(patch) != index["digest"][5]
