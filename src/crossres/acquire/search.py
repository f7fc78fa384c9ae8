"""Search all sources for scenes of an area, pair them, and write one small JSON for each."""

import logging
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

from shapely.geometry.base import BaseGeometry

from crossres.acquire.bands.assets import band_assets
from crossres.acquire.declined import Declined, write_declined
from crossres.acquire.lock.lock_file import read_lock, write_locked
from crossres.acquire.pairing.best_pairs import best_pairs
from crossres.acquire.pairing.candidates import Candidate, candidate, offered_id, resolved_item
from crossres.acquire.pairing.claims import NoPlaceError
from crossres.acquire.pairing.duplicates import apart, with_unique_ids, without_duplicates
from crossres.acquire.pairing.own_pairs import degraded_scenes, own_pairs, pairs_of_places
from crossres.acquire.pairing.pair import Pair
from crossres.acquire.pairing.raster_places import RasterPlaces
from crossres.acquire.remote.addresses import name_host
from crossres.acquire.search_area import read_area, sides
from crossres.acquire.sentinelhub.catalog import from_sentinelhub
from crossres.acquire.stac.api import from_api
from crossres.acquire.stac.date_range import parse_date_range
from crossres.acquire.stac.hrefs import is_remote
from crossres.acquire.stac.offered import Offered, Unusable
from crossres.acquire.stac.static_catalog import from_catalog
from crossres.acquire.written_items import pair_content, scene_items
from crossres.errors import UserError
from crossres.files import json_text, whole
from crossres.layout import ItemsFolder
from crossres.settings.grid import GridSettings
from crossres.settings.paths import expand
from crossres.settings.search import CATALOGUED, SearchSettings, SentinelHubSource, Source, StacApiSource

log = logging.getLogger(__name__)

WARNED = 5
"""Warnings of one source; what is beyond stands in `declined.csv` alone."""
BOTH = "is an LR scene, too"
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
    places = RasterPlaces(grid.bands)
    declined_lr: list[Declined] = []
    found_hr, declined_hr = _of_role(settings, grid, "hr", hr, area, places)
    if settings.degraded:
        found_lr = degraded_scenes(found_hr, settings.degraded)
    else:
        found_lr, declined_lr = _of_role(settings, grid, "lr", lr, area, places)
        found_hr, both = apart(found_lr, found_hr, grid.bands)
        declined_hr += [Declined(c.id, "hr", BOTH) for c in both]
    found_lr, found_hr = with_unique_ids(found_lr, found_hr)
    if not found_lr or not found_hr:
        role, reasons = ("HR", declined_hr) if found_lr or settings.degraded else ("LR", declined_lr)
        same = any(row.reason == BOTH for row in reasons)
        advice = "; tell LR and HR apart by path or pattern of their sources" if same else ""
        raise UserError(f"search: no {role} scene can be used; {_tally(reasons)}{advice}")
    pair_up = own_pairs if settings.degraded else pairs_of_places if settings.published else best_pairs
    pairs, unpaired = pair_up(found_lr, found_hr, area, settings, places)
    log.info("search: %d rasters were opened to see where they lie", places.opened)
    if not pairs:
        reasons = [d for d in unpaired if d.role == "hr"]
        raise UserError(
            f"search: {len(found_lr)} LR and {len(found_hr)} HR scenes in the area but no pair: {_tally(reasons)}"
        )
    log.info("search: %d pairs of %d LR and %d HR scenes", len(pairs), len(found_lr), len(found_hr))
    by_scene = [d for d in pairs if d.cloud.source == "eo:cloud_cover"]
    if settings.lr_dates > 1:
        log.info("search: %s", _dates_in_words(pairs, settings.lr_dates))
    if by_scene:
        log.info("search: %d pairs know the clouds of the whole LR scene only, not of the overlap", len(by_scene))
    with whole(output) as part:
        items = ItemsFolder(part)
        items.make()
        for item in scene_items(pairs, settings.margin_m, ItemsFolder(output).scenes):
            items.scene(item["id"]).write_text(json_text(item), encoding="utf-8")
        for pair in pairs:
            items.pair(pair.id).write_text(json_text(pair_content(pair, settings.lr_dates)), encoding="utf-8")
        write_declined(items.declined, [*declined_lr, *declined_hr, *unpaired])


