"""The scenes that the sources of a role offer: of the area and time, clear enough, with the bands asked for."""

import logging
from collections.abc import Iterable, Sequence
from itertools import chain

from shapely.geometry.base import BaseGeometry

from crossres.acquire.bands.assets import band_assets
from crossres.acquire.declined import Declined
from crossres.acquire.pairing.candidates import Candidate, candidate, offered_id, resolved_item
from crossres.acquire.pairing.claims import NoPlaceError
from crossres.acquire.pairing.duplicates import without_duplicates
from crossres.acquire.pairing.raster_places import RasterPlaces
from crossres.acquire.remote.addresses import name_host
from crossres.acquire.search_area import sides
from crossres.acquire.sentinelhub.catalog import from_sentinelhub
from crossres.acquire.stac.api import from_api
from crossres.acquire.stac.date_range import parse_date_range
from crossres.acquire.stac.hrefs import is_remote
from crossres.acquire.stac.offered import Offered, Unusable
from crossres.acquire.stac.static_catalog import from_catalog
from crossres.errors import UserError
from crossres.settings.grid import GridSettings
from crossres.settings.search import CATALOGUED, SearchSettings, SentinelHubSource, Source, StacApiSource

log = logging.getLogger(__name__)

WARNED = 5
"""Warnings of one source; what is beyond stands in `declined.csv` alone."""
Catalogues = str | Sequence[str] | None
"""Paths or URLs of the catalogues of a role's sources: of those that have one, in the order of the settings."""


def scenes_of(
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


def tally(declined: Sequence[Declined]) -> str:
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
