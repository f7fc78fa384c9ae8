"""The MTF of an LR sensor: the setting's or, where it is known, the sensor's own."""

import re
from collections.abc import Sequence

from crossres.sensors import sentinel2

USUAL = 0.25
"""MTF at the Nyquist frequency of a camera of which nothing is known."""

SENTINEL2 = re.compile(r"(sentinel|s)2[a-d]?(msi)?")
"""Its names in small letters and digits: `Sentinel-2A`, `sentinel-2b`, `S2C`, `SENTINEL-2 MSI`."""


def lr_mtf(setting: float | None, sensor: str | None, bands: Sequence[str]) -> tuple[float, ...]:
    """Return the MTF at the Nyquist frequency of each band, by common name.

    `setting` (`grid.lr_mtf`) holds for all bands; None takes the sensor's own by its STAC platform, `sensor`, and
    `USUAL` where the sensor or a band of it is not known.
    """
    if setting is not None:
        return (setting,) * len(bands)
    known = {}
    if SENTINEL2.fullmatch(re.sub(r"[^a-z0-9]", "", (sensor or "").lower())):
        known = dict(zip(sentinel2.S2A.bands, sentinel2.S2A.mtf, strict=True))
    return tuple(known.get(band, USUAL) for band in bands)
