"""Reflectance of the land as a band of a sensor would see it from just above, on a day."""

import numpy as np

from crossres.sensors.sensor import Sensor
from crossres.simulate.land.landscape import Landscape
from crossres.simulate.land.light import SKY_SHARE
from crossres.simulate.land.spectra import (
    Ground,
    ground_reflectance,
    plant_reflectance,
    ripe_reflectance,
    wet_share,
)

STUBBLE_GREEN = 0.06
"""Green cover of a field after harvest."""


class Surface:
    """The land on one day: green cover and ground after growth and, where due, after the harvest."""

    def __init__(self, landscape: Landscape, day: float, light: np.ndarray, after_change: bool) -> None:
        """`day` counts from the landscape's day 0; `light` is `direct_light` at that moment."""
        self.landscape = landscape
        self.light = light
        self.green = np.clip(landscape.green + np.float32(day) * landscape.growth, 0, 1)
        self.ground = landscape.ground
        if after_change:
            ploughed = (landscape.tone < 1)[landscape.changed]
            self.green[landscape.changed] = STUBBLE_GREEN
            self.ground = landscape.ground.copy()
            self.ground[landscape.changed] = np.where(ploughed, Ground.LOAM, Ground.STRAW)
        if landscape.seasons is not None:
            self.ripe = landscape.seasons.ripeness(landscape.plant, day)
            self.wet = landscape.seasons.wetness(day)

    def reflectance(self, sensor: Sensor, band: str) -> np.ndarray:
        """Return (row, column) float32 reflectance of one band, in the light of the moment."""
        index = sensor.bands.index(band)
        ground = ground_reflectance(sensor)[:, index][self.ground] * self.landscape.tone
        plant = plant_reflectance(sensor)[:, index][self.landscape.plant]
        if self.landscape.seasons is not None:
            ground *= 1 - self.wet * (1 - wet_share(sensor)[:, index][self.ground])
            plant += self.ripe * (ripe_reflectance(sensor)[:, index][self.landscape.plant] - plant)
        plant *= self.landscape.leaf_tone
        sky = np.float32(SKY_SHARE[band])
        return (ground + self.green * (plant - ground)) * (sky + (1 - sky) * self.light)
