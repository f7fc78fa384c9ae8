"""Search both sources for scenes of an area, pair them, and write one small JSON for each."""

import copy
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import geopandas
import shapely
from shapely.geometry.base import BaseGeometry

from crossres.acquire.band_assets import band_assets
from crossres.acquire.candidates import Candidate, from_api, from_catalog
from crossres.acquire.date_range import parse_date_range
from crossres.acquire.declined import Declined, write_declined
from crossres.acquire.duplicates import without_duplicates
from crossres.acquire.hrefs import is_remote, resolved, without_signature
from crossres.acquire.items import Item, relative_href
from crossres.acquire.pairing import Pair, best_pairs
from crossres.acquire.regions import bounding_box, buffered, polygons, to_geojson
from crossres.acquire.sentinelhub_catalog import from_sentinelhub
from crossres.errors import UserError
from crossres.files import whole, write_json
from crossres.settings.grid import GridSettings
from crossres.settings.search import SearchSettings, SentinelHubSource, Source, StacApiSource

log = logging.getLogger(__name__)


def search(settings: SearchSettings, grid: GridSettings, lr: str | None, hr: str | None, output: Path) -> None:
    """Find LR and HR scenes, pair each HR scene with the best LR scene, and write the `items` directory whole.

    `lr` and `hr` are paths or URLs of static catalogues; None where the source is a STAC API, which is then searched.
    Writes `scenes/<id>.json` (STAC items of the scenes that pairs use, hrefs relative to themselves or remote, with
    `crossres:role` and `crossres:region`), `pairs/<id>.json` and `declined.csv`. Raises `UserError` when nothing can be
    paired, saying why.
    """
    area = read_area(settings.area)
    found_lr, declined_lr = _find(settings, settings.lr, lr, "lr", area, grid.bands)
    found_hr, declined_hr = _find(settings, settings.hr, hr, "hr", area, grid.bands)
    found_hr, clashing = _without_clashes(found_hr, "hr", {c.id for c in found_lr})
    declined = [*declined_lr, *declined_hr, *clashing]
    if not found_lr or not found_hr:
        role, reasons = ("LR", declined_lr) if not found_lr else ("HR", [*declined_hr, *clashing])
        raise UserError(f"search: no {role} scene can be used; {_tally(reasons)}")
    pairs, unpaired = best_pairs(found_lr, found_hr, area, settings)
    if not pairs:
        reasons = [d for d in unpaired if d.role == "hr"]
        raise UserError(
            f"search: {len(found_lr)} LR and {len(found_hr)} HR scenes in the area but no pair: {_tally(reasons)}"
        )
    log.info("search: %d pairs of %d LR and %d HR scenes", len(pairs), len(found_lr), len(found_hr))
    with whole(output) as part:
        part.mkdir()
        for scene_id, item in _scene_items(pairs, settings.margin_m, output / "scenes").items():
            write_json(part / "scenes" / f"{scene_id}.json", item)
        for pair in pairs:
            write_json(part / "pairs" / f"{pair.id}.json", _pair_json(pair))
        write_declined(part / "declined.csv", [*declined, *unpaired])


def read_area(area: str | tuple[float, float, float, float] | None) -> BaseGeometry | None:
    """Return the area of interest in degrees; None is everywhere. Raises `UserError` for what is no area."""
    if area is None:
        return None
    if not isinstance(area, str):
        return bounding_box(area, "search.area")
    if not Path(area).is_file():
        raise UserError(f"search.area: {area}: no such file")
    try:
        table = geopandas.read_file(area)
    except Exception as error:  # the drivers behind it share no base class
        raise UserError(f"search.area: {area}: not a vector file ({' '.join(str(error).split())[:120]})") from None
    if table.crs is None:
        raise UserError(f"search.area: {area}: has no coordinate reference system; assign one")
    region = polygons(shapely.make_valid(shapely.union_all(table.to_crs(4326).geometry.to_numpy())))
    if region.is_empty:
        raise UserError(f"search.area: {area}: holds no polygon")
    return region


