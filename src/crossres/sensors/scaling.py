"""What turns an asset's numbers into reflectance: above all, whether Sentinel-2's offset is still in them.

Since processing baseline 04.00 ESA adds 1000 to L2A numbers. Catalogues disagree on whether that is so in their files,
and some say both; the sensing date tells nothing, since old scenes are reprocessed. This module is the one place where
it is decided, for every command, and it says why; `scaling_check` holds the decision against the numbers themselves.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from crossres.errors import UserError
from crossres.sensors import landsat, sentinel2

EIGHT_BITS = 255
TEST_BASELINE = 90.0
"""Processing baselines from here on (99.99) are those of people who run ESA's processor: they say nothing."""
LARGEST_SCALE_OF_DN = 0.002
"""Sentinel-2's numbers are DN, of which 0 is nodata, where their scale is below this; else they are reflectance."""
LARGEST_FACTOR = 1e6
"""Of a scale or an offset."""
ASSUMED_SENSOR = "crossres:assumed_sensor"
"""Property of an item whose source does not say what sensor it is of: it is then taken as Sentinel-2."""


@dataclass(frozen=True)
class Scaling:
    """Reflectance = scale * DN + offset."""

    scale: float
    offset: float
    why: str
    """How it was decided, for people."""
    assumed: bool = False
    """Whether nothing says so."""
    doubtful: bool = False
    """Whether something says otherwise."""

    def applied(self, numbers: np.ndarray) -> np.ndarray:
        """Return numbers of any shape as float64 reflectance."""
        return np.asarray(numbers, np.float64) * self.scale + self.offset


def decide_scaling(
    properties: Mapping[str, Any],
    asset: Mapping[str, Any],
    band: int = 0,
    data_type: str | None = None,
    of_file: tuple[float, float] = (1.0, 0.0),
    name: str = "",
) -> Scaling:
    """Decide scale and offset of one band of an asset from what its item, and then its file, say of it.

    For Sentinel-2, in this order: a flag that the offset is applied already (`earthsearch:boa_offset_applied: true`)
    beats all; then the processing baseline decides; then scale and offset of the band. For all others these alone.
    Then the tags of the file (`of_file`, scale and offset; 1 and 0 say nothing). Where nothing says it, it is assumed,
    by the product or the processing baseline in the `name` of the item where there is one.
    `data_type` is that of the file, for items that do not say it (Planetary Computer's NAIP).
    """
    stated = stated_scaling(properties, asset, band)
    tagged = of_file != (1.0, 0.0)
    if stated is not None:
        if tagged and not np.allclose(of_file, (stated.scale, stated.offset), rtol=1e-6, atol=1e-9):
            return replace(stated, why=f"{stated.why}; the file says scale {of_file[0]:g}, offset {of_file[1]:g}")
        return stated
    if tagged:
        if not (0 < of_file[0] < LARGEST_FACTOR and abs(of_file[1]) < LARGEST_FACTOR):  # nor are they NaN
            said = f"scale {of_file[0]:g}, offset {of_file[1]:g}"
            raise UserError(f"the file says {said}, which cannot be; mend its tags")
        return Scaling(*of_file, "scale and offset of the file")
    kind = str(_raster_band(asset, band).get("data_type") or data_type or "")
    for pattern, (product, scale, offset) in landsat.NUMBERS.items():
        if re.match(pattern, name) and not kind.startswith("float"):
            return Scaling(scale, offset, f"numbers have no scale; taken as those of {product}", assumed=True)
    if is_sentinel2(properties):
        if kind.startswith("float"):
            return Scaling(1.0, 0.0, "numbers have no scale; taken as reflectance", assumed=True)
        return _by_name(name)
    if kind == "uint8":
        return Scaling(1 / EIGHT_BITS, 0.0, "8 bits without a scale: 0..255 is taken as 0..1", assumed=True)
    stated_offset = float(_raster_band(asset, band).get("offset") or 0.0)
    return Scaling(1.0, stated_offset, "the item gives no scale: numbers are taken as they are", assumed=True)


def _by_name(name: str) -> Scaling:
    baseline = _baseline_in(name)
    if baseline is None:
        return SENTINEL2_NUMBERS
    offset = sentinel2.SCALE * sentinel2.offset_dn(baseline)
    said = f"reflectance = DN * {sentinel2.SCALE:g} {offset:+g}"
    return Scaling(
        sentinel2.SCALE,
        offset,
        f"numbers have no scale; taken as Sentinel-2's of processing baseline {baseline}, as the name says: {said}",
        assumed=True,
    )


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
        if any(str(properties.get(flag)).strip().lower() in {"true", "1"} for flag in APPLIED_FLAGS):
            return Scaling(sentinel2_scale, 0.0, "the catalogue says that the offset is applied already")
        if baseline is not None:
            by_baseline = sentinel2_scale * sentinel2.offset_dn(baseline)
            doubtful = by_baseline != 0 and offset == 0
            but = "; doubtful, the item says offset 0" if doubtful else ""
            return Scaling(sentinel2_scale, by_baseline, f"processing baseline {baseline}{but}", doubtful=doubtful)
        if offset is not None:
            why = "offset of the item; no processing baseline is given"
            return Scaling(sentinel2_scale, float(offset), why)
    elif scale is not None:
        return Scaling(float(scale or 1.0), float(offset or 0.0), "scale and offset of the item")
    return None


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
        text = str(properties.get(key) or "").strip()
        if re.fullmatch(r"[0-9]{1,2}\.[0-9]{1,2}", text):
            return text if float(text) < TEST_BASELINE else None
    found = [_baseline_in(str(properties.get(key) or "")) for key in ("s2:product_uri", "sentinel:product_id")]
    return next(filter(None, found), None)


def _baseline_in(name: str) -> str | None:
    """Return the processing baseline in the name of a product (S2B_MSIL2A_..._N0511_...); None when it has none."""
    digits = re.search(r"S2[A-Z]_MSIL(?:1C|2A)_[0-9T]+_N([0-9]{2})([0-9]{2})(?:_|$)", name[:200])
    baseline = f"{digits[1]}.{digits[2]}" if digits else None
    return baseline if baseline and float(baseline) < TEST_BASELINE else None


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
        if value is not None and not (_is_number(value) and abs(value) < LARGEST_FACTOR):
            raise UserError(f"the item says {key} {str(value)[:40]!r}, which cannot be right; mend the item")
    if found.get("scale", 1.0) <= 0:
        raise UserError(f"the item says scale {found['scale']:g}, which cannot be right; mend the item")
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def declared_nodata(asset: Mapping[str, Any], band: int = 0) -> float | None:
    """Return the nodata value that an asset declares for a band; None when it does not."""
    value = _raster_band(asset, band).get("nodata")
    if value is None:
        return None
    try:
        if not isinstance(value, bool):
            return float(value)
    except (TypeError, ValueError, OverflowError):
        pass
    raise UserError(f"the item says nodata {str(value)[:40]!r}, which is not a number; mend the item")
