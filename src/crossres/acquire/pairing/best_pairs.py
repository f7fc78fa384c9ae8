"""Which LR scene goes with which HR scene."""

import heapq
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from crossres.acquire.declined import Declined
from crossres.acquire.pairing.candidates import Candidate
from crossres.acquire.pairing.further_dates import FurtherDates
from crossres.acquire.pairing.overlap_cloud import OverlapCloud, of_scene, read_overlap
from crossres.acquire.pairing.pair import Pair
from crossres.acquire.pairing.raster_places import RasterPlaces, elsewhere
from crossres.acquire.pairing.scene_index import SceneIndex
from crossres.acquire.regions import area_km2, polygons
from crossres.errors import UserError
from crossres.settings.search import SearchSettings

READERS = 8
"""HR scenes whose LR scenes are looked at at once: most of that time goes to waiting for servers."""
SAME_PLACE = 0.999
"""A raster that holds this share of what its item says lies where its item says: outlines are rounded, edges curved."""
_LookedAt = tuple[float, str, Pair, bool]  # -score (at best), id, the pair, whether its clouds are known


def best_pairs(
    lr: Sequence[Candidate],
    hr: Sequence[Candidate],
    area: BaseGeometry | None,
    settings: SearchSettings,
    places: RasterPlaces | None = None,
) -> tuple[list[Pair], list[Declined]]:
    """Pair each HR scene with the LR scene of the best score; say why for each HR scene that finds none.

    With `search.lr_dates` the next best of other dates are its further ones, as many as there are. Equal scores are
    decided by id. LR scenes that no pair uses are declined, too. With `places`, rasters are asked where they lie before
    a pair is made; without, items are believed.
    """
    index = SceneIndex(sorted(lr, key=lambda c: c.id), settings)
    with ThreadPoolExecutor(READERS) as readers:
        found = list(readers.map(lambda scene: _chosen(index, scene, area, settings, places), hr))
    pairs = [choice.pair for choice in found if choice.pair is not None]
    declined = [Declined(c.hr.id, "hr", c.why_none()) for c in found if c.pair is None]
    used = {scene.id for pair in pairs for scene in (pair.lr, *pair.further)}
    refused: dict[str, str] = {}
    for choice in sorted(found, key=lambda c: c.hr.id):
        refused = choice.refusals() | refused
    otherwise = "no pair uses it: another LR scene fits better"
    declined += [Declined(c.id, "lr", refused.get(c.id, otherwise)) for c in lr if c.id not in used]
    return sorted(pairs, key=lambda p: p.id), declined


def _chosen(
    index: SceneIndex, hr: Candidate, area: BaseGeometry | None, settings: SearchSettings, places: RasterPlaces | None
) -> "_Choice":
    """Return the choice for an HR scene, made again at its true place when it lies elsewhere than its item says."""
    choice = _Choice(index, hr, area, settings, places).made()
    if choice.true_region is None:
        return choice
    moved = elsewhere(choice.true_region, hr.region)
    return _Choice(index, replace(hr, region=choice.true_region), area, settings, places, moved).made()


