"""Search all sources for scenes of an area, pair them, and write one small JSON for each."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import geopandas
import shapely
from shapely.geometry.base import BaseGeometry

from crossres.acquire.bands.assets import band_assets
from crossres.acquire.declined import Declined, write_declined
from crossres.acquire.lock.lock_file import read_lock, write_locked
from crossres.acquire.pairing.best_pairs import Pair, best_pairs
from crossres.acquire.pairing.candidates import Candidate, Offered, candidate, offered_id, resolved_item
from crossres.acquire.pairing.duplicates import with_unique_ids, without_duplicates
from crossres.acquire.regions import bounding_box, buffered, polygons, to_geojson
from crossres.acquire.sentinelhub.catalog import from_sentinelhub
from crossres.acquire.stac.api import from_api
from crossres.acquire.stac.date_range import parse_date_range
from crossres.acquire.stac.hrefs import is_remote, unsigned
from crossres.acquire.stac.items import Item, relative_href
from crossres.acquire.stac.static_catalog import from_catalog
from crossres.errors import UserError
from crossres.files import json_text, whole
from crossres.settings.grid import GridSettings
from crossres.settings.paths import expand
from crossres.settings.search import CATALOGUED, SearchSettings, SentinelHubSource, Source, StacApiSource

log = logging.getLogger(__name__)


Catalogues = str | Sequence[str] | None
"""Paths or URLs of the catalogues of a role's sources: of those that have one, in the order of the settings."""


def search(settings: SearchSettings, grid: GridSettings, lr: Catalogues, hr: Catalogues, output: Path) -> None:
    """Find LR and HR scenes, pair each HR scene with the best LR scene, and write the `items` directory whole.

    `lr` and `hr` are the static catalogues of those sources that have one. Writes `scenes/<id>.json` (STAC items of
    the scenes that pairs use, hrefs relative to themselves or remote, with `crossres:role`, `crossres:region` and, for
    a tile in parts, `crossres:mosaic`), `pairs/<id>.json` and `declined.csv`. With `settings.lock` they are those of
    the lock file. Raises `UserError` when nothing can be paired, saying why.
    """
    if settings.lock is not None:
        path = Path(expand(settings.lock, output.parent))
        differing = write_locked(read_lock(path), settings, output)
        log.info("search: scenes and pairs are those of %s; no source was asked", path)
        if differing:
            log.warning("search: %s holds for other settings of search.%s", path, ", search.".join(differing))
        return
    area = read_area(settings.area)
    found_lr, declined_lr = _of_role(settings, "lr", lr, area, grid.bands)
    found_hr, declined_hr = _of_role(settings, "hr", hr, area, grid.bands)
    taken = {c.identity for c in found_lr}
    declined_hr += [Declined(c.id, "hr", "is an LR scene, too") for c in found_hr if c.identity in taken]
    found_lr, found_hr = with_unique_ids(found_lr, [c for c in found_hr if c.identity not in taken])
    if not found_lr or not found_hr:
        role, reasons = ("LR", declined_lr) if not found_lr else ("HR", declined_hr)
        raise UserError(f"search: no {role} scene can be used; {_tally(reasons)}")
    pairs, unpaired = best_pairs(found_lr, found_hr, area, settings)
    if not pairs:
        reasons = [d for d in unpaired if d.role == "hr"]
        raise UserError(
            f"search: {len(found_lr)} LR and {len(found_hr)} HR scenes in the area but no pair: {_tally(reasons)}"
        )
    log.info("search: %d pairs of %d LR and %d HR scenes", len(pairs), len(found_lr), len(found_hr))
    by_scene = [d for d in pairs if d.cloud.source == "eo:cloud_cover"]
    if by_scene:
        log.info("search: %d pairs know the clouds of the whole LR scene only, not of the overlap", len(by_scene))
    with whole(output) as part:
        for folder in ("scenes", "pairs"):
            (part / folder).mkdir(parents=True)
        for item in _scene_items(pairs, settings.margin_m, output / "scenes"):
            (part / "scenes" / f"{item['id']}.json").write_text(json_text(item), encoding="utf-8")
        for pair in pairs:
            (part / "pairs" / f"{pair.id}.json").write_text(json_text(_pair_json(pair)), encoding="utf-8")
        write_declined(part / "declined.csv", [*declined_lr, *declined_hr, *unpaired])


