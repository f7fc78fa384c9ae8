"""What the landscape is made of: reflectance spectra of grounds and of plants, and what each sensor sees of them.

The curves have the features that published libraries show (USGS Spectral Library 7, ECOSTRESS), at levels chosen to lie
among theirs: chlorophyll's absorption and the red edge, soil's rise towards 1700 nm and clay's dip at 2200 nm, water's
black SWIR, cellulose's dip at 2100 nm, the hydrocarbons of plastic and paint at 1730 and 2310 nm. The SWIR of plants,
and what ripening does to them, follow PROSPECT-D in 4SAIL (Jacquemoud and Baret 1990; Feret et al. 2017; Verhoef 1984):
leaves' water keeps the SWIR dark, and it is gone when they ripen.
"""

from enum import IntEnum

import numpy as np

from crossres.sensors.band_integration import band_reflectance
from crossres.sensors.sensor import Sensor

WAVELENGTH_NM = np.concatenate([np.arange(400.0, 1001.0, 5.0), np.arange(1500.0, 2401.0, 10.0)])
"""What silicon detectors see, and what SWIR detectors see beside the air's water bands."""
SHORTWAVE = WAVELENGTH_NM > 1000
SHORTWAVE_KNOTS_NM = (1610.0, 2200.0)


class Ground(IntEnum):
    """What lies at the bottom of a pixel."""

    LOAM = 0
    SAND_SOIL = 1
    STRAW = 2
    TRACK = 3
    ASPHALT = 4
    CONCRETE = 5
    YARD = 6
    RED_TILE = 7
    GREY_TILE = 8
    FLAT_ROOF = 9
    BLUE_STEEL = 10
    WHITE_STEEL = 11
    PLASTIC = 12
    FILM = 13
    POND = 14
    RIVER = 15
    SANDBANK = 16
    LITTER = 17


class Plant(IntEnum):
    """What green grows on it."""

    WHEAT = 0
    YOUNG_CROP = 1
    RAPE = 2
    VEGETABLES = 3
    GRASS = 4
    BROADLEAF = 5
    POPLAR = 6
    PINE = 7


POROUS = (Ground.LOAM, Ground.SAND_SOIL, Ground.STRAW, Ground.TRACK, Ground.SANDBANK, Ground.LITTER)
"""Grounds that rain darkens."""
WET = {1000.0: 0.62, 1610.0: 0.50, 2200.0: 0.42}
"""Reflectance of soaked soil over that of dry soil, by wavelength in nm: water darkens all of it, and the SWIR, where
it absorbs, most (in kind as in Lobell and Asner 2002, Soil Sci. Soc. Am. J. 66, 722; the levels are chosen)."""

GROUND_SHORTWAVE = {
    Ground.LOAM: (0.275, 0.245), Ground.SAND_SOIL: (0.350, 0.325), Ground.STRAW: (0.400, 0.300),
    Ground.TRACK: (0.365, 0.330), Ground.ASPHALT: (0.150, 0.145), Ground.CONCRETE: (0.325, 0.280),
    Ground.YARD: (0.290, 0.250), Ground.RED_TILE: (0.330, 0.345), Ground.GREY_TILE: (0.160, 0.165),
    Ground.FLAT_ROOF: (0.215, 0.170), Ground.BLUE_STEEL: (0.310, 0.200), Ground.WHITE_STEEL: (0.420, 0.270),
    Ground.PLASTIC: (0.300, 0.180), Ground.FILM: (0.330, 0.250), Ground.POND: (0.006, 0.004),
    Ground.RIVER: (0.010, 0.007), Ground.SANDBANK: (0.390, 0.360), Ground.LITTER: (0.260, 0.190),
}  # fmt: skip
PLANT_SHORTWAVE = {
    Plant.WHEAT: (0.170, 0.065), Plant.YOUNG_CROP: (0.200, 0.080), Plant.RAPE: (0.160, 0.055),
    Plant.VEGETABLES: (0.140, 0.045), Plant.GRASS: (0.250, 0.115), Plant.BROADLEAF: (0.190, 0.075),
    Plant.POPLAR: (0.205, 0.080), Plant.PINE: (0.105, 0.045),
}  # fmt: skip
"""Reflectance at 1610 and 2200 nm."""
RIPE_SHORTWAVE = (0.330, 0.175)


def ground_reflectance(sensor: Sensor) -> np.ndarray:
    """Return (len(Ground), band) float32 reflectance as the bands of `sensor` see it."""
    return _seen(_ground_spectra(), GROUND_SHORTWAVE, sensor)


def plant_reflectance(sensor: Sensor) -> np.ndarray:
    """Return (len(Plant), band) float32 reflectance of full cover as the bands of `sensor` see it."""
    return _seen(_plant_spectra(), PLANT_SHORTWAVE, sensor)