@dataclass
class _Choice:
    """The search for the best LR scene of one HR scene, and further dates.

    Scenes are looked at in the order of the best score that they can still have, and only as closely as needed: first
    time and Sun, then the overlap, then the clouds over it, then the rasters' own places. So the result is that of
    looking closely at all of them.
    """

    index: SceneIndex
    hr: Candidate
    area: BaseGeometry | None
    settings: SearchSettings
    places: RasterPlaces | None
    moved: str = ""
    """That the HR scene lies elsewhere than its item says, when it does."""
    true_region: BaseGeometry | None = None
    """Of the HR scene, when it turned out to lie elsewhere."""
    unreadable: str = ""
    """Why the HR scene's raster cannot be opened."""
    clouded: dict[str, float] = field(default_factory=dict)
    """Cloud over the overlap, in percent, of LR scenes that are above the limit, by id."""
    misplaced: dict[str, str] = field(default_factory=dict)
    """Why LR scenes cannot be used that would have been chosen, by id."""
    dates: FurtherDates | None = None
    """Of the pair, once there is one."""

    @property
    def pair(self) -> Pair | None:
        return None if self.dates is None else self.dates.pair

    def made(self) -> "_Choice":
        """Find the pair, if there is one, and its further dates."""
        index, settings = self.index, self.settings
        near = index.over(self._wanted)
        gaps, suns = index.gaps_days(near, self.hr), index.sun_differences_deg(near, self.hr)
        fit = (gaps <= settings.max_date_gap_days) & ~(suns > settings.max_sun_difference_deg)
        near, gaps, suns = near[fit], gaps[fit], suns[fit]
        bounds = index.bounds(near, gaps, suns)
        order, begun = np.argsort(-bounds, kind="stable"), 0
        whole_km2 = max(area_km2(self._wanted), 1e-9)
        looked_at, unread = list[_LookedAt](), list[_LookedAt]()
        reads, may_read = 0, settings.cloud_reads
        while begun < len(order) or looked_at:
            if begun < len(order) and (not looked_at or -bounds[order[begun]] <= looked_at[0][0]):
                i, begun = order[begun], begun + 1
                pair = self._overlapping(index.scenes[near[i]], float(suns[i]), float(bounds[i]), whole_km2)
                if pair is not None:
                    known = settings.cloud_reads == 0 or not pair.lr.classified
                    heapq.heappush(looked_at, (-pair.score, pair.id, pair, known))
                continue
            _, _, pair, known = heapq.heappop(looked_at)
            if known:
                if self.dates is None and not self._hr_is_there():
                    break
                placed = self._placed(pair)
                if placed is not None and placed is not pair:
                    heapq.heappush(looked_at, (-placed.score, placed.id, placed, True))
                elif placed is not None and self.dates is not None:
                    self.dates.offer(pair)
                elif placed is not None:
                    self.dates = FurtherDates(pair, settings.lr_dates - 1, self.places)
                    looked_at, may_read = sorted(looked_at + unread), settings.cloud_reads * settings.lr_dates
                if self.dates is not None and self.dates.complete:
                    break
                continue
            if reads == may_read:
                unread.append((-pair.score, pair.id, pair, False))
                continue
            reads += 1
            pair = self._with_cloud(pair, read_overlap(pair.lr, pair.region, settings.cloud_classes))
            if pair.cloud.source == "SCL" and (pair.cloud.percent or 0.0) > settings.max_overlap_cloud_percent:
                self.clouded[pair.lr.id] = pair.cloud.percent or 0.0
            elif pair.overlap_km2 >= settings.min_overlap_km2:
                heapq.heappush(looked_at, (-pair.score, pair.id, pair, True))
        return self

    @cached_property
    def _wanted(self) -> BaseGeometry:
        return self.hr.region if self.area is None else polygons(self.hr.region.intersection(self.area))

    def _overlapping(self, lr: Candidate, sun: float, bound: float, whole_km2: float) -> Pair | None:
        """Return a pair with its share of overlap in the score; None where the two have too little in common."""
        region = polygons(lr.region.intersection(self._wanted))
        overlap_km2 = 0.0 if region.is_empty else area_km2(region)
        if overlap_km2 < self.settings.min_overlap_km2:
            return None
        score = bound * min(overlap_km2 / whole_km2, 1.0) ** self.settings.weights.overlap
        return Pair(lr, self.hr, region, overlap_km2, of_scene(lr), None if math.isnan(sun) else sun, score)

    def _hr_is_there(self) -> bool:
        """Return whether the HR scene's raster can be opened and holds what is wanted of it."""
        if self.places is None:
            return True
        try:
            raster = self.places.of_scene(self.hr)
        except UserError as error:
            self.unreadable = str(error)
            return False
        if raster is None:
            return True
        if area_km2(polygons(self._wanted.intersection(raster))) >= SAME_PLACE * area_km2(self._wanted):
            return True
        held = polygons(self.hr.region.intersection(raster))
        is_there = not held.is_empty and area_km2(held) >= self.settings.min_overlap_km2
        self.true_region = held if is_there else raster
        return False

    def _placed(self, pair: Pair) -> Pair | None:
        """Return a pair as the LR scene's raster bears it out; None when that cannot be opened or lies elsewhere."""
        if self.places is None:
            return pair
        try:
            raster = self.places.of_scene(pair.lr)
        except UserError as error:
            self.misplaced[pair.lr.id] = str(error)
            return None
        if raster is None:
            return pair
        region = polygons(pair.region.intersection(raster))
        share = (0.0 if region.is_empty else area_km2(region)) / area_km2(pair.region)
        if share >= SAME_PLACE:
            return pair
        overlap_km2, score = pair.overlap_km2 * share, pair.score * share**self.settings.weights.overlap
        if overlap_km2 < self.settings.min_overlap_km2:
            self.misplaced[pair.lr.id] = elsewhere(raster, pair.lr.region)
            return None
        return replace(pair, region=region, overlap_km2=overlap_km2, score=score)

    def _with_cloud(self, pair: Pair, cloud: OverlapCloud) -> Pair:
        """Return a pair with what was read of its clouds; without any estimate it counts as clear."""
        weights = self.settings.weights
        clear = (1.0 - (cloud.percent or 0.0) / 100.0) ** weights.cloud
        score = pair.score * clear * cloud.valid_share**weights.overlap
        return replace(pair, cloud=cloud, overlap_km2=pair.overlap_km2 * cloud.valid_share, score=score)

    def refusals(self) -> dict[str, str]:
        """Return why LR scenes that were looked at closely are not good enough, by id."""
        limit = f"search.max_overlap_cloud_percent is {self.settings.max_overlap_cloud_percent:g}"
        clouded = {
            name: f"cloud over its overlap with {self.hr.id} {percent:.0f} % ({limit})"
            for name, percent in self.clouded.items()
        }
        return clouded | self.misplaced | (self.dates.refused if self.dates is not None else {})

    def why_none(self) -> str:
        """Say what keeps every LR scene from this HR scene."""
        return self.unreadable or (f"{self.moved}; {self._limit()}" if self.moved else self._limit())

    def _limit(self) -> str:
        """Say which limit keeps every LR scene from this HR scene."""
        settings, index = self.settings, self.index
        near = index.over(self._wanted)
        common = shapely.intersection(index.regions[near], self._wanted)
        degrees2 = shapely.area(common)  # of one latitude: in proportion to square kilometres
        if not degrees2.any():
            return "no LR scene overlaps it"
        largest = int(np.argmax(degrees2))
        most = area_km2(polygons(common[largest]))
        large = near[degrees2 * most / degrees2[largest] >= settings.min_overlap_km2]
        if not len(large):
            return f"largest overlap {most:.3g} km2 (search.min_overlap_km2 is {settings.min_overlap_km2:g})"
        gaps = index.gaps_days(large, self.hr)
        in_time = large[gaps <= settings.max_date_gap_days]
        if not len(in_time):
            limit = f"search.max_date_gap_days is {settings.max_date_gap_days:g}"
            return f"nearest dates {gaps.min():.0f} days apart ({limit})"
        suns = index.sun_differences_deg(in_time, self.hr)
        if (suns > settings.max_sun_difference_deg).all():
            limit = f"search.max_sun_difference_deg is {settings.max_sun_difference_deg:g}"
            return f"the Sun of the best LR scene {suns.min():.0f} degrees away ({limit})"
        if self.misplaced:
            first = self.misplaced[min(self.misplaced)]
            return f"the {len(self.misplaced)} best LR scenes cannot be used, {min(self.misplaced)} since {first}"
        if self.clouded:
            limit = f"search.max_overlap_cloud_percent is {settings.max_overlap_cloud_percent:g}"
            return (
                f"cloud over the overlap at least {min(self.clouded.values()):.0f} % in the {len(self.clouded)} best "
                f"LR scenes ({limit}, search.cloud_reads {settings.cloud_reads})"
            )
        return f"LR scenes have too little data over it (search.min_overlap_km2 is {settings.min_overlap_km2:g})"
