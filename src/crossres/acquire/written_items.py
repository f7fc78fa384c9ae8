"""What `search` writes: one small JSON of each scene that a pair uses, and one of each pair."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from crossres.acquire.degrade import DEGRADED, DEGRADED_FROM
from crossres.acquire.pairing.candidates import Candidate
from crossres.acquire.pairing.pair import Pair
from crossres.acquire.regions import buffered, polygons, to_geojson
from crossres.acquire.remote.addresses import HOSTS, private_hosts
from crossres.acquire.stac.hrefs import is_remote, unsigned
from crossres.imagery.items import GEOJSON, Item, derived_from, place_fields, relative_href
from crossres.settings.search import DegradedSource

OF_PLACE_AND_TIME = {
    "datetime", "start_datetime", "end_datetime", "eo:cloud_cover", "crossres:role", "crossres:region",
}  # fmt: skip
"""Properties that an LR scene shares with the HR scene that it is made of, beside `view:`."""


def scene_items(pairs: Sequence[Pair], margin_m: float, folder: Path) -> Iterator[Item]:
    """Yield the item of each scene that a pair uses, with its role and the region to read, hrefs from `folder`.

    Of an LR scene that is all that its pairs have in common with it, and `margin_m` metres around; as a further date it
    is the region of the pair.
    """
    of_lr: dict[str, list[Pair]] = defaultdict(list)
    scenes: dict[str, Candidate] = {}
    for pair in pairs:
        yield scene_item(pair.hr, "hr", pair.region, folder)
        for scene in (pair.lr, *pair.further):
            scenes[scene.id] = scene
            of_lr[scene.id].append(pair)
    for name, same in of_lr.items():
        region = polygons(buffered(shapely.union_all([pair.region for pair in same]), margin_m))
        item, source = scene_item(scenes[name], "lr", region, folder), scenes[name].degraded
        yield item if source is None else _degraded(item, source, same[0].hr.id)


def pair_content(pair: Pair, lr_dates: int = 1) -> dict[str, Any]:
    """Return the JSON of a pair: its scenes, their region, and what decided for it.

    With several dates (`search.lr_dates`) `further_dates` has the ids of the further ones, as many as there are; of a
    published set `split` is the set's own.
    """
    further = {"further_dates": [scene.id for scene in pair.further]} if lr_dates > 1 else {}
    split = pair.hr.item["properties"].get("dataset:split")
    published = {} if split is None else {"split": split}
    return {
        "id": pair.id,
        "lr": pair.lr.id,
        "hr": pair.hr.id,
        **further,
        **published,
        "date_gap_days": round(pair.date_gap_days, 4),
        "overlap_km2": round(pair.overlap_km2, 4),
        "overlap_cloud_percent": None if pair.cloud.percent is None else round(pair.cloud.percent, 2),
        "overlap_cloud_source": pair.cloud.source,
        "sun_difference_deg": None if pair.sun_difference_deg is None else round(pair.sun_difference_deg, 3),
        "score": round(pair.score, 5),
        "geometry": to_geojson(pair.region),
    }


def scene_item(scene: Candidate, role: str, region: BaseGeometry, folder: Path) -> Item:
    """Return the item as it is written; the items of other parts of the same tile stand in `crossres:mosaic`."""
    item = _written_item(scene, folder)
    item["id"] = scene.id
    item["properties"] = {**item["properties"], "crossres:role": role, "crossres:region": to_geojson(region)}
    if scene.parts:
        item["properties"]["crossres:mosaic"] = [_written_item(part, folder) for part in scene.parts]
    return item


def _degraded(item: Item, source: DegradedSource, hr: str) -> Item:
    """Return the item of an LR scene that will be made of an HR scene, from that scene's own: no product's any more."""
    said = item["properties"]
    own = {key: said[key] for key in said if key in OF_PLACE_AND_TIME or key.startswith("view:")}
    made = {
        "platform": f"{said.get('platform') or 'HR'} degraded to {source.sensor}",
        DEGRADED_FROM: hr,
        DEGRADED: source.model_dump(mode="json"),
    }
    return {**item, "properties": own | made, "assets": {}, "links": []}


def _written_item(scene: Candidate, folder: Path) -> Item:
    """Return an item with hrefs relative to `folder` or remote and without signatures; of its links, its origin.

    Its footprint is what the search took it for. Hosts that only the configuration lets through are named in it.
    """
    item = unsigned(scene.resolved_item())
    hosts = private_hosts(str(asset["href"]) for asset in item["assets"].values() if is_remote(asset["href"]))
    if hosts:
        item["properties"] = {**item["properties"], HOSTS: hosts}
    item["assets"] = {key: {**asset, "href": _relative(asset["href"], folder)} for key, asset in item["assets"].items()}
    item["links"] = [
        derived_from(link["href"], media_type=GEOJSON)
        for link in item.get("links") or []
        if link.get("rel") == "self" and is_remote(str(link.get("href")))
    ]
    return item | place_fields(scene.region)


def _relative(href: str, folder: Path) -> str:
    return href if is_remote(href) else relative_href(Path(href), folder)
