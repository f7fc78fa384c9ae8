"""Which split each kept patch goes to, by pair, by block of ground or by region, and which ones are left out."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from pyproj import CRS
from shapely import STRtree

from crossres.errors import UserError
from crossres.globe import LON_LAT, polygons, reproject
from crossres.pairs.candidates import Kept, PairFiles
from crossres.pairs.ground import blocks
from crossres.pairs.splits import SPLITS, HeldOut, assert_disjoint, assign, assign_folds, places
from crossres.settings.dataset import DatasetSettings

TOO_NEAR = "too near to ground of another split"
OUTSIDE = "outside of all regions"


@dataclass(frozen=True)
class Parted:
    """The kept patches of a pair, in the order of its patch file."""

    split: np.ndarray
    """(n,) name of the split; empty where a patch is left out."""
    reason: np.ndarray
    """(n,) why it is left out; empty where it is not."""


def part(settings: DatasetSettings, pairs: Sequence[PairFiles], regions: Path | None) -> list[dict[str, Parted]]:
    """Return the split of every kept patch, by pair: once, or for each of `settings.folds`.

    Memory holds one pair's polygons, and one of each pair, split and fold. No two splits of a fold share ground, and
    patches nearer than the gap to ground held out in it are left out of it: asserted, not hoped.
    """
    wanted = _wanted(settings, pairs, regions)
    grounds = _ground(pairs, wanted, whole_pairs=settings.split == "pair")
    held_out = [HeldOut(*ground, settings.gap_m) for ground in grounds]
    result: list[dict[str, Parted]] = [{} for _ in wanted]
    for pair in pairs:
        polygons = pair.kept().polygons
        for fold, found in enumerate(result):
            split = wanted[fold][pair.name]
            near = held_out[fold].reaches(polygons, split)
            reason = np.where(split == "", OUTSIDE, np.where(near, TOO_NEAR, "")).astype(object)
            found[pair.name] = Parted(np.where(near, "", split).astype(object), reason)
    left = [{name: parted.split for name, parted in found.items()} for found in result]
    for ground in _ground(pairs, left, whole_pairs=False):
        assert_disjoint(*ground)
    return result


def held_out_once(folds: Sequence[Parted]) -> tuple[Parted, np.ndarray]:
    """Return what a pair's patches are over all folds, and the (n,) number of the fold that tests each, -1 for none.

    A patch is of the test split where a fold tests it, else of the split it has in the first fold that has it.
    """
    splits = np.array([parted.split for parted in folds], object)
    tested = splits == "test"
    first = np.where(tested.any(0), tested.argmax(0), (splits != "").argmax(0))
    split = np.take_along_axis(splits, first[None], 0)[0]
    reason = np.where(split == "", folds[0].reason, "").astype(object)
    return Parted(split, reason), np.where(tested.any(0), first, -1)


def _wanted(settings: DatasetSettings, pairs: Sequence[PairFiles], regions: Path | None) -> list[dict[str, np.ndarray]]:
    """Return for each fold by pair the (n,) splits of its kept patches, empty outside of all regions."""
    if settings.split == "region":
        assert regions is not None
        return [dict(_by_region(pairs, regions))]
    sums: dict[str, np.ndarray] = {}
    units: dict[str, list[str]] = {}
    footprints: dict[str, Any] = {}
    for pair in pairs:
        kept = pair.kept()
        units[pair.name] = _units(settings, pair.name, kept)
        if settings.split == "pair":
            footprints[pair.name] = shapely.union_all([pair.footprint, *kept.polygons])
        for unit, look in zip(units[pair.name], kept.look, strict=True):
            sums[unit] = sums.get(unit, 0) + np.append(look, 1.0)
    names = sorted(sums)
    look = np.array([sums[name][:-1] / sums[name][-1] for name in names])
    if settings.split == "pair":
        groups = places(np.array([footprints[name] for name in names], object))
    else:
        groups = [[k] for k in range(len(names))]
    folds = (
        [assign(settings, names, groups, look)]
        if settings.folds is None
        else assign_folds(settings, names, groups, look)
    )
    return [
        {pair: np.array([splits[unit] for unit in of_patch], object) for pair, of_patch in units.items()}
        for splits in folds
    ]


def _by_region(pairs: Sequence[PairFiles], regions: Path) -> Iterator[tuple[str, np.ndarray]]:
    tree, of_region = _regions(regions)
    for pair in pairs:
        centres = shapely.points(pair.kept().centres)
        found = np.full(len(centres), "", object)
        patch, region = tree.query(centres, predicate="intersects")
        for name in SPLITS:  # where regions overlap, the split that stays whole
            found[patch[of_region[region] == name]] = name
        yield pair.name, found


def _units(settings: DatasetSettings, pair: str, kept: Kept) -> list[str]:
    """Return the name of what each patch is split with: its pair or its block of ground."""
    if settings.split == "pair":
        return [pair] * len(kept.polygons)
    return [
        sys.intern(f"{row}:{column}")
        for row, column in blocks(kept.centres[:, 0], kept.centres[:, 1], settings.block_m).tolist()
    ]


def _regions(path: Path) -> tuple[STRtree, np.ndarray]:
    try:
        table = gpd.read_file(path)
    except Exception as error:  # drivers raise errors of many kinds
        raise UserError(f"dataset.regions: {path} cannot be read ({error}); give a vector file of polygons") from None
    unknown = set(table["split"]) - set(SPLITS) if "split" in table else {"no such column"}
    if unknown or table.crs is None:
        what = f"has no CRS or its column split is not all of {', '.join(SPLITS)}"
        raise UserError(f"dataset.regions: {path} {what}; correct the file")
    crs = CRS.from_wkt(table.crs.to_wkt()).to_2d()
    return STRtree([reproject(polygons(g), crs, LON_LAT) for g in table.geometry]), table["split"].to_numpy(object)


def _ground(
    pairs: Sequence[PairFiles], folds: Sequence[dict[str, np.ndarray]], whole_pairs: bool
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return by fold a polygon in degrees for each pair and split, all of the pair if so wanted; and their splits."""
    ground: list[list[Any]] = [[] for _ in folds]
    names: list[list[str]] = [[] for _ in folds]
    for pair in pairs:
        polygons = pair.kept().polygons
        for fold, split in enumerate(folds):
            for name in SPLITS:
                own = polygons[split[pair.name] == name]
                if len(own):
                    ground[fold].append(shapely.union_all([*own, pair.footprint] if whole_pairs else own))
                    names[fold].append(name)
    return [(np.array(g, object), np.array(n, object)) for g, n in zip(ground, names, strict=True)]
