"""The splits that published sets come with, as `dataset.split: pair` with each pair named."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from crossres.errors import UserError
from crossres.files import read_json
from crossres.settings.dataset import DatasetSettings

log = logging.getLogger(__name__)


def by_pair(settings: DatasetSettings, pairs: Path, names: Sequence[str]) -> DatasetSettings:
    """Return settings that put each named pair of the folder `pairs` into the split that its JSON says.

    Where no val is published, `dataset.val_share` of the training pairs is drawn. Raises `UserError` for pairs
    without a split, and where no test is published.
    """
    splits = {name: read_json(pairs / f"{name}.json").get("split") for name in names}
    without = sorted(name for name, split in splits.items() if split is None)
    if without:
        raise UserError(
            f"dataset.split: published, but the set of {without[0]} has no split ({len(without)} of {len(names)} pairs "
            "are without); set dataset.split: pair"
        )
    if "test" not in splits.values():
        raise UserError(
            "dataset.split: published, but no pair is of a test split; set dataset.split: pair, or add a set with one "
            "(such as opensr-test) to search.lr"
        )
    train = sorted(name for name, split in splits.items() if split == "train")
    if "val" not in splits.values() and settings.val_share and len(train) > 1:
        log.info("dataset: no val split is published; dataset.val_share of the training pairs is drawn for it")
        count = min(max(1, round(settings.val_share * len(train))), len(train) - 1)
        drawn = np.random.default_rng([settings.seed, 2]).choice(train, count, replace=False)
        splits |= dict.fromkeys(drawn.tolist(), "val")
    return settings.model_copy(update={"split": "pair", "assign": splits, "test_share": 0.0})
