"""Splits by place: which ground trains, validates and tests, and which patches lie too near to another split's."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

import numpy as np
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from shapely import STRtree

from crossres.errors import UserError
from crossres.pairs.ground import widened
from crossres.settings.dataset import DatasetSettings

SPLITS = ("train", "val", "test")
"""From the split that gives way to the one that stays whole."""

SAME_PLACE = 0.5
"""Pairs whose footprints share more than this of the smaller one are one place."""


def places(footprints: np.ndarray) -> list[list[int]]:
    """Group (n,) footprints into places: those that overlap by over half of the smaller one, transitively."""
    i, j = STRtree(footprints).query(footprints, predicate="intersects")
    i, j = i[i < j], j[i < j]
    areas = shapely.area(footprints)
    same = shapely.area(shapely.intersection(footprints[i], footprints[j])) > SAME_PLACE * np.minimum(
        areas[i], areas[j]
    )
    edges = coo_array((np.ones(same.sum()), (i[same], j[same])), shape=(len(footprints),) * 2)
    _, label = connected_components(edges, directed=False)
    order = np.argsort(label, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
    return sorted(group.tolist() for group in groups)


def assign(
    settings: DatasetSettings, names: Sequence[str], groups: Sequence[Sequence[int]], look: np.ndarray
) -> dict[str, str]:
    """Return the split of each pair or block, all of a group in one.

    Names that a glob of `settings.assign` matches go where it says, the others by share and seed: groups are put into
    as many strata of like `look` ((n, k) numbers by name: brightness, texture, NDVI) as a split needs, and one of each
    is drawn. So a split is like the whole, not like one end of it. Test is drawn before val.
    """
    result, free = _given(settings, names, groups)
    rng = np.random.default_rng([settings.seed, 2])
    for split, share in (("test", settings.test_share), ("val", settings.val_share)):
        free = _draw(split, share, result, free, names, groups, look, rng)
    return result | {names[i]: "train" for g in free for i in g}


def assign_folds(
    settings: DatasetSettings, names: Sequence[str], groups: Sequence[Sequence[int]], look: np.ndarray
) -> list[dict[str, str]]:
    """Return for each of `settings.folds` folds what `assign` does for one split of all.

    Each group that `settings.assign` does not name is in the test split of just one fold; folds differ by one group in
    size at most, and one of each stratum of like look goes to each. Val is drawn from the rest of a fold by share.
    Raises `UserError` when there are fewer groups than folds.
    """
    assert settings.folds is not None
    given, free = _given(settings, names, groups)
    free.sort(key=lambda g: [names[i] for i in g])
    if len(free) < settings.folds:
        what = {"pair": "places (pairs that overlap are one)", "block": "blocks of ground"}[settings.split]
        raise UserError(
            f"dataset.folds: {settings.folds} folds need as many {what} that nothing assigns, and there are "
            f"{len(free)}; set it to {len(free)} or less, or get more pairs"
        )
    rng = np.random.default_rng([settings.seed, 4])
    looks = np.array([look[g].mean(axis=0) for g in free])
    order = np.concatenate(strata(looks, len(free) // settings.folds))
    fold = np.empty(len(free), int)
    for start in range(0, len(order), settings.folds):
        members = order[start : start + settings.folds]
        fold[members] = rng.permutation(settings.folds)[: len(members)]
    found = []
    for number in range(settings.folds):
        result = given | {names[i]: "test" for k, g in enumerate(free) if fold[k] == number for i in g}
        rest = [g for k, g in enumerate(free) if fold[k] != number]
        rng = np.random.default_rng([settings.seed, 2, number])
        rest = _draw("val", settings.val_share, result, rest, names, groups, look, rng)
        found.append(result | {names[i]: "train" for g in rest for i in g})
    return found


def _given(
    settings: DatasetSettings, names: Sequence[str], groups: Sequence[Sequence[int]]
) -> tuple[dict[str, str], list[Sequence[int]]]:
    """Return the split of each name that a glob of `settings.assign` matches, and of its group; and other groups."""
    result: dict[str, str] = {}
    for name in names:
        for glob, split in reversed(settings.assign.items()):
            if fnmatchcase(name, glob):
                result[name] = split
    free = [g for g in groups if not any(names[i] in result for i in g)]
    for g in groups:
        taken = sorted({result[names[i]] for i in g if names[i] in result}, key=SPLITS.index)
        result |= {names[i]: taken[-1] for i in g if taken and names[i] not in result}
    return result, free


def _draw(
    split: str, share: float, result: dict[str, str], free: list[Sequence[int]], names: Sequence[str],
    groups: Sequence[Sequence[int]], look: np.ndarray, rng: np.random.Generator,
) -> list[Sequence[int]]:  # fmt: skip
    """Put so many of the free groups into a split that it has its share of all; return those that stay free."""
    have = sum(any(result.get(names[i]) == split for i in g) for g in groups)
    wanted = max(1, round(share * len(groups))) - have if share > 0 else 0
    count = min(wanted, len(free) - (0 if "train" in result.values() else 1))
    if count <= 0:
        return free
    free = sorted(free, key=lambda g: [names[i] for i in g])
    drawn = {int(rng.choice(stratum)) for stratum in strata(np.array([look[g].mean(axis=0) for g in free]), count)}
    for k in drawn:
        result |= {names[i]: split for i in free[k]}
    return [g for k, g in enumerate(free) if k not in drawn]


def strata(look: np.ndarray, count: int) -> list[np.ndarray]:
    """Cut n places into `count` strata of like look, of nearly equal size; `look` is (n, k), NaN where unknown.

    A k-d tree over ranks: again and again the places are cut in two along the number in which they differ most. Ranks
    make brightness, texture and NDVI comparable.
    """
    known = np.where(np.isfinite(look), look, np.nanmean(np.where(np.isfinite(look), look, 0), axis=0))
    ranks = np.argsort(np.argsort(known, axis=0, kind="stable"), axis=0, kind="stable").astype(np.float64)
    ranks[:, np.ptp(known, axis=0) == 0] = 0

    def cut(members: np.ndarray, parts: int) -> list[np.ndarray]:
        if parts == 1:
            return [members]
        axis = int(np.argmax(ranks[members].std(axis=0)))
        ordered = members[np.argsort(ranks[members, axis], kind="stable")]
        low = parts // 2
        at = round(len(members) * low / parts)
        return cut(ordered[:at], low) + cut(ordered[at:], parts - low)

    return cut(np.arange(len(look)), count)


class HeldOut:
    """Ground that patches of other splits must keep away from.

    Train gives way to val and test, val to test: what is measured on held-out ground was never near training.
    """

    def __init__(self, ground: np.ndarray, split: np.ndarray, gap_m: float) -> None:
        """Take (n,) polygons in degrees, the split of each, and the gap in metres."""
        self._trees = {
            name: STRtree(widened(ground[np.isin(split, SPLITS[k + 1 :])], gap_m)) for k, name in enumerate(SPLITS)
        }

    def reaches(self, patches: np.ndarray, split: np.ndarray) -> np.ndarray:
        """Say which (n,) patches lie within the gap of ground of a split that goes before theirs, given as (n,)."""
        result = np.zeros(len(patches), bool)
        for name, tree in self._trees.items():
            own = np.flatnonzero(split == name)
            hit, _ = tree.query(patches[own], predicate="intersects")
            result[own[np.unique(hit)]] = True
        return result


def assert_disjoint(ground: np.ndarray, split: np.ndarray) -> None:
    """Raise `AssertionError` when polygons of two splits share ground."""
    tree = STRtree(ground)
    i, j = tree.query(ground, predicate="intersects")
    other = split[i] != split[j]
    i, j = i[other], j[other]
    shared = shapely.area(shapely.intersection(ground[i], ground[j])) > 0
    if shared.any():
        a, b = i[shared][0], j[shared][0]
        raise AssertionError(f"{split[a]} and {split[b]} share ground around {ground[a].centroid.wkt} (degrees)")
