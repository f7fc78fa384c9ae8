"""Search all sources for scenes of an area, pair them, and write one small JSON for each."""

import logging
from collections.abc import Sequence
from pathlib import Path

from crossres.acquire.declined import Declined, write_declined
from crossres.acquire.lock.lock_file import read_lock, write_locked
from crossres.acquire.pairing.best_pairs import best_pairs
from crossres.acquire.pairing.duplicates import apart, with_unique_ids
from crossres.acquire.pairing.own_pairs import degraded_scenes, own_pairs, pairs_of_places
from crossres.acquire.pairing.pair import Pair
from crossres.acquire.pairing.raster_places import RasterPlaces
from crossres.acquire.search_area import read_area
from crossres.acquire.sources import Catalogues, scenes_of, tally
from crossres.acquire.written_items import pair_content, scene_items
from crossres.errors import UserError
from crossres.files import json_text, whole
from crossres.layout import ItemsFolder
from crossres.settings.grid import GridSettings
from crossres.settings.paths import expand
from crossres.settings.search import SearchSettings

log = logging.getLogger(__name__)

BOTH = "is an LR scene, too"


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
    found_hr, declined_hr = scenes_of(settings, grid, "hr", hr, area, places)
    if settings.degraded:
        found_lr = degraded_scenes(found_hr, settings.degraded)
    else:
        found_lr, declined_lr = scenes_of(settings, grid, "lr", lr, area, places)
        found_hr, both = apart(found_lr, found_hr, grid.bands)
        declined_hr += [Declined(c.id, "hr", BOTH) for c in both]
    found_lr, found_hr = with_unique_ids(found_lr, found_hr)
    if not found_lr or not found_hr:
        role, reasons = ("HR", declined_hr) if found_lr or settings.degraded else ("LR", declined_lr)
        same = any(row.reason == BOTH for row in reasons)
        advice = "; tell LR and HR apart by path or pattern of their sources" if same else ""
        raise UserError(f"search: no {role} scene can be used; {tally(reasons)}{advice}")
    pair_up = own_pairs if settings.degraded else pairs_of_places if settings.published else best_pairs
    pairs, unpaired = pair_up(found_lr, found_hr, area, settings, places)
    log.info("search: %d rasters were opened to see where they lie", places.opened)
    if not pairs:
        reasons = [d for d in unpaired if d.role == "hr"]
        raise UserError(
            f"search: {len(found_lr)} LR and {len(found_hr)} HR scenes in the area but no pair: {tally(reasons)}"
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


def _dates_in_words(pairs: Sequence[Pair], lr_dates: int) -> str:
    counts = [1 + len(pair.further) for pair in pairs]
    fewest = f"; the fewest that one has is {min(counts)}" if min(counts) < lr_dates else ""
    return f"{counts.count(lr_dates)} of {len(pairs)} pairs have all {lr_dates} dates (search.lr_dates){fewest}"
