"""What turns an asset's numbers into reflectance: above all, whether Sentinel-2's offset is still in them.

Since processing baseline 04.00 ESA adds 1000 to L2A numbers. Catalogues disagree on whether that is so in their files,
and some say both; the sensing date tells nothing, since old scenes are reprocessed. This module is the one place where
it is decided, and it says why.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from crossres.sensors import sentinel2

NEGATIVE = -0.03
"""Reflectance that a surface cannot have, beyond what noise and atmospheric correction leave in shadows."""
NEGATIVE_SHARE = 0.01
"""More pixels than this below NEGATIVE show that the offset was subtracted already."""
DARK_DN = (950, 1100)
"""Where the darkest pixels lie when the offset is still in the numbers."""


@dataclass(frozen=True)
class Scaling:
    """Reflectance = scale * DN + offset."""

    scale: float
    offset: float
    why: str
    """How it was decided, for people."""


def decide_scaling(
    properties: Mapping[str, Any], asset: Mapping[str, Any], band: int = 0, data_type: str | None = None
) -> Scaling:
    """Decide scale and offset of one band of an asset from its item's properties and its own `raster:bands`.

    For Sentinel-2, in this order: a flag that the offset is applied already (`earthsearch:boa_offset_applied: true`)
    beats `raster:bands`; then the processing baseline decides; then `raster:bands`. For all others `raster:bands`.
    `data_type` is that of the file, for items that do not say it (Planetary Computer's NAIP).
    """
    stated = stated_scaling(properties, asset, band)
    if stated is not None:
        return stated
    if is_sentinel2(properties):
        return Scaling(sentinel2.SCALE, 0.0, "neither processing baseline nor raster:bands is given: no offset")
    declared = _raster_band(asset, band)
    if (declared.get("data_type") or data_type) == "uint8":
        return Scaling(1 / 255, 0.0, "8 bits without a scale: 0..255 is taken as 0..1")
    return Scaling(1.0, float(declared.get("offset") or 0.0), "the item gives no scale: numbers are taken as they are")


def stated_scaling(properties: Mapping[str, Any], asset: Mapping[str, Any], band: int = 0) -> Scaling | None:
    """Return the scale and offset that an item says, as in `decide_scaling`; None when it says nothing of them."""
    declared = _raster_band(asset, band)
    scale, offset = declared.get("scale"), declared.get("offset")
    if is_sentinel2(properties):
        sentinel2_scale = float(scale or sentinel2.SCALE)
        baseline = processing_baseline(properties)
        if properties.get("earthsearch:boa_offset_applied") is True:
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


def is_sentinel2(properties: Mapping[str, Any]) -> bool:
    """Return whether an item's properties are those of a Sentinel-2 scene."""
    names = f"{properties.get('platform') or ''} {properties.get('constellation') or ''}".lower()
    return "sentinel-2" in names or "sentinel 2" in names or any(key.startswith("s2:") for key in properties)


def processing_baseline(properties: Mapping[str, Any]) -> str | None:
    """Return the processing baseline ("05.09") from the property, or from the product's name; None when unknown."""
    for key in ("s2:processing_baseline", "processing:version"):
        if re.fullmatch(r"\d\d?\.\d\d?", str(properties.get(key) or "")):
            return str(properties[key])
    name = re.search(r"_N(\d\d)(\d\d)_", str(properties.get("s2:product_uri") or ""))
    return f"{name[1]}.{name[2]}" if name else None


def _raster_band(asset: Mapping[str, Any], band: int) -> Mapping[str, Any]:
    """Return what an asset says of one band, in STAC 1.0's `raster:bands` or 1.1's `bands`."""
    bands = asset.get("raster:bands") or asset.get("bands") or []
    entry = bands[band] if band < len(bands) else {}
    found: dict[str, Any] = {}
    for key in ("scale", "offset", "nodata", "data_type"):
        for source, name in ((entry, key), (entry, f"raster:{key}"), (asset, f"raster:{key}"), (asset, key)):
            if source.get(name) is not None:
                found[key] = source[name]
                break
    return found


def declared_nodata(asset: Mapping[str, Any], band: int = 0) -> float | None:
    """Return the nodata value that an asset declares for a band; None when it does not."""
    value = _raster_band(asset, band).get("nodata")
    return None if value is None else float(value)
