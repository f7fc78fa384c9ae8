"""What bands are called: by ESA, by Earth Engine, in words, in file names; and which of several names means which band.

This is the one place where a name becomes a band, for every command.
"""

import re
from collections.abc import Collection, Sequence

from crossres.errors import UserError
from crossres.sensors.sentinel2 import BAND_IDS

NAMES = {
    "blue": {"blue", "b02", "b2"},
    "green": {"green", "b03", "b3"},
    "red": {"red", "b04", "b4"},
    "nir": {"nir", "b08", "b8", "nearinfrared", "nearir", "infrared", "nir1"},
    "rededge1": {"rededge1", "rededge071", "rededge", "b05"},
    "rededge2": {"rededge2", "rededge075", "rededge", "b06"},
    "rededge3": {"rededge3", "rededge078", "rededge", "b07"},
    "nir08": {"nir08", "b8a", "narrownir"},
    "swir16": {"swir16", "b11"},
    "swir22": {"swir22", "b12"},
}
"""Names of each common band in small letters and digits; B02 and B2 are ESA's and Earth Engine's for Sentinel-2. B5 to
B7 are left out: they are Landsat's, too, of other bands. STAC calls each of three bands rededge."""
BAND_NUMBER = re.compile(r"(?<![a-z0-9])band[ _.#-]{0,3}([0-9]{1,2}a?)(?![a-z0-9])")
WORDS = {band: {name for name in names if not re.fullmatch(r"b[0-9]+", name)} for band, names in NAMES.items()}
"""Those that are words, which say more than a number: the second band of a file may be `Band 2 - Green`."""
OTHERS = {"edge", "rededge", "coastal", "narrow", "b8a", "nir08", "msk", "mask", "qa", "quality", "qualit", "detfoo"}
"""A name with one of these words is of another band or of none, although it may have `red` or `B04` in it."""


def is_band(name: str, band: str) -> bool:
    """Return whether a name as a whole is one of a band's: `B4`, `Red`, `near infrared`, `B04_10m`."""
    words = _words(name)
    if words and re.fullmatch(r"[0-9]{2}m", words[-1]):
        words = words[:-1]
    return "".join(words) in _names(band)


def mentions_band(name: str, band: str) -> bool:
    """Return whether one word of a name is one of a band's: `T50SLD_20230501T030541_B04_10m`, `Band 4 - Red`."""
    words = set(_words(name))
    if (OTHERS - _names(band)) & words:
        return False
    if any(words & known for known in WORDS.values()):
        return bool(words & (WORDS.get(band.lower()) or _names(band)))
    return bool(words & _names(band))


def common_name(name: str | None) -> str | None:
    """Return the common band that a name means, as a whole or by one of its words; None when it means none."""
    if not name:
        return None
    for means in (is_band, mentions_band):
        found = [band for band in NAMES if means(name, band)]
        if len(found) == 1:
            return found[0]
    return None


def find_band(names: Sequence[str | None], band: str, where: str) -> int | None:
    """Return which of several names, counted from 0, means a band; None when none does.

    A name that is the band's as a whole goes before one that mentions it. Raises `UserError` when two do, naming
    `where` they stand.
    """
    for means in (is_band, mentions_band):
        found = [i for i, name in enumerate(names) if name and means(name, band)]
        if len(found) > 1:
            both = " and ".join(repr(names[i]) for i in found[:2])
            raise UserError(f"{where}: {both} could both be band {band}; name them apart")
        if found:
            return found[0]
    return None


def esa_name(band: str) -> str:
    """Return ESA's name of a common band (B02); the band's own in capitals where ESA has none."""
    return BAND_IDS.get(band, band.upper())


def spelled(bands: Collection[str]) -> str:
    """Return bands as they are told to people: `blue (B02), nir (B08)`."""
    return ", ".join(f"{band} ({BAND_IDS[band]})" if band in BAND_IDS else band for band in bands)


def _names(band: str) -> set[str]:
    return NAMES.get(band.lower(), {"".join(_words(band))})


def _words(name: str) -> list[str]:
    """Return the words and numbers of a name in small letters; `Band 4` is one, b4."""
    return re.findall(r"[a-z0-9]+", BAND_NUMBER.sub(r" b\1", name[:300].casefold()))
