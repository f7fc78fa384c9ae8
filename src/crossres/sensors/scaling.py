"""What turns an asset's numbers into reflectance: above all, whether Sentinel-2's offset is still in them.

Since processing baseline 04.00 ESA adds 1000 to L2A numbers. Catalogues disagree on whether that is so in their files,
and some say both; the sensing date tells nothing, since old scenes are reprocessed. This module is the one place where
it is decided, for every command, and it says why. A decision is then held against the numbers themselves.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from crossres.errors import UserError
from crossres.sensors import sentinel2

NEGATIVE = -0.03
"""Reflectance that a surface cannot have, beyond what noise and atmospheric correction leave in shadows."""
NEGATIVE_SHARE = 0.01
"""More pixels than this below NEGATIVE show that the offset was subtracted already."""
DARK_DN = (950, 1100)
"""Where the darkest pixels lie when the offset is still in the numbers."""
LOWEST, HIGHEST = -0.1, 4.0
"""No surface has a reflectance outside of these: shadows with noise stay above, snow and glints below."""
FILL_NUMBERS = 3
"""So many different impossible numbers may be somebody's marks for no data; more of them are a wrong scale..."""
IMPOSSIBLE_SHARE = 0.01
"""...where they are more than this share of the valid pixels."""
BRIGHTEST_MEDIAN = 2.0
"""No scene reflects more than this at its median: above it, the scale is wrong."""
LARGEST_REFLECTANCE = 10.0
"""Floating-point numbers that pass this are not reflectance."""
EIGHT_BITS = 255
LARGEST_FACTOR = 1e6
"""Of a scale or an offset."""
ASSUMED_SENSOR = "crossres:assumed_sensor"
"""Property of an item whose source does not say what sensor it is of: it is then taken as Sentinel-2."""
REMEDY = "set scale and offset (--scale and --offset, those of its source's sensor, or the tags of the file)"


@dataclass(frozen=True)
class Scaling:
    """Reflectance = scale * DN + offset."""

    scale: float
    offset: float
    why: str
    """How it was decided, for people."""
    assumed: bool = False
    """Whether nothing says so."""

    def applied(self, numbers: np.ndarray) -> np.ndarray:
        """Return numbers of any shape as float64 reflectance."""
        return np.asarray(numbers, np.float64) * self.scale + self.offset


def decide_scaling(
    properties: Mapping[str, Any],
    asset: Mapping[str, Any],
    band: int = 0,
    data_type: str | None = None,
    of_file: tuple[float, float] = (1.0, 0.0),
) -> Scaling:
    """Decide scale and offset of one band of an asset from what its item, and then its file, say of it.

    For Sentinel-2, in this order: a flag that the offset is applied already (`earthsearch:boa_offset_applied: true`)
    beats `raster:bands`; then the processing baseline decides; then `raster:bands`. For all others `raster:bands`.
    Then the tags of the file (`of_file`, scale and offset; 1 and 0 say nothing). Where nothing says it, it is assumed.
    `data_type` is that of the file, for items that do not say it (Planetary Computer's NAIP).
    """
    stated = stated_scaling(properties, asset, band)
    tagged = of_file != (1.0, 0.0)
    if stated is not None:
        if tagged and not np.allclose(of_file, (stated.scale, stated.offset), rtol=1e-6, atol=1e-9):
            return replace(stated, why=f"{stated.why}; the file says scale {of_file[0]:g}, offset {of_file[1]:g}")
        return stated
    if tagged:
        return Scaling(*of_file, "scale and offset of the file")
    kind = str(_raster_band(asset, band).get("data_type") or data_type or "")
    if is_sentinel2(properties):
        if kind.startswith("float"):
            return Scaling(1.0, 0.0, "numbers have no scale; taken as reflectance", assumed=True)
        return SENTINEL2_NUMBERS
    if kind == "uint8":
        return Scaling(1 / EIGHT_BITS, 0.0, "8 bits without a scale: 0..255 is taken as 0..1", assumed=True)
    offset = float(_raster_band(asset, band).get("offset") or 0.0)
    return Scaling(1.0, offset, "the item gives no scale: numbers are taken as they are", assumed=True)


SENTINEL2_NUMBERS = Scaling(
    sentinel2.SCALE,
    sentinel2.SCALE * sentinel2.OFFSET_DN,
    "numbers have neither scale nor processing baseline; taken as Sentinel-2 L2A since baseline 04.00: "
    f"reflectance = DN * {sentinel2.SCALE:g} {sentinel2.SCALE * sentinel2.OFFSET_DN:+g}, 0 is nodata",
    assumed=True,
)
"""What is assumed of numbers of Sentinel-2 when nothing is known of them; dark pixels may take the offset back."""