def _of_role(
    settings: SearchSettings, role: str, catalogues: Catalogues, area: BaseGeometry | None, bands: tuple[str, ...]
) -> tuple[list[Candidate], list[Declined]]:
    """Return the scenes of all sources of a role, each acquisition once, and the others."""
    sources: tuple[Source, ...] = getattr(settings, role)
    hrefs = iter([catalogues] if isinstance(catalogues, str) else catalogues or [])
    kept: list[Candidate] = []
    declined: list[Declined] = []
    for source in sources:
        href = next(hrefs, None) if isinstance(source, CATALOGUED) else None
        found, others = _find(settings, source, href, role, area, bands)
        kept += found
        declined += others
    kept, duplicates = without_duplicates(kept, role)
    return kept, [*declined, *duplicates]


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
    offered: Iterable[Offered]
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
    for one in offered:  # one at a time: a search may find more than memory holds unpacked
        try:
            scene = candidate(one)
            reason = _unfit(scene, role, area, settings.max_cloud_percent, scene.time in times)
            if reason is None:
                band_assets(resolved_item(one), bands)
        except UserError as error:
            reason = str(error)
        if reason:
            declined.append(Declined(offered_id(one.item), role, reason))
        else:
            kept.append(scene)
    return kept, declined


def _unfit(
    scene: Candidate, role: str, area: BaseGeometry | None, max_cloud_percent: float, in_time: bool
) -> str | None:
    if area is not None and not scene.region.intersects(area):
        return "outside of search.area"
    if not in_time:
        return "outside of search.datetime"
    cloud = scene.cloud_percent
    if role == "lr" and cloud is not None and cloud > max_cloud_percent:
        return f"cloud cover {cloud:.0f} % (search.max_cloud_percent is {max_cloud_percent:g})"
    return None


def _scene_items(pairs: Sequence[Pair], margin_m: float, folder: Path) -> Iterator[Item]:
    """Yield the item of each scene that a pair uses."""
    of_lr: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        yield _scene_item(pair.hr, "hr", pair.region, folder)
        of_lr[pair.lr.id].append(pair)
    for same in of_lr.values():
        region = polygons(buffered(shapely.union_all([pair.region for pair in same]), margin_m))
        yield _scene_item(same[0].lr, "lr", region, folder)


def _scene_item(scene: Candidate, role: str, region: BaseGeometry, folder: Path) -> Item:
    """Return the item as it is written; the items of other parts of the same tile stand in `crossres:mosaic`."""
    item = _written_item(scene, folder)
    item["id"] = scene.id
    item["properties"] = {**item["properties"], "crossres:role": role, "crossres:region": to_geojson(region)}
    if scene.parts:
        item["properties"]["crossres:mosaic"] = [_written_item(part, folder) for part in scene.parts]
        item["geometry"] = to_geojson(scene.region)
        item["bbox"] = [round(v, 7) for v in scene.region.bounds]
    return item


def _written_item(scene: Candidate, folder: Path) -> Item:
    """Return an item with hrefs relative to `folder` or remote and without signatures; of its links, its origin."""
    item = unsigned(scene.resolved_item())
    item["assets"] = {key: {**asset, "href": _relative(asset["href"], folder)} for key, asset in item["assets"].items()}
    item["links"] = [
        {"rel": "derived_from", "href": link["href"], "type": "application/geo+json"}
        for link in item.get("links") or []
        if link.get("rel") == "self" and is_remote(str(link.get("href")))
    ]
    return item


def _relative(href: str, folder: Path) -> str:
    return href if is_remote(href) else relative_href(Path(href), folder)


def _pair_json(pair: Pair) -> dict[str, Any]:
    return {
        "id": pair.id,
        "lr": pair.lr.id,
        "hr": pair.hr.id,
        "date_gap_days": round(pair.date_gap_days, 4),
        "overlap_km2": round(pair.overlap_km2, 4),
        "overlap_cloud_percent": None if pair.cloud.percent is None else round(pair.cloud.percent, 2),
        "overlap_cloud_source": pair.cloud.source,
        "sun_difference_deg": None if pair.sun_difference_deg is None else round(pair.sun_difference_deg, 3),
        "score": round(pair.score, 5),
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
