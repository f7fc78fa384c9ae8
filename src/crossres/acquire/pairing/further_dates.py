"""Further LR scenes of a pair: other dates of the same ground, as good as the pair's limits ask for."""

from dataclasses import replace
from datetime import timedelta

from crossres.acquire.pairing.pair import Pair
from crossres.acquire.pairing.raster_places import RasterPlaces
from crossres.acquire.regions import area_km2, polygons
from crossres.errors import UserError

ANOTHER_DATE = timedelta(hours=1)
"""Scenes less than this apart show one pass: neighbouring tiles, or another product of the same acquisition."""
LEAST_COVER = 0.8
"""Share of the pair's region that a further date has data over, at least."""
SAME_PIXEL = 0.02
"""Share by which pixels may differ: the scale of projections does from zone to zone."""


class FurtherDates:
    """Takes further LR scenes for a pair, of those that are offered, best first."""

    def __init__(self, first: Pair, count: int, places: RasterPlaces | None) -> None:
        """Take the pair and how many further dates it wants; `places` knows the pixel size of rasters."""
        self.refused: dict[str, str] = {}
        """Why scenes that were offered are not taken, by id."""
        self._first, self._count, self._places = first, count, places
        self._taken: list[Pair] = []

    @property
    def complete(self) -> bool:
        """Whether the pair has all the dates that it wants."""
        return len(self._taken) >= self._count

    @property
    def pair(self) -> Pair:
        """The pair with the dates that were taken."""
        return replace(self._first, further=tuple(other.lr for other in self._taken))

    def offer(self, other: Pair) -> None:
        """Take the LR scene of a pair with the same HR scene, if it is fit."""
        reason = self._unfit(other)
        if reason is None:
            self._taken.append(other)
        else:
            self.refused[other.lr.id] = reason

    def _unfit(self, other: Pair) -> str | None:
        for known in (self._first, *self._taken):
            if abs(other.lr.time - known.lr.time) < ANOTHER_DATE or other.lr.acquisition == known.lr.acquisition:
                return f"no further date of {self._first.id}: shows the same pass as {known.lr.id}"
        cover = self._cover(other)
        if cover < LEAST_COVER:
            return f"no further date of {self._first.id}: has data over {cover:.0%} of its region only"
        try:
            one, another = (self._places and self._places.pixel_m(pair.lr) for pair in (self._first, other))
        except UserError as error:
            return str(error)
        if one and another and any(abs(a - b) > SAME_PIXEL * a for a, b in zip(one, another, strict=True)):
            return f"no further date of {self._first.id}: has pixels of {another[0]:.3g} m, not of {one[0]:.3g} m"
        return None

    def _cover(self, other: Pair) -> float:
        """Return the share of the pair's region that the other LR scene has data over."""
        common = polygons(other.region.intersection(self._first.region))
        if common.is_empty:
            return 0.0
        return area_km2(common) / area_km2(self._first.region) * other.cloud.valid_share