def stated_scaling(properties: Mapping[str, Any], asset: Mapping[str, Any], band: int = 0) -> Scaling | None:
    """Return the scale and offset that an item says, as in `decide_scaling`; None when it says nothing of them."""
    declared = _raster_band(asset, band)
    scale, offset = declared.get("scale"), declared.get("offset")
    if is_sentinel2(properties):
        sentinel2_scale = float(scale or sentinel2.SCALE)
        baseline = processing_baseline(properties)
        if any(properties.get(flag) is True for flag in APPLIED_FLAGS):
            return Scaling(sentinel2_scale, 0.0, "the catalogue says that the offset is applied already")
        if baseline is not None:
            offset = sentinel2_scale * sentinel2.offset_dn(baseline)
            return Scaling(sentinel2_scale, offset, f"processing baseline {baseline}")
        if scale is not None or offset is not None:
            why = "raster:bands of the item; no processing baseline is given"
            return Scaling(sentinel2_scale, float(offset or 0.0), why)
    elif scale is not None:
        return Scaling(float(scale or 1.0), float(offset or 0.0), "scale and offset of the item")
    return None


def checked_scalings(
    name: str, bands: Sequence[str], scalings: Sequence[Scaling], numbers: Sequence[np.ndarray], may_be_sentinel2: bool
) -> list[Scaling]:
    """Hold the scaling of each band against a sample of its valid numbers, (n,) each; return what holds.

    What dark pixels of one band of Sentinel-2 prove holds for all of them. Raises `UserError` when the numbers cannot
    be what they are taken for.
    """
    found = [_as_sentinel2(s, dn) if may_be_sentinel2 else s for s, dn in zip(scalings, numbers, strict=True)]
    if may_be_sentinel2:
        for band, scaling, dn in zip(bands, found, numbers, strict=True):
            possible = dn[~_never(scaling, dn)]
            if scaling.assumed and scaling.scale == sentinel2.SCALE and possible.size and possible.max() <= EIGHT_BITS:
                raise UserError(
                    f"{name}: numbers of {band} end at {possible.max():g}, as in a picture of 8 bits, and nothing says "
                    f"what they mean; {REMEDY}"
                )
        found = _by_dark_pixels(found, [dn[~_never(s, dn)] for s, dn in zip(found, numbers, strict=True)])
    for band, scaling, dn in zip(bands, found, numbers, strict=True):
        never = is_impossible(scaling.applied(dn))
        impossible, possible = dn[never], dn[~never]
        many = len(np.unique(impossible)) > FILL_NUMBERS and impossible.size > IMPOSSIBLE_SHARE * dn.size
        if not many and not possible.size and not (impossible > 0).any():
            continue  # nothing but marks for no data
        middle = float(np.median(scaling.applied(dn if many or not possible.size else possible)))
        if many or middle > BRIGHTEST_MEDIAN:
            raise UserError(
                f"{name}: median reflectance of {band} is {middle:.3g} at scale {scaling.scale:g}, offset "
                f"{scaling.offset:g}, and {impossible.size / dn.size:.0%} of it is what no surface has; {REMEDY} so "
                "that reflectance is 0 to 1"
            )
    return found


def is_impossible(reflectance: np.ndarray) -> np.ndarray:
    """Return where reflectance, of any shape, is what no surface can have; NaN is not."""
    return np.asarray((reflectance < LOWEST - 1e-9) | (reflectance > HIGHEST))


def _never(scaling: Scaling, numbers: np.ndarray) -> np.ndarray:
    """Return which numbers no surface can have, whether a negative offset is still to be added or not."""
    found = scaling.applied(numbers)
    return np.asarray((found - min(scaling.offset, 0.0) < LOWEST) | (found > HIGHEST))


def _as_sentinel2(scaling: Scaling, numbers: np.ndarray) -> Scaling:
    """Take floating-point numbers that were assumed to be reflectance for Sentinel-2's when they are too large."""
    if not scaling.assumed or scaling.scale != 1.0 or not numbers.size:
        return scaling
    usual = np.abs(numbers)[np.abs(numbers) < 1e5]  # beyond it are marks for no data
    usual = usual[usual != 9999.0]
    large = usual.size and np.mean(usual > LARGEST_REFLECTANCE) > IMPOSSIBLE_SHARE
    return SENTINEL2_NUMBERS if large else scaling


