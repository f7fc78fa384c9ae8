"""Scenes that catalogues hold several times: reprocessed, in parts, or under both roles."""

import filecmp
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import shapely

from crossres.acquire.bands.assets import band_assets
from crossres.acquire.declined import Declined
from crossres.acquire.pairing.candidates import Candidate, united
from crossres.acquire.regions import area_km2, polygons
from crossres.acquire.stac.hrefs import is_remote

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
    """Give different scenes that share an id, and would share a file, each an ending of its own.

    One LR and one HR scene of a name, as of files of one name in two folders, get their role; others a hash of their
    content and, where even that is the same (one name, time and grid), their role behind it.
    """
    ids = Counter(c.id for c in (*lr, *hr))
    contents = Counter((c.id, c.identity) for c in (*lr, *hr))
    of_lr, of_hr = Counter(c.id for c in lr), Counter(c.id for c in hr)

    def unique(candidate: Candidate, role: str) -> Candidate:
        name = candidate.id
        if ids[name] == 1:
            return candidate
        if of_lr[name] == of_hr[name] == 1 and not ids[f"{name}-lr"] and not ids[f"{name}-hr"]:
            return replace(candidate, id=f"{name}-{role}")
        ending = f"-{role}" if contents[name, candidate.identity] > 1 else ""
        return replace(candidate, id=f"{name}-{candidate.identity[:8]}{ending}")

    return [unique(c, "lr") for c in lr], [unique(c, "hr") for c in hr]


def apart(lr: list[Candidate], hr: list[Candidate], bands: Sequence[str]) -> tuple[list[Candidate], list[Candidate]]:
    """Return the HR scenes that are no LR scenes, and those that are.

    Local files of one name, time and grid under both roles are one scene only if they have the same bytes.
    """
    of_lr: dict[str, list[Candidate]] = defaultdict(list)
    for scene in lr:
        of_lr[scene.identity].append(scene)
    kept: list[Candidate] = []
    both: list[Candidate] = []
    for scene in hr:
        is_lr = any(_same_files(scene, other, bands) for other in of_lr[scene.identity])
        (both if is_lr else kept).append(scene)
    return kept, both


def _same_files(one: Candidate, other: Candidate, bands: Sequence[str]) -> bool:
    first, second = (str(band_assets(scene.resolved_item(), bands)[0].asset["href"]) for scene in (one, other))
    if any(is_remote(href) or not Path(href).is_file() for href in (first, second)):
        return True
    return filecmp.cmp(first, second, shallow=False)


def _covered(candidate: Candidate, chosen: list[Candidate]) -> bool:
    covered = polygons(candidate.region.intersection(shapely.union_all([c.region for c in chosen])))
    return area_km2(covered) >= SAME_AREA * area_km2(candidate.region)
