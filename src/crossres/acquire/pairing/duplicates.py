"""Sentinel-2 scenes that catalogues hold several times, reprocessed or in parts."""

from collections import Counter, defaultdict
from dataclasses import replace

import shapely

from crossres.acquire.declined import Declined
from crossres.acquire.pairing.candidates import Candidate, united
from crossres.acquire.regions import area_km2, polygons

SAME_AREA = 0.9
"""A scene whose footprint is covered to this share by better copies is a duplicate; two halves of a tile are not."""


def without_duplicates(candidates: list[Candidate], role: str) -> tuple[list[Candidate], list[Declined]]:
    """Keep, of each platform, tile and datatake, the highest processing baseline and then the latest processing.

    Parts of one tile that do not cover each other become one scene, the best part first. The result does not depend on
    the order of the candidates, nor on how often each occurs; it is sorted by id.
    """
    groups: dict[tuple[str, ...], list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        groups[candidate.acquisition].append(candidate)
    kept: list[Candidate] = []
    declined: list[Declined] = []
    for group in groups.values():
        chosen: list[Candidate] = []
        once = {(c.identity, c.quality): c for c in sorted(group, key=lambda c: c.base, reverse=True)}
        for candidate in sorted(once.values(), key=lambda c: (c.quality, c.identity), reverse=True):
            if chosen and _covered(candidate, chosen):
                if candidate.id != chosen[0].id:
                    reason = f"another processing of the same acquisition is used: {chosen[0].id}"
                    declined.append(Declined(candidate.id, role, reason))
            else:
                chosen.append(candidate)
        kept.append(united(chosen))
    return sorted(kept, key=lambda c: (c.id, c.identity)), declined


def with_unique_ids(lr: list[Candidate], hr: list[Candidate]) -> tuple[list[Candidate], list[Candidate]]:
    """Give different scenes that share an id, and would share a file, each a hash of its content behind it."""
    counts = Counter(c.id for c in (*lr, *hr))

    def unique(candidate: Candidate) -> Candidate:
        if counts[candidate.id] == 1:
            return candidate
        return replace(candidate, id=f"{candidate.id}-{candidate.identity[:8]}")

    return [unique(c) for c in lr], [unique(c) for c in hr]


def _covered(candidate: Candidate, chosen: list[Candidate]) -> bool:
    covered = polygons(candidate.region.intersection(shapely.union_all([c.region for c in chosen])))
    return area_km2(covered) >= SAME_AREA * area_km2(candidate.region)