def _by_dark_pixels(scalings: Sequence[Scaling], numbers: Sequence[np.ndarray]) -> list[Scaling]:
    checked = [check_dark_pixels(scaling, dn) for scaling, dn in zip(scalings, numbers, strict=True)]
    taken_back = [new for old, new in zip(scalings, checked, strict=True) if new.offset != old.offset]
    if taken_back:
        return [replace(scaling, offset=0.0, why=taken_back[0].why) for scaling in scalings]
    doubtful = [new for old, new in zip(scalings, checked, strict=True) if new.why != old.why]
    # A bright band says nothing; only when all bands have their darkest pixels near 1000 is it worth a word.
    return checked if len(doubtful) == len(checked) else list(scalings)


def check_dark_pixels(scaling: Scaling, dn: np.ndarray) -> Scaling:
    """Check a decision against valid numbers of a dark band, (n,); an offset that cannot be is taken back.

    Only one direction is proof: with the offset subtracted twice, shadows and water become negative. Numbers that
    never fall below 1000 although no offset is expected may also be a bright scene: that is only said.
    """
    if dn.size == 0:
        return scaling
    if scaling.offset < 0 and np.mean(scaling.scale * dn + scaling.offset < NEGATIVE) > NEGATIVE_SHARE:
        return replace(
            scaling, offset=0.0, why=f"{scaling.why}, but dark pixels show that the offset is applied already"
        )
    darkest = float(np.quantile(dn, 1e-3))
    if scaling.offset == 0 and DARK_DN[0] <= darkest <= DARK_DN[1]:
        return replace(scaling, why=f"{scaling.why}; doubtful, the darkest pixels are near 1000")
    return scaling


APPLIED_FLAGS = ("earthsearch:boa_offset_applied", "sentinel:boa_offset_applied")
"""Earth Search's own properties, of its first and of its older version."""


def is_sentinel2(properties: Mapping[str, Any]) -> bool:
    """Return whether an item's properties are those of a Sentinel-2 scene."""
    keys = ("platform", "constellation", ASSUMED_SENSOR)
    names = " ".join(str(properties.get(key) or "") for key in keys).lower()
    return "sentinel-2" in names or "sentinel 2" in names or any(key.startswith("s2:") for key in properties)


def processing_baseline(properties: Mapping[str, Any]) -> str | None:
    """Return the processing baseline ("05.09") from the property, or from the product's name; None when unknown."""
    for key in ("s2:processing_baseline", "sentinel:processing_baseline", "processing:version"):
        if re.fullmatch(r"[0-9]{1,2}\.[0-9]{1,2}", str(properties.get(key) or "")):
            return str(properties[key])
    for key in ("s2:product_uri", "sentinel:product_id"):
        name = re.search(r"_N([0-9]{2})([0-9]{2})_", str(properties.get(key) or "")[:200])
        if name:
            return f"{name[1]}.{name[2]}"
    return None


def _raster_band(asset: Mapping[str, Any], band: int) -> Mapping[str, Any]:
    """Return what an asset says of one band, in STAC 1.0's `raster:bands` or 1.1's `bands`."""
    bands = asset.get("raster:bands") or asset.get("bands") or []
    entry = bands[band] if isinstance(bands, list) and band < len(bands) and isinstance(bands[band], dict) else {}
    found: dict[str, Any] = {}
    for key in ("scale", "offset", "nodata", "data_type"):
        for source, name in ((entry, key), (entry, f"raster:{key}"), (asset, f"raster:{key}"), (asset, key)):
            if source.get(name) is not None:
                found[key] = source[name]
                break
    for key in ("scale", "offset"):
        value = found.get(key)
        if value is not None and not (isinstance(value, int | float) and abs(value) < LARGEST_FACTOR):
            raise UserError(f"raster:bands says {key} {str(value)[:40]!r}, which is not a number that can be right")
    if found.get("scale") == 0:
        raise UserError("raster:bands says scale 0, by which all reflectance would be one")
    return found


def declared_nodata(asset: Mapping[str, Any], band: int = 0) -> float | None:
    """Return the nodata value that an asset declares for a band; None when it does not."""
    value = _raster_band(asset, band).get("nodata")
    if value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise UserError(f"raster:bands says nodata {str(value)[:40]!r}, which is not a number") from None
