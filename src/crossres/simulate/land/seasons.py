"""What the season does to fields besides growth: crops ripen, each field in its own time, and soils dry after rain."""

from dataclasses import dataclass

import numpy as np

from crossres.simulate.land.spectra import Plant

RIPE_DAY = {Plant.WHEAT: 18.0, Plant.RAPE: 10.0}
"""Day on which half of an average field's leaves are ripe, after day 0; other plants stay green."""
RIPENING_DAYS, PHASE_DAYS = 5.0, 7.0
"""Time constant of a field's ripening, and how far fields differ in it (one standard deviation)."""
RAIN_EVERY_DAYS, DRYING_DAYS = 9.0, 3.5
"""Mean time between rains, and the time constant in which an average field dries."""
FIRST_DAY, LAST_DAY = -70.0, 50.0
NEVER = 1e4


@dataclass(frozen=True)
class Seasons:
    """Fields in time; days count from the landscape's day 0."""

    cell: np.ndarray
    """(row, column) int32, number of the field (or other cell)."""
    phase_days: np.ndarray
    """(cell,) float32, how much earlier than the average it ripens."""
    drying_days: np.ndarray
    """(cell,) float32, time constant of its drying."""
    rains: np.ndarray
    """Days on which it rained, ascending."""

    def ripeness(self, plant: np.ndarray, day: float) -> np.ndarray:
        """Return the share (0 to 1) of leaves that are ripe, float32; `plant` is (row, column) `Plant`."""
        ripe_day = np.array([RIPE_DAY.get(p, NEVER) for p in Plant], np.float32)
        late = np.minimum((ripe_day[plant] - self.phase_days[self.cell] - np.float32(day)) / RIPENING_DAYS, 60)
        return (1 / (1 + np.exp(late))).astype(np.float32)

    def wetness(self, day: float) -> np.ndarray:
        """Return the wetness of the soil, (row, column) float32: 1 just after rain, 0 when dry."""
        since = np.float32(day - self.rains[self.rains <= day].max())
        return np.exp(-since / self.drying_days)[self.cell]


def draw_seasons(seed: list[int], cell: np.ndarray, cells: int) -> Seasons:
    """Draw the seasons of a landscape of numbered cells; the same seed gives the same."""
    rng = np.random.default_rng(seed)
    phase, drying = rng.standard_normal((2, cells), np.float32)
    gaps = rng.exponential(RAIN_EVERY_DAYS, 100)
    days = FIRST_DAY + np.cumsum(gaps) - gaps[0]
    return Seasons(cell, PHASE_DAYS * phase, DRYING_DAYS * np.exp(0.4 * drying), days[days < LAST_DAY])
