"""The clearest LR scenes over an area, for a model that needs no HR scene beside them."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from shapely.geometry.base import BaseGeometry

from crossres.acquire.declined import Declined
from crossres.acquire.pairing.candidates import Candidate
from crossres.acquire.pairing.further_dates import ANOTHER_DATE
from crossres.acquire.pairing.overlap_cloud import OverlapCloud, of_scene, read_overlap
from crossres.acquire.pairing.raster_places import RasterPlaces
from crossres.acquire.regions import area_km2, polygons
from crossres.acquire.sources import Catalogues, scenes_of, tally
from crossres.acquire.stac.hrefs import is_remote
from crossres.acquire.written_items import scene_item
from crossres.errors import UserError
from crossres.files import write_json
from crossres.layout import ItemsFolder
from crossres.settings.grid import GridSettings
from crossres.settings.search import SearchSettings

log = logging.getLogger(__name__)

READERS = 8
"""Classifications that are read at once: most of that time goes to waiting for servers."""


@dataclass(frozen=True)
class ClearScene:
    """One of the clearest scenes."""

    id: str
    item: Path
    """Its item as `search` writes it, with the region to read."""
    origin: str
    """Path or URL of the item that its source has, or else what named it there."""


@dataclass(frozen=True)
class _Seen:
    """A scene over the area."""

    scene: Candidate
    region: BaseGeometry
    cover: float
    """Share of the area that its footprint has."""
    cloud: OverlapCloud

    @property
    def clear(self) -> float:
        """Share of the area that it shows; clouds that nothing is known of count as none."""
        return self.cover * self.cloud.valid_share * (1 - (self.cloud.percent or 0.0) / 100)

    @property
    def order(self) -> tuple[float, float, str]:
        """The clearest first, then the latest."""
        return -round(self.clear, 3), -self.scene.time.timestamp(), self.scene.id


def clearest(
    settings: SearchSettings, grid: GridSettings, catalogues: Catalogues, area: BaseGeometry, count: int, output: Path
) -> list[ClearScene]:
    """Write the items of the clearest LR scenes over an area (degrees) into the folder `output`, as `search` does.

    There are up to `count`, the best first, each of another pass. The clearest shows the largest share of the area:
    with data, and without cloud or its shadow by its classification (`search.cloud_classes`), which is read over the
    area for the `search.cloud_reads` likeliest scenes a scene asked for; else by its `eo:cloud_cover`. Raises
    `UserError` when there is none.
    """
    found, declined = scenes_of(settings, grid, "lr", catalogues, area, RasterPlaces(grid.bands))
    seen = [one for scene in found if (one := _over(scene, area)) is not None]
    if not seen:
        raise UserError(f"search: no scene of the area can be used; {_why(settings, found, declined)}")
    likely = sorted(seen, key=lambda one: one.order)[: max(count, settings.cloud_reads * count)]
    with ThreadPoolExecutor(READERS) as readers:
        likely = list(readers.map(lambda one: _with_cloud(one, settings), likely))
    taken: list[_Seen] = []
    for one in sorted(likely, key=lambda one: one.order):
        is_new = all(abs(one.scene.time - other.scene.time) >= ANOTHER_DATE for other in taken)
        if is_new and one.clear > 0 and len(taken) < count:
            taken.append(one)
    if not taken:
        raise UserError(
            f"search: all {len(likely)} scenes that were looked at have the area under cloud, or no data there; "
            "name another time"
        )
    items = ItemsFolder(output)
    items.make()
    written = []
    for one in taken:
        item = scene_item(one.scene, "lr", one.region, items.scenes)
        write_json(items.scene(item["id"]), item)
        origin = next((str(link["href"]) for link in item["links"]), one.scene.base)
        written.append(ClearScene(item["id"], items.scene(item["id"]), origin))
        percent, source = one.cloud.percent, one.cloud.source
        cloud = "clouds unknown" if percent is None else f"{percent:.0f} % cloud"
        where = "over the area" if source == "SCL" else "in all of the scene"
        shown = 100 * one.cover * one.cloud.valid_share
        log.info(
            "%s, %s: %s %s, %.0f %% of the area has data", one.scene.id, one.scene.time.date(), cloud, where, shown
        )
        if (percent or 0.0) > settings.max_overlap_cloud_percent:
            log.warning(
                "%s: %.0f %% cloud, and none of the scenes is clearer; name another time", one.scene.id, percent
            )
    if len(taken) < count:
        log.warning("search: %d scenes of %d that were asked for", len(taken), count)
    return written


def _over(scene: Candidate, area: BaseGeometry) -> _Seen | None:
    region = polygons(scene.region.intersection(area))
    if region.is_empty:
        return None
    return _Seen(scene, region, area_km2(region) / area_km2(area), of_scene(scene))


def _with_cloud(one: _Seen, settings: SearchSettings) -> _Seen:
    if settings.cloud_reads == 0 or not one.scene.classified:
        return one
    return _Seen(one.scene, one.region, one.cover, read_overlap(one.scene, one.region, settings.cloud_classes))


def _why(settings: SearchSettings, found: Sequence[Candidate], declined: Sequence[Declined]) -> str:
    if found:
        return f"{len(found)} scenes were found, none of them over it"
    if declined:
        return tally(declined)
    hosts = [source.url for source in settings.lr if hasattr(source, "url") and is_remote(source.url)]
    return f"{hosts[0] if hosts else 'its source'} has none of that time"
