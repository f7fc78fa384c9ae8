"""Sentinel-2 scenes that a catalogue holds several times, reprocessed."""

import re
from collections import defaultdict

import shapely

from crossres.acquire.candidates import Candidate
from crossres.acquire.declined import Declined
from crossres.acquire.offset import is_sentinel2, processing_baseline
from crossres.acquire.regions import area_km2, polygons

SAME_AREA = 0.9
"""A scene whose footprint is covered to this share by better copies is a duplicate; two halves of a tile are not."""


def without_duplicates(candidates: list[Candidate], role: str) -> tuple[list[Candidate], list[Declined]]:
    """Keep, of each platform, tile and datatake, the highest processing baseline and then the latest processing."""
    groups: dict[tuple[str, ...], list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        groups[_key(candidate)].append(candidate)
    kept: list[Candidate] = []
    declined: list[Declined] = []
    for group in groups.values():
        chosen: list[Candidate] = []
        for candidate in sorted(group, key=_quality, reverse=True):
            covered = polygons(candidate.region.intersection(shapely.union_all([c.region for c in chosen])))
            if chosen and area_km2(covered) >= SAME_AREA * area_km2(candidate.region):
                reason = f"another processing of the same acquisition is used: {chosen[0].id}"
                declined.append(Declined(candidate.id, role, reason))
            else:
                chosen.append(candidate)
        kept += chosen
    return kept, declined


def _key(candidate: Candidate) -> tuple[str, ...]:
    p = candidate.item.get("properties") or {}
    mgrs = f"{p.get('mgrs:utm_zone') or ''}{p.get('mgrs:latitude_band') or ''}{p.get('mgrs:grid_square') or ''}"
    tile = str(p.get("s2:mgrs_tile") or p.get("grid:code") or mgrs).removeprefix("MGRS-").upper().lstrip("0")
    # GS2B_20190629T212529_012081_N02.12: the last part is the baseline, which differs between copies.
    take = re.sub(r"_N\d\d\.\d\d$", "", str(p.get("s2:datatake_id") or ""))
    if not take:
        sensed = re.search(r"MSIL2A_(\d{8}T\d{6})_", str(p.get("s2:product_uri") or candidate.id))
        take = sensed[1] if sensed else ""
    if not (is_sentinel2(p) and tile and take):
        return ("single", candidate.id, candidate.base)
    return (str(p.get("platform")).lower(), tile, take)


def _quality(candidate: Candidate) -> tuple[float, str, str]:
    p = candidate.item.get("properties") or {}
    processed = p.get("s2:generation_time") or p.get("processing:datetime") or p.get("created") or ""
    return (float(processing_baseline(p) or 0), str(processed), candidate.id)
