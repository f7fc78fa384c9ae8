"""Splits by place: which pairs train, validate and test, and which patches lie too near to another split."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

import geopandas as gpd
import numpy as np
from shapely.ops import unary_union

from crossres.settings.dataset import DatasetSettings

SPLITS = ("train", "val", "test")
"""From the split that gives way to the one that stays whole."""

SAME_PLACE = 0.5
"""Pairs whose footprints share more than this of the smaller one are one place."""


def places(footprints: gpd.GeoSeries) -> list[list[int]]:
    """Group footprints (in metres) into places: those that overlap by over half of the smaller one, transitively."""
    label = list(range(len(footprints)))
    shapes = list(footprints)
    for i, a in enumerate(shapes):
        for j, b in enumerate(shapes[:i]):
            if a.intersection(b).area > SAME_PLACE * min(a.area, b.area):
                old, new = label[i], label[j]
                label = [new if k == old else k for k in label]
    return [[i for i, k in enumerate(label) if k == name] for name in dict.fromkeys(label)]


def assign(
    settings: DatasetSettings, names: Sequence[str], groups: Sequence[Sequence[int]], look: Sequence[float]
) -> dict[str, str]:
    """Return the split of each pair.

    Names that a glob of `settings.assign` matches go where it says, the others by share and seed: places are put in
    order of `look` (a number by pair, for example its brightness) and cut into as many runs as a split needs places;
    one of each run is drawn. So a split is like the whole, not like one end of it. Test is drawn before val.
    """
    result: dict[str, str] = {}
    for name in names:
        for glob, split in reversed(settings.assign.items()):
            if fnmatchcase(name, glob):
                result[name] = split
    free = [g for g in groups if not any(names[i] in result for i in g)]
    for g in groups:
        taken = sorted({result[names[i]] for i in g if names[i] in result}, key=SPLITS.index)
        result |= {names[i]: taken[-1] for i in g if taken and names[i] not in result}
    rng = np.random.default_rng([settings.seed, 2])
    for split, share in (("test", settings.test_share), ("val", settings.val_share)):
        have = sum(any(result.get(names[i]) == split for i in g) for g in groups)
        wanted = max(1, round(share * len(groups))) - have if share > 0 else 0
        keep = 0 if "train" in result.values() else 1
        free.sort(key=lambda g: (np.mean([look[i] for i in g]), [names[i] for i in g]))
        runs = np.array_split(np.arange(len(free)), max(0, min(wanted, len(free) - keep)) or 1)
        drawn = [int(rng.choice(run)) for run in runs if len(run)] if min(wanted, len(free) - keep) > 0 else []
        for k in drawn:
            result |= {names[i]: split for i in free[k]}
        free = [g for k, g in enumerate(free) if k not in drawn]
    return result | {names[i]: "train" for g in free for i in g}


def too_near(
    patches: gpd.GeoSeries, split: Sequence[str], footprints: gpd.GeoSeries, pair_split: Sequence[str], gap_m: float
) -> np.ndarray:
    """Say which patches lie within `gap_m` of a pair of a split that goes before theirs; geometries in metres.

    Train gives way to val and test, val to test: what is measured on a held-out place was never near training.
    """
    result = np.zeros(len(patches), bool)
    of_patch, of_pair = np.array(split, object), np.array(pair_split, object)
    for k, name in enumerate(SPLITS[:-1]):
        before = footprints[np.isin(of_pair, SPLITS[k + 1 :])]
        if len(before):
            zone = unary_union(list(before)).buffer(gap_m)
            result |= (of_patch == name) & patches.intersects(zone).to_numpy()
    return result


def assert_disjoint(patches: gpd.GeoSeries, split: Sequence[str]) -> None:
    """Raise `AssertionError` when patches of two splits share ground."""
    of_patch = np.array(split, object)
    zones = {name: unary_union(list(patches[of_patch == name])) for name in SPLITS}
    for i, a in enumerate(SPLITS):
        for b in SPLITS[:i]:
            shared = zones[a].intersection(zones[b]).area
            assert shared == 0, f"{a} and {b} share {shared:.0f} square metres"
