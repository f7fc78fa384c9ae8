"""Which LR scene goes with which HR scene."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from shapely.geometry.base import BaseGeometry

from crossres.acquire.candidates import Candidate
from crossres.acquire.declined import Declined
from crossres.acquire.regions import area_km2, polygons
from crossres.settings.search import SearchSettings


@dataclass(frozen=True)
class Pair:
    """One LR and one HR scene of a place."""

    lr: Candidate
    hr: Candidate
    region: BaseGeometry
    """What they have in common with each other and with the area of interest, in degrees."""
    overlap_km2: float

    @property
    def id(self) -> str:
        """Name of the pair; depends on its scenes only."""
        return f"{self.hr.id}--{self.lr.id}"

    @property
    def date_gap_days(self) -> float:
        """Difference in acquisition time, never negative."""
        return date_gap_days(self.lr, self.hr)


def date_gap_days(one: Candidate, other: Candidate) -> float:
    """Return the difference in acquisition time, in days."""
    return abs((one.time - other.time).total_seconds()) / 86400.0


def score(pair: Pair, hr_area_km2: float, max_date_gap_days: float) -> float:
    """Return how good a pair is, 0 to 1: share of the HR scene seen x share that is clear x exp(-gap / largest gap).

    The land changes with time, so a pair at the largest allowed gap counts 1/e of a simultaneous one; a scene without
    a cloud estimate counts as clear.
    """
    clear = 1.0 - (pair.lr.cloud_percent or 0.0) / 100.0
    return pair.overlap_km2 / hr_area_km2 * clear * math.exp(-pair.date_gap_days / max(max_date_gap_days, 1.0))


def best_pairs(
    lr: Sequence[Candidate], hr: Sequence[Candidate], area: BaseGeometry | None, settings: SearchSettings
) -> tuple[list[Pair], list[Declined]]:
    """Pair each HR scene with the LR scene of the best score; say why for each HR scene that finds none.

    Equal scores are decided by id. LR scenes that no pair uses are declined, too.
    """
    pairs: list[Pair] = []
    declined: list[Declined] = []
    for scene in hr:
        wanted = scene.region if area is None else polygons(scene.region.intersection(area))
        near = [c for c in lr if date_gap_days(c, scene) <= settings.max_date_gap_days]
        options = [Pair(c, scene, region, area_km2(region)) for c in near for region in [_common(c, wanted)]]
        options = [pair for pair in options if pair.overlap_km2 >= settings.min_overlap_km2]
        if options:
            whole = max(area_km2(wanted), 1e-9)
            pairs.append(min(options, key=lambda p: (-score(p, whole, settings.max_date_gap_days), p.id)))
        else:
            declined.append(Declined(scene.id, "hr", _why_none(scene, wanted, lr, settings)))
    used = {pair.lr.id for pair in pairs}
    declined += [Declined(c.id, "lr", "no pair uses it: another LR scene fits better") for c in lr if c.id not in used]
    return sorted(pairs, key=lambda p: p.id), declined


def _common(lr: Candidate, wanted: BaseGeometry) -> BaseGeometry:
    return polygons(lr.region.intersection(wanted))


def _why_none(hr: Candidate, wanted: BaseGeometry, lr: Sequence[Candidate], settings: SearchSettings) -> str:
    over = [(area_km2(_common(c, wanted)), c) for c in lr]
    there = [(size, c) for size, c in over if size > 0]
    if not there:
        return "no LR scene overlaps it"
    large = [c for size, c in there if size >= settings.min_overlap_km2]
    if not large:
        most = max(size for size, _ in there)
        return f"largest overlap {most:.3g} km2 (search.min_overlap_km2 is {settings.min_overlap_km2:g})"
    gap = min(date_gap_days(c, hr) for c in large)
    return f"nearest dates {gap:.0f} days apart (search.max_date_gap_days is {settings.max_date_gap_days:g})"
