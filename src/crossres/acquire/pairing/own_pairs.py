"""Each HR scene with the LR scene that will be made of it."""

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
