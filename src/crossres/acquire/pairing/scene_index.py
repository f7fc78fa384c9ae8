"""LR scenes as arrays, so that what is far away in place, time or Sun is never looked at one by one."""

from collections.abc import Sequence

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from crossres.acquire.pairing.candidates import Candidate
from crossres.settings.search import SearchSettings


class SceneIndex:
    """LR scenes by place, time and Sun, as arrays: what is far away is never looked at one by one."""

    def __init__(self, scenes: Sequence[Candidate], settings: SearchSettings) -> None:
        self.scenes = scenes
        self.regions = np.array([c.region for c in scenes], dtype=object)
        # By parts: the box around what lies on both sides of 180 degrees goes round the globe.
        parts, self.owners = shapely.get_parts(self.regions, return_index=True)
        self.tree = shapely.STRtree(parts)
        self.days = np.array([c.time.timestamp() for c in scenes]) / 86400.0
        self.suns = np.array([_direction(c.sun) for c in scenes])
        known = np.array([settings.cloud_reads == 0 or not c.classified for c in scenes])
        clear = np.array([1.0 - (c.cloud_percent or 0.0) / 100.0 for c in scenes])
        self.clear = np.where(known, clear, 1.0) ** settings.weights.cloud
        self.gap_scale = settings.weights.date_gap / max(settings.max_date_gap_days, 1.0)
        self.sun_scale = settings.weights.sun / settings.max_sun_difference_deg

    def over(self, region: BaseGeometry) -> np.ndarray:
        """Return the scenes whose bounding boxes meet that of a region, part by part, in order."""
        return np.unique(self.owners[self.tree.query(shapely.get_parts(region))[1]])

    def gaps_days(self, scenes: np.ndarray, hr: Candidate) -> np.ndarray:
        return np.abs(self.days[scenes] - hr.time.timestamp() / 86400.0)

    def sun_differences_deg(self, scenes: np.ndarray, hr: Candidate) -> np.ndarray:
        """Return the angles between the directions of the Sun; NaN where one is not known."""
        cosine = np.clip(self.suns[scenes] @ _direction(hr.sun), -1.0, 1.0)
        return np.asarray(np.degrees(np.arccos(cosine)))

    def bounds(self, scenes: np.ndarray, gaps: np.ndarray, suns: np.ndarray) -> np.ndarray:
        """Return the score that each scene has if it covers everything and, where that is to be read, is clear."""
        return np.asarray(self.clear[scenes] * np.exp(-self.gap_scale * gaps - self.sun_scale * np.nan_to_num(suns)))


def _direction(sun: tuple[float, float] | None) -> np.ndarray:
    """Return the unit vector (east, north, up) to the Sun; NaN when its place is not known."""
    if sun is None:
        return np.full(3, np.nan)
    azimuth, elevation = np.radians(sun)
    return np.array([np.sin(azimuth) * np.cos(elevation), np.cos(azimuth) * np.cos(elevation), np.sin(elevation)])