def _find(
    settings: SearchSettings,
    source: Source,
    href: str | None,
    role: str,
    area: BaseGeometry | None,
    bands: tuple[str, ...],
) -> tuple[list[Candidate], list[Declined]]:
    """Return the scenes of one source within area, time range and cloud limit that have the bands, and the others."""
    times = parse_date_range(settings.datetime, "search.datetime")
    if isinstance(source, StacApiSource):
        if area is None:
            raise UserError("search.area: a STAC API needs an area; set west, south, east, north or a vector file")
        offered = from_api(source, area, settings.datetime)
    elif isinstance(source, SentinelHubSource):
        if area is None:
            raise UserError("search.area: Sentinel Hub needs an area; set west, south, east, north or a vector file")
        offered = from_sentinelhub(source, area, times)
    elif href is None:
        raise UserError(f"search.{role}: its catalogue is not there; make it with `crossres catalog` first")
    else:
        offered = from_catalog(href)
    kept: list[Candidate] = []
    declined: list[Declined] = []
    for candidate in sorted(offered, key=lambda c: (c.id, c.base)):
        try:
            reason = _unfit(candidate, role, area, settings.max_cloud_percent, candidate.time in times)
            if reason is None:
                band_assets({**candidate.item, "assets": _checked_assets(candidate)}, bands)
        except UserError as error:
            reason = str(error)
        if reason:
            declined.append(Declined(candidate.id, role, reason))
        else:
            kept.append(candidate)
    kept, duplicates = without_duplicates(kept, role)
    kept, clashing = _without_clashes(kept, role, set())
    return kept, [*declined, *duplicates, *clashing]


def _unfit(
    candidate: Candidate, role: str, area: BaseGeometry | None, max_cloud_percent: float, in_time: bool
) -> str | None:
    if area is not None and not candidate.region.intersects(area):
        return "outside of search.area"
    if not in_time:
        return "outside of search.datetime"
    cloud = candidate.cloud_percent
    if role == "lr" and cloud is not None and cloud > max_cloud_percent:
        return f"cloud cover {cloud:.0f} % (search.max_cloud_percent is {max_cloud_percent:g})"
    return None


def _without_clashes(candidates: list[Candidate], role: str, taken: set[str]) -> tuple[list[Candidate], list[Declined]]:
    """Keep the first scene of each id, since files are named by it."""
    kept: list[Candidate] = []
    declined: list[Declined] = []
    for candidate in candidates:
        if candidate.id in taken:
            declined.append(Declined(candidate.id, role, "another scene has the same id"))
        else:
            taken = taken | {candidate.id}
            kept.append(candidate)
    return kept, declined


def _checked_assets(candidate: Candidate) -> dict[str, dict[str, Any]]:
    """Return the item's assets with absolute hrefs; `UserError` for one that may not be used."""
    assets = candidate.item.get("assets")
    if not isinstance(assets, dict) or not assets:
        raise UserError(f"item {candidate.id}: has no assets")
    return {
        key: {**asset, "href": resolved(str(asset.get("href")), candidate.base, f"item {candidate.id}")}
        for key, asset in assets.items()
    }


def _scene_items(pairs: Sequence[Pair], margin_m: float, folder: Path) -> dict[str, Item]:
    """Return the item of each scene that a pair uses, by id."""
    scenes: dict[str, Item] = {}
    for pair in pairs:
        scenes[pair.hr.id] = _scene_item(pair.hr, "hr", pair.region, folder)
        same = [p.region for p in pairs if p.lr.id == pair.lr.id]
        region = polygons(buffered(shapely.union_all(same), margin_m))
        scenes[pair.lr.id] = _scene_item(pair.lr, "lr", region, folder)
    return scenes


def _scene_item(candidate: Candidate, role: str, region: BaseGeometry, folder: Path) -> Item:
    item = copy.deepcopy(candidate.item)
    item["assets"] = {
        key: {**asset, "href": _written(asset["href"], folder)} for key, asset in _checked_assets(candidate).items()
    }
    links = item.get("links") or []
    item["links"] = [
        {"rel": "derived_from", "href": without_signature(link["href"]), "type": "application/geo+json"}
        for link in links
        if link.get("rel") == "self" and is_remote(str(link.get("href")))
    ]
    item["id"] = candidate.id
    item["properties"] = {**item["properties"], "crossres:role": role, "crossres:region": to_geojson(region)}
    return item


def _written(href: str, folder: Path) -> str:
    return without_signature(href) if is_remote(href) else relative_href(Path(href), folder)


def _pair_json(pair: Pair) -> dict[str, Any]:
    return {
        "id": pair.id,
        "lr": pair.lr.id,
        "hr": pair.hr.id,
        "date_gap_days": round(pair.date_gap_days, 4),
        "overlap_km2": round(pair.overlap_km2, 4),
        "geometry": to_geojson(pair.region),
    }


def _tally(declined: Sequence[Declined]) -> str:
    """Say how often each reason occurs, the most frequent first."""
    if not declined:
        return "its source is empty"
    counts: dict[str, int] = {}
    for row in declined:
        counts[row.reason] = counts.get(row.reason, 0) + 1
    common = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    rest = sum(n for _, n in common[3:])
    parts = [reason if len(declined) == 1 else f"{n} x {reason}" for reason, n in common[:3]]
    return "; ".join([*parts, f"{rest} x other reasons"] if rest else parts)