def wet_share(sensor: Sensor) -> np.ndarray:
    """Return (len(Ground), band) float32 reflectance of the soaked ground over that of the dry one."""
    darker = np.interp(sensor.centre_nm, list(WET), list(WET.values()))
    return np.where(np.isin(np.arange(len(Ground)), POROUS)[:, None], darker, 1.0).astype(np.float32)


def ripe_reflectance(sensor: Sensor) -> np.ndarray:
    """Return (len(Plant), band) float32 reflectance of full cover when it is ripe, as the bands of `sensor` see it.

    Without chlorophyll the red is bright, the red edge lies at 692 nm and is shallow, and the leaves are dry.
    """
    ripe = _line(0.030, 0.300) + _step(0.0, 0.055, 692.0, 14.0)
    return _seen(dict.fromkeys(Plant, ripe), dict.fromkeys(Plant, RIPE_SHORTWAVE), sensor)


def _seen(spectra: dict, shortwave: dict, sensor: Sensor) -> np.ndarray:
    table = np.stack([spectra[key] for key in sorted(spectra)])
    knots = np.array([shortwave[key] for key in sorted(spectra)])
    table[:, SHORTWAVE] = [np.interp(WAVELENGTH_NM[SHORTWAVE], SHORTWAVE_KNOTS_NM, values) for values in knots]
    return band_reflectance(table, WAVELENGTH_NM, sensor).astype(np.float32)


def _ground_spectra() -> dict[Ground, np.ndarray]:
    return {
        Ground.LOAM: _soil(0.045, 0.235),
        Ground.SAND_SOIL: _soil(0.075, 0.290),
        Ground.STRAW: _soil(0.085, 0.360),
        Ground.TRACK: _soil(0.105, 0.310),
        Ground.ASPHALT: _line(0.088, 0.128),
        Ground.CONCRETE: _line(0.185, 0.290),
        Ground.YARD: _line(0.120, 0.245),
        Ground.RED_TILE: _step(0.080, 0.175, 590.0, 25.0),
        Ground.GREY_TILE: _line(0.085, 0.140),
        Ground.FLAT_ROOF: _line(0.165, 0.225),
        Ground.BLUE_STEEL: _line(0.115, 0.135) + _bump(0.105, 475.0, 55.0) + _step(0.0, 0.10, 760.0, 25.0),
        Ground.WHITE_STEEL: _line(0.300, 0.330),
        Ground.PLASTIC: _line(0.255, 0.330) + _step(0.0, 0.05, 715.0, 15.0),
        Ground.FILM: _line(0.185, 0.300),
        Ground.POND: _step(0.046, 0.012, 690.0, 22.0) + _bump(0.030, 560.0, 45.0),
        Ground.RIVER: _step(0.070, 0.030, 740.0, 35.0) + _bump(0.060, 590.0, 70.0),
        Ground.SANDBANK: _soil(0.130, 0.340),
        Ground.LITTER: _soil(0.030, 0.180),
    }


def _plant_spectra() -> dict[Plant, np.ndarray]:
    return {
        Plant.WHEAT: _leaf(0.022, 0.042, 0.46),
        Plant.YOUNG_CROP: _leaf(0.035, 0.060, 0.40),
        Plant.RAPE: _leaf(0.030, 0.070, 0.45) + _step(0.0, 0.055, 530.0, 14.0),
        Plant.VEGETABLES: _leaf(0.030, 0.062, 0.42),
        Plant.GRASS: _leaf(0.042, 0.050, 0.31),
        Plant.BROADLEAF: _leaf(0.020, 0.034, 0.37),
        Plant.POPLAR: _leaf(0.026, 0.046, 0.41),
        Plant.PINE: _leaf(0.017, 0.018, 0.23),
    }


def _line(at_400: float, at_1000: float) -> np.ndarray:
    return np.interp(WAVELENGTH_NM, (400.0, 1000.0), (at_400, at_1000))


def _soil(at_400: float, at_1000: float) -> np.ndarray:
    return at_400 + (at_1000 - at_400) * ((WAVELENGTH_NM - 400.0) / 600.0) ** 0.85


def _step(low: float, high: float, at_nm: float, width_nm: float) -> np.ndarray:
    return low + (high - low) / (1.0 + np.exp(-(WAVELENGTH_NM - at_nm) / width_nm))


def _bump(height: float, at_nm: float, width_nm: float) -> np.ndarray:
    return height * np.exp(-0.5 * ((WAVELENGTH_NM - at_nm) / width_nm) ** 2)


def _leaf(visible: float, green_peak: float, nir: float) -> np.ndarray:
    """Chlorophyll's absorption in blue and red with the green peak between, the red edge at 718 nm, the NIR plateau."""
    return visible + _bump(green_peak, 552.0, 28.0) + _step(0.0, nir, 718.0, 12.0)
