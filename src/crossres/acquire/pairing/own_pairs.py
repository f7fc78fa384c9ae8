"""Each HR scene with its own LR scene: that which will be made of it, or that of its place in a published set."""

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import shapely
from shapely.geometry.base import BaseGeometry

from crossres.acquire.declined import Declined
from crossres.acquire.pairing.best_pairs import READERS, best_pairs
from crossres.acquire.pairing.candidates import Candidate
from crossres.acquire.pairing.pair import Pair
from crossres.acquire.pairing.raster_places import RasterPlaces
from crossres.acquire.regions import polygons
from crossres.errors import UserError
from crossres.settings.search import DegradedSource, SearchSettings

NO_LR, NO_HR = "its place has no LR image that can be used", "its place has no HR image that can be used"


def degraded_scenes(hr: Sequence[Candidate], source: DegradedSource) -> list[Candidate]:
    """Return the LR scene that will be made of each HR scene, in their order."""
    return [replace(scene, id=f"{scene.id}-degraded", degraded=source) for scene in hr]


def own_pairs(
    lr: Sequence[Candidate],
    hr: Sequence[Candidate],
    area: BaseGeometry | None,
    settings: SearchSettings,
    places: RasterPlaces,
) -> tuple[list[Pair], list[Declined]]:
    """Pair each HR scene with the LR scene at the same index, by the limits of `best_pairs`, whatever else is there."""

    def own(low: Candidate, high: Candidate) -> tuple[list[Pair], list[Declined]]:
        with suppress(UserError):  # which the pairing says of the HR scene
            raster = places.of_scene(high)
            if raster is not None:  # the HR scene may turn out to lie there, and not where its item says
                low = replace(low, region=polygons(shapely.union(low.region, raster)))
        return best_pairs([low], [high], area, settings, places)

    with ThreadPoolExecutor(READERS) as readers:
        found = list(readers.map(own, lr, hr))
    pairs = [pair for of_one, _ in found for pair in of_one]
    return sorted(pairs, key=lambda p: p.id), [row for _, rows in found for row in rows if row.role == "hr"]


def pairs_of_places(
    lr: Sequence[Candidate],
    hr: Sequence[Candidate],
    area: BaseGeometry | None,
    settings: SearchSettings,
    places: RasterPlaces,
) -> tuple[list[Pair], list[Declined]]:
    """Pair each HR scene with LR scenes of the same `dataset:place`, by the limits of `best_pairs`."""
    of_place: dict[str, list[Candidate]] = defaultdict(list)
    for scene in lr:
        of_place[place_of(scene)].append(scene)

    def own(high: Candidate) -> tuple[list[Pair], list[Declined]]:
        low = of_place.get(place_of(high), [])
        return best_pairs(low, [high], area, settings, places) if low else ([], [Declined(high.id, "hr", NO_LR)])

    with ThreadPoolExecutor(READERS) as readers:
        found = list(readers.map(own, hr))
    left = {place_of(scene) for scene in hr}
    alone = [Declined(scene.id, "lr", NO_HR) for scene in lr if place_of(scene) not in left]
    pairs = [pair for of_one, _ in found for pair in of_one]
    return sorted(pairs, key=lambda p: p.id), [*(row for _, rows in found for row in rows), *alone]


def place_of(scene: Candidate) -> str:
    """Return the place of a published set that a scene shows."""
    return str(scene.item["properties"].get("dataset:place"))
