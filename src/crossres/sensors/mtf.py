"""The MTF of an LR sensor: the setting's or, where it is known, the sensor's own."""

import re
from collections.abc import Sequence

from crossres.sensors import sentinel2
from crossres.sensors.sensor import Sensor

USUAL = 0.25
"""MTF at the Nyquist frequency of a camera of which nothing is known."""

LR_SENSORS: dict[str, Sensor] = {
    r"(sentinel|s)2[a-d]?(msi)?": sentinel2.S2A,
}
"""Sensors whose MTF is known, by what their STAC platform is called, in small letters and digits: `Sentinel-2A`,
`sentinel-2b`, `S2C`, `SENTINEL-2 MSI`."""


def lr_mtf(setting: float | None, sensor: str | None, bands: Sequence[str]) -> tuple[float, ...]:
    """Return the MTF of each band, by common name, at the Nyquist frequency of its own pixel size.

    `setting` (`grid.lr_mtf`) holds for all bands; None takes the sensor's own by its STAC platform, `sensor`, and
    `USUAL` where the sensor or a band of it is not known. An HR image that was degraded has that of what it was
    degraded to.
    """
    if setting is not None:
        return (setting,) * len(bands)
    platform = re.sub(r"[^a-z0-9]", "", (sensor or "").lower()).rpartition("degradedto")[2]
    known = next((camera for name, camera in LR_SENSORS.items() if re.fullmatch(name, platform)), None)
    own = dict(zip(known.bands, known.mtf, strict=True)) if known else {}
    return tuple(own.get(band, USUAL) for band in bands)
