"""A pair: one LR and one HR scene of a place, and further LR scenes of it."""

from dataclasses import dataclass

from shapely.geometry.base import BaseGeometry

from crossres.acquire.pairing.candidates import Candidate
from crossres.acquire.pairing.overlap_cloud import OverlapCloud


@dataclass(frozen=True)
class Pair:
    """One LR and one HR scene of a place, and what decided for it."""

    lr: Candidate
    hr: Candidate
    region: BaseGeometry
    """What they have in common with each other and with the area of interest, in degrees."""
    overlap_km2: float
    """Of that, what has data in the LR scene."""
    cloud: OverlapCloud
    sun_difference_deg: float | None
    """Angle between the directions of the Sun; None where an item does not give it."""
    score: float
    """0 to 1, see `PairingWeights`."""
    further: tuple[Candidate, ...] = ()
    """LR scenes of other dates, the best first, where `search.lr_dates` asks for them."""

    @property
    def id(self) -> str:
        """Name of the pair; depends on its scenes only."""
        return f"{self.hr.id}--{self.lr.id}"

    @property
    def date_gap_days(self) -> float:
        """Difference in acquisition time, never negative."""
        return abs((self.lr.time - self.hr.time).total_seconds()) / 86400.0
