"""Scenes that a source offers, reduced to what choosing between them needs."""

import hashlib
import json
import zlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from crossres.acquire.bands.assets import class_asset
from crossres.acquire.pairing.acquisition import acquisition, identity, quality
from crossres.acquire.pairing.claims import claimed_region
from crossres.acquire.regions import area_km2, polygons
from crossres.acquire.stac.hrefs import resolved
from crossres.acquire.stac.items import item_time, safe_id
from crossres.acquire.stac.offered import Offered
from crossres.errors import UserError
from crossres.imagery.items import Item
from crossres.settings.search import DegradedSource

LONGEST_ID = 100
"""A pair's files are named by two ids; file systems allow 255 characters."""
FIRST_TIME, LAST_TIME = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""Between them lie all images from the air and from space."""
ROUNDING = 0.01
"""By so much a percentage or an angle may be beyond its end."""


@dataclass(frozen=True)
class Candidate:
    """One scene: its item stands packed, since a search may hold tens of thousands."""

    id: str
    base: str
    region: BaseGeometry
    """Its footprint in degrees."""
    time: datetime
    """When it was acquired, in UTC."""
    cloud_percent: float | None
    """Its `eo:cloud_cover`; None when not given."""
    sun: tuple[float, float] | None
    """Azimuth and elevation of the Sun in degrees; None when not given."""
    classified: bool
    """Whether it comes with a scene classification (SCL)."""
    identity: str
    acquisition: tuple[str, ...]
    quality: tuple[Any, ...]
    packed: bytes = field(repr=False)
    parts: tuple["Candidate", ...] = ()
    """Other items of the same tile and acquisition, each with a part of it that this one lacks."""
    degraded: DegradedSource | None = None
    """How this LR scene is made of the HR scene of its pair; None where it is one of its own."""

    @property
    def item(self) -> Item:
        """The item as its source gave it."""
        return dict(json.loads(zlib.decompress(self.packed)))

    def resolved_item(self) -> Item:
        """The item with absolute hrefs; `UserError` for an href that may not be used."""
        return resolved_item(Offered(self.item, self.base))


def candidate(offered: Offered, region: BaseGeometry | None = None) -> Candidate:
    """Reduce an item to what choosing needs; `region` in degrees is known better than the item says it.

    Raises `UserError` when it has no time or numbers that cannot be, or is no item at all, and `NoPlaceError` when it
    does not say where it lies.
    """
    name = offered_id(offered.item)
    try:
        return _reduced(offered, name, region)
    except (AttributeError, TypeError, ValueError, OverflowError):
        raise UserError(f"item {name}: is no STAC item") from None


def _reduced(offered: Offered, name: str, region: BaseGeometry | None) -> Candidate:
    item, base = offered
    properties = item.get("properties") or {}
    time = item_time(item)
    if not FIRST_TIME <= time < LAST_TIME:
        raise UserError(f"item {name}: was acquired in the year {time.year}, which no image was")
    cloud = properties.get("eo:cloud_cover")
    if cloud is not None:
        cloud = _within(cloud, 0.0, 100.0, f"item {name}: its eo:cloud_cover")
    return Candidate(
        id=name,
        base=base,
        region=claimed_region(item, f"item {name}") if region is None else region,
        time=time,
        cloud_percent=cloud,
        sun=_sun(properties, f"item {name}"),
        classified=class_asset({"assets": item.get("assets") or {}}) is not None,
        identity=identity(item),
        acquisition=acquisition(item),
        quality=quality(item),
        packed=zlib.compress(json.dumps(item).encode(), 1),
    )


def resolved_item(offered: Offered) -> Item:
    """Return an item with absolute hrefs; `UserError` without assets, and for an href that may not be used."""
    item, base = offered
    name, assets = offered_id(item), item.get("assets")
    if not isinstance(assets, dict) or not assets:
        raise UserError(f"item {name}: has no assets")
    found = {
        key: {**asset, "href": resolved(str(asset.get("href")), base, f"item {name}")} for key, asset in assets.items()
    }
    return {**item, "assets": found}


def united(parts: list[Candidate]) -> Candidate:
    """Return several parts of one acquisition as one scene with the first one's id, its footprint that of all."""
    if len(parts) == 1:
        return parts[0]
    clouds = [(p.cloud_percent, area_km2(p.region)) for p in parts if p.cloud_percent is not None]
    whole = sum(area for _, area in clouds)
    cloud = sum(percent * area for percent, area in clouds) / whole if whole > 0 else parts[0].cloud_percent
    region = polygons(shapely.union_all([p.region for p in parts]))
    return replace(parts[0], region=region, cloud_percent=cloud, parts=tuple(parts[1:]))


def offered_id(item: Item) -> str:
    """Return an item's id as a file name; one that had to be changed carries a hash of what it was."""
    text = str(item.get("id") or "")
    safe = safe_id(text)[:LONGEST_ID]
    return safe if safe == text else f"{safe}-{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:8]}"


def _sun(properties: dict[str, Any], name: str) -> tuple[float, float] | None:
    azimuth = properties.get("view:sun_azimuth", properties.get("s2:mean_solar_azimuth"))
    elevation = properties.get("view:sun_elevation")
    if elevation is None and properties.get("s2:mean_solar_zenith") is not None:
        elevation = 90.0 - float(properties["s2:mean_solar_zenith"])
    if azimuth is None or elevation is None:
        return None
    return (
        _within(azimuth, -360.0, 360.0, f"{name}: the Sun's azimuth"),
        _within(elevation, -90.0, 90.0, f"{name}: the Sun's elevation"),
    )


def _within(value: Any, low: float, high: float, what: str) -> float:
    """Return a number, up to rounding between two others."""
    number = float(value)
    if not low - ROUNDING <= number <= high + ROUNDING:  # nor is NaN
        raise UserError(f"{what} is {number:g}, not {low:g} to {high:g}")
    return min(max(number, low), high)
