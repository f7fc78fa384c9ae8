"""Gaofen-2 PMS1 and PMS2: bands, optics, and the published radiometric calibration by year."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from crossres.errors import UserError
from crossres.sensors.sensor import Sensor

log = logging.getLogger(__name__)

MSS_BANDS = ("blue", "green", "red", "nir")
BANDS = (*MSS_BANDS, "pan")

# Centroids and widths of the multispectral bands are those of the responses CRESDA publishes; PAN spans 450-900 nm.
# No MTF is published: these are usual values of such cameras.
PMS1 = Sensor(
    name="PMS1",
    bands=BANDS,
    gsd_m=(3.24, 3.24, 3.24, 3.24, 0.81),
    mtf=(0.25, 0.25, 0.25, 0.25, 0.2),
    esun=(1941.76, 1853.73, 1541.79, 1086.47, 1364.26),
    centre_nm=(489.8, 555.9, 659.7, 828.8, 675.0),
    fwhm_nm=(62.5, 70.0, 62.5, 117.5, 450.0),
)
PMS2 = Sensor(
    name="PMS2",
    bands=BANDS,
    gsd_m=PMS1.gsd_m,
    mtf=PMS1.mtf,
    esun=(1941.22, 1853.61, 1541.70, 1086.53, 1362.16),
    centre_nm=(490.0, 555.9, 659.7, 828.7, 675.0),
    fwhm_nm=(60.0, 70.0, 62.5, 117.5, 450.0),
)
SENSORS = {"PMS1": PMS1, "PMS2": PMS2}

ESUN = {name: dict(zip(BANDS, sensor.esun, strict=True)) for name, sensor in SENSORS.items()}
"""Mean solar irradiance by sensor and band, in W m-2 um-1."""

# CRESDA's yearly absolute calibration: blue green red nir pan, in W m-2 sr-1 um-1 per DN. Zero means not published.
GAIN = {
    "PMS1": {
        2014: (0.1585, 0.1883, 0.1740, 0.1897, 0.1630),
        2015: (0.1457, 0.1604, 0.1550, 0.1731, 0.1538),
        2016: (0.1322, 0.1550, 0.1477, 0.1613, 0.1501),
        2017: (0.1193, 0.1530, 0.1424, 0.1569, 0.1503),
        2018: (0.1356, 0.1736, 0.1644, 0.1788, 0.1725),
        2019: (0.1453, 0.1826, 0.1727, 0.1908, 0.1855),
        2020: (0.1378, 0.1778, 0.1700, 0.1858, 0.1817),
        2021: (0.1374, 0.1784, 0.1723, 0.1894, 0.1884),
    },
    "PMS2": {
        2014: (0.1748, 0.1817, 0.1741, 0.1975, 0.1823),
        2015: (0.1761, 0.1843, 0.1677, 0.1830, 0.0000),
        2016: (0.1762, 0.1856, 0.1754, 0.1980, 0.1863),
        2017: (0.1434, 0.1595, 0.1511, 0.1685, 0.1679),
        2018: (0.1859, 0.2072, 0.1934, 0.2180, 0.2136),
        2019: (0.1750, 0.1902, 0.1770, 0.1968, 0.1980),
        2020: (0.1752, 0.1919, 0.1804, 0.1968, 0.2025),
        2021: (0.1641, 0.1830, 0.1705, 0.1878, 0.1959),
    },
}
OFFSET = {
    "PMS1": {2014: (-0.8765, -0.9742, -0.7652, -0.7233, -0.6077)},
    "PMS2": {2014: (-0.5930, -0.2717, -0.2879, -0.2773, 0.1654)},
}
"""Published for 2014 only; zero in every other year."""


@dataclass(frozen=True)
class Calibration:
    """Radiance L = gain * DN + offset, in W m-2 sr-1 um-1, by band name."""

    gain: dict[str, float]
    offset: dict[str, float]
    year_used: int
    """Year of the coefficients; the latest published one for later images."""
    warning: str | None = None
    """Said of an image that is younger than its coefficients."""


def calibration(sensor: str, year: int, bands: Sequence[str] = BANDS) -> Calibration:
    """Return the coefficients of `sensor` ("PMS1" or "PMS2") for images of `year`.

    A year after the last published one takes the last, with a warning. Raises `UserError` for an unknown sensor, for
    a year before the satellite, and for a band of `bands` whose gain was never published (PMS2's PAN of 2015).
    """
    if sensor not in GAIN:
        raise UserError(f"Gaofen-2 sensor {sensor!r}: no calibration; known are {', '.join(sorted(GAIN))}")
    published = GAIN[sensor]
    if year < min(published):
        raise UserError(f"Gaofen-2 {sensor}: no calibration for {year}; the first is of {min(published)}")
    used = min(year, max(published))
    warning = None
    if used != year:
        warning = (
            f"no calibration published for {year}; that of {used} is used, so reflectance may be off by some percent"
        )
        log.warning("Gaofen-2 %s: %s", sensor, warning)
    gain = dict(zip(BANDS, published[used], strict=True))
    offset = dict(zip(BANDS, OFFSET[sensor].get(used, (0.0,) * len(BANDS)), strict=True))
    for band in bands:
        if not gain[band]:
            raise UserError(
                f"Gaofen-2 {sensor}: the {band} gain of {used} was never published; use images of another year"
            )
    return Calibration({b: gain[b] for b in bands}, {b: offset[b] for b in bands}, used, warning)
