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
from crossres.pairs.splits import SPLITS, HeldOut, assert_disjoint, assign, places
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


def part(settings: DatasetSettings, pairs: Sequence[PairFiles], regions: Path | None) -> dict[str, Parted]:
    """Return the split of every kept patch, by pair. Memory holds one pair's polygons, and one of each pair and split.

    No two splits share ground, and patches nearer than the gap to held-out ground are left out: asserted, not hoped.
    """
    wanted = dict(_wanted(settings, pairs, regions))
    ground, ground_split = _ground(pairs, wanted, whole_pairs=settings.split == "pair")
    held_out = HeldOut(ground, ground_split, settings.gap_m)
    result = {}
    for pair in pairs:
        split = wanted[pair.name]
        near = held_out.reaches(pair.kept().polygons, split)
        reason = np.where(split == "", OUTSIDE, np.where(near, TOO_NEAR, "")).astype(object)
        result[pair.name] = Parted(np.where(near, "", split).astype(object), reason)
    assert_disjoint(*_ground(pairs, {name: parted.split for name, parted in result.items()}, whole_pairs=False))
    return result


def _wanted(
    settings: DatasetSettings, pairs: Sequence[PairFiles], regions: Path | None
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each pair's name and the (n,) splits of its kept patches, empty outside of all regions."""
    if settings.split == "region":
        assert regions is not None
        tree, of_region = _regions(regions)
        for pair in pairs:
            centres = shapely.points(pair.kept().centres)
            found = np.full(len(centres), "", object)
            patch, region = tree.query(centres, predicate="intersects")
            for name in SPLITS:  # where regions overlap, the split that stays whole
                found[patch[of_region[region] == name]] = name
            yield pair.name, found
        return

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
    splits = assign(settings, names, groups, look)
    for pair in pairs:
        yield pair.name, np.array([splits[unit] for unit in units[pair.name]], object)


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
    pairs: Sequence[PairFiles], split: dict[str, np.ndarray], whole_pairs: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return a polygon in degrees for each pair and split, with all of the pair if so wanted; and the split of each."""
    ground, names = [], []
    for pair in pairs:
        polygons = pair.kept().polygons
        for name in SPLITS:
            own = polygons[split[pair.name] == name]
            if len(own):
                ground.append(shapely.union_all([*own, pair.footprint] if whole_pairs else own))
                names.append(name)
    return np.array(ground, object), np.array(names, object)