def _of_role(
    settings: SearchSettings,
    grid: GridSettings,
    role: str,
    catalogues: Catalogues,
    area: BaseGeometry | None,
    places: RasterPlaces,
) -> tuple[list[Candidate], list[Declined]]:
    """Return the scenes of all sources of a role, each acquisition once, and the others."""
    sources: tuple[Source, ...] = getattr(settings, role)
    hrefs = iter([catalogues] if isinstance(catalogues, str) else catalogues or [])
    kept: list[Candidate] = []
    declined: list[Declined] = []
    for source in sources:
        href = next(hrefs, None) if isinstance(source, CATALOGUED) else None
        found, others = _find(settings, grid, source, href, role, area, places)
        kept += found
        declined += others
    kept, duplicates = without_duplicates(kept, role)
    return kept, [*declined, *duplicates]


def _find(
    settings: SearchSettings,
    grid: GridSettings,
    source: Source,
    href: str | None,
    role: str,
    area: BaseGeometry | None,
    places: RasterPlaces,
) -> tuple[list[Candidate], list[Declined]]:
    """Return the scenes of one source within area, time range and cloud limit that have the bands, and the others."""
    times = parse_date_range(settings.datetime, "search.datetime")
    kept: list[Candidate] = []
    declined: list[Declined] = []
    missed: list[Unusable] = []
    for one in _offered(settings, source, href, role, area):  # one at a time: a search may find more than fits memory
        if isinstance(one, Unusable):
            missed.append(one)
            continue
        try:
            scene = _placed(one, places)
            reason = _unfit(scene, role, area, settings.max_cloud_percent, scene.time in times)
            if reason is None:
                band_assets(resolved_item(one), grid.bands_of(role))
        except UserError as error:
            reason = str(error)
        if reason:
            declined.append(Declined(offered_id(one.item), role, reason))
        else:
            kept.append(scene)
    missed = list(dict.fromkeys(missed))
    for row in missed[:WARNED]:
        log.warning("search: %s: %s", row.id, row.reason)
    if len(missed) > WARNED:
        log.warning("search: %d more that this source could not give stand in declined.csv", len(missed) - WARNED)
    return kept, [*declined, *(Declined(row.id, role, row.reason) for row in missed)]


def _offered(
    settings: SearchSettings, source: Source, href: str | None, role: str, area: BaseGeometry | None
) -> Iterable[Offered | Unusable]:
    """Return what a source has; a server is asked for both sides of 180 degrees by themselves."""
    if isinstance(source, StacApiSource):
        if area is None:
            raise UserError("search.area: a STAC API needs an area; set west, south, east, north or a vector file")
        name_host(source.url)
        return chain.from_iterable(from_api(source, side, settings.datetime) for side in sides(area))
    if isinstance(source, SentinelHubSource):
        if area is None:
            raise UserError("search.area: Sentinel Hub needs an area; set west, south, east, north or a vector file")
        times = parse_date_range(settings.datetime, "search.datetime")
        return chain.from_iterable(from_sentinelhub(source, side, times) for side in sides(area))
    if href is None:
        raise UserError(f"search.{role}: its catalogue is not there; make it with `crossres catalog` first")
    if is_remote(href):
        name_host(href)
    return from_catalog(href)


def _placed(one: Offered, places: RasterPlaces) -> Candidate:
    """Return a scene where its item says, or else its raster."""
    try:
        return candidate(one)
    except NoPlaceError as error:
        outline = places.of_item(resolved_item(one))
        if outline is None:
            raise UserError(str(error)) from None
        return candidate(one, outline)


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


def _dates_in_words(pairs: Sequence[Pair], lr_dates: int) -> str:
    counts = [1 + len(pair.further) for pair in pairs]
    fewest = f"; the fewest that one has is {min(counts)}" if min(counts) < lr_dates else ""
    return f"{counts.count(lr_dates)} of {len(pairs)} pairs have all {lr_dates} dates (search.lr_dates){fewest}"


def _tally(declined: Sequence[Declined]) -> str:
    """Say how often each reason occurs, the most frequent first; of a single scene, which it is."""
    if not declined:
        return "its source is empty"
    if len(declined) == 1:
        return f"{declined[0].id}: {declined[0].reason}"
    counts: dict[str, int] = {}
    for row in declined:
        counts[row.reason] = counts.get(row.reason, 0) + 1
    common = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    rest = sum(n for _, n in common[3:])
    parts = [f"{n} x {reason}" for reason, n in common[:3]]
    return "; ".join([*parts, f"{rest} x other reasons"] if rest else parts)
