"""Where an item keeps each band: one asset per band, one asset with many bands, or a Gaofen-2 package."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crossres.acquire.stac.hrefs import shown
from crossres.acquire.stac.items import common_names, raster_bands
from crossres.errors import UserError
from crossres.imagery.items import Item
from crossres.sensors.band_names import esa_name, is_band

CLASSES = "scl"
"""Name of the scene classification among the bands."""
SHOWN = "crossres:shown"
"""What an asset is called in lines for people, where its href is that of an unpacked copy."""
_PICTURES = {"visual", "thumbnail", "overview", "preview", "rendered_preview", "tilejson", "tci"}
_PICTURE_ROLES = {"thumbnail", "overview", "visual", "metadata"}


@dataclass(frozen=True)
class BandAsset:
    """One band of one asset."""

    key: str
    asset: Mapping[str, Any]
    index: int
    """Counted from 0."""


def package_asset(item: Item) -> Mapping[str, Any] | None:
    """Return the asset that is a Gaofen-2 L1A package; None when the item is of another kind."""
    asset = item["assets"].get("package")
    platform = str(item["properties"].get("platform")).lower()
    return asset if isinstance(asset, dict) and platform == "gaofen-2" else None


def band_assets(item: Item, bands: Sequence[str], gsd_m: float | None = None) -> list[BandAsset]:
    """Return where an item keeps the bands of these common names, in this order.

    Assets of a single band come first, then assets with many. Where a band comes at several pixel sizes, the one of
    `gsd_m` metres is taken, else the finest. Raises `UserError` when a band is not there.
    """
    found = [_band_asset(item, band, gsd_m) for band in bands]
    missing = [band for band, place in zip(bands, found, strict=True) if place is None]
    if missing:
        there = ", ".join(shown(key, 40) for key in list(item["assets"])[:30])
        raise UserError(
            f"item {item.get('id')}: has no band {missing[0]!r} ({esa_name(missing[0])}) of {', '.join(bands)}; its "
            f"assets are {there}"
        )
    return [place for place in found if place is not None]


def class_asset(item: Item) -> BandAsset | None:
    """Return where an item keeps its scene classification (SCL); None when it has none."""
    return _band_asset(item, CLASSES, None)


def _band_asset(item: Item, band: str, gsd_m: float | None) -> BandAsset | None:
    options: list[tuple[tuple[bool, bool, int, bool, float, str], BandAsset]] = []
    for key, asset in item["assets"].items():
        if not isinstance(asset, dict) or key.lower() in _PICTURES or _PICTURE_ROLES & _roles(asset):
            continue
        inside = common_names(asset)
        means = [i for i, name in enumerate(inside) if name and is_band(name, band)]
        if len(inside) <= 1 and is_band(key, band) and (means or not any(inside)):
            place, rank = BandAsset(key, asset, 0), 0 if key == band else 1
        elif means:
            place, rank = BandAsset(key, asset, means[0]), 2
        else:
            continue
        jpeg2000 = "jp2" in str(asset.get("type")) + key
        gsd = _gsd(key, asset)
        other_size = gsd_m is not None and gsd > 0 and abs(gsd - gsd_m) > 0.01 * gsd_m
        options.append(((len(inside) > 1, other_size, rank, jpeg2000, gsd, key), place))
    return min(options, key=lambda option: option[0])[1] if options else None


def _roles(asset: Mapping[str, Any]) -> set[str]:
    roles = asset.get("roles")
    return {str(role) for role in roles} if isinstance(roles, list) else set()


def _gsd(key: str, asset: Mapping[str, Any]) -> float:
    """Return the pixel size that an asset says, or that its key ends with (B02_20m), in metres; 0 when neither does."""
    first = next(iter(raster_bands(asset)), {})
    for place, name in (
        (asset, "gsd"), (first, "spatial_resolution"), (first, "raster:spatial_resolution"), (first, "gsd"),
        (asset, "raster:spatial_resolution"),
    ):  # fmt: skip
        value = place.get(name)
        if isinstance(value, int | float) and value > 0:
            return float(value)
    size = re.search(r"_([0-9]{1,3})m$", key)
    return float(size[1]) if size else 0.0
