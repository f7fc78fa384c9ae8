"""Where an item keeps each band: one asset per band, one asset with many bands, or a Gaofen-2 package."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crossres.acquire.stac.items import Item, common_names
from crossres.errors import UserError
from crossres.sensors.sentinel2 import BAND_IDS

CLASSES = "scl"
"""Name of the scene classification among the bands."""
_PICTURES = {"visual", "thumbnail", "overview", "preview", "rendered_preview", "tilejson", "tci"}


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
    return asset if "crossres:sensor" in item["properties"] else None


def band_assets(item: Item, bands: Sequence[str]) -> list[BandAsset]:
    """Return where an item keeps the bands of these common names, in this order.

    Assets of a single band come first (the finest where a band comes at several pixel sizes), then assets with many.
    Raises `UserError` when a band is not there.
    """
    found = [_band_asset(item, band) for band in bands]
    missing = [band for band, place in zip(bands, found, strict=True) if place is None]
    if missing:
        raise UserError(f"item {item.get('id')}: has no band {missing[0]!r} (grid.bands asks for {', '.join(bands)})")
    return [place for place in found if place is not None]


def class_asset(item: Item) -> BandAsset | None:
    """Return where an item keeps its scene classification (SCL); None when it has none."""
    return _band_asset(item, CLASSES)


def _band_asset(item: Item, band: str) -> BandAsset | None:
    esa = BAND_IDS.get(band, band.upper())
    names = {band: 0, esa: 1, f"{esa}_10m": 2, f"{esa}_20m": 3}
    options: list[tuple[tuple[bool, int, bool, float, str], BandAsset]] = []
    for key, asset in item["assets"].items():
        if key.lower() in _PICTURES or {"thumbnail", "overview", "visual", "metadata"} & set(asset.get("roles") or []):
            continue
        inside = common_names(asset)
        if key in names and len(inside) <= 1:
            place, rank = BandAsset(key, asset, 0), names[key]
        elif band in inside:
            place, rank = BandAsset(key, asset, inside.index(band)), len(names)
        else:
            continue
        jpeg2000 = "jp2" in str(asset.get("type")) + key
        gsd = float(asset.get("gsd") or (asset.get("raster:bands") or [{}])[0].get("spatial_resolution") or 0)
        options.append(((len(inside) > 1, rank, jpeg2000, gsd, key), place))
    return min(options, key=lambda option: option[0])[1] if options else None
