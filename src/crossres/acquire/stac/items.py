"""What STAC items say of their bands and times, in STAC 1.0 and in 1.1; those that we write are made in `imagery`."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from crossres.errors import UserError
from crossres.imagery.items import Item


def common_names(asset: Mapping[str, Any]) -> list[str | None]:
    """Return the common name of each band of an asset, in file order.

    They stand in STAC 1.0's `eo:bands` or 1.1's `bands`; the one of a single band may stand in the asset itself.
    """
    bands = asset.get("eo:bands") or asset.get("bands") or [asset] * ("eo:common_name" in asset)
    return [_common_name(band) for band in bands] if isinstance(bands, list) else []


def raster_bands(asset: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return what an asset says of each band's numbers, in file order (STAC 1.0's `raster:bands` or 1.1's `bands`)."""
    bands = asset.get("raster:bands") or asset.get("bands")
    return [band if isinstance(band, dict) else {} for band in bands] if isinstance(bands, list) else []


def _common_name(band: Any) -> str | None:
    if not isinstance(band, dict):  # before STAC 0.9 a number
        return None
    names = [band.get("common_name"), band.get("eo:common_name"), str(band.get("name") or "").lower()]
    return next((name for name in names if isinstance(name, str) and name), None)


def safe_id(text: str) -> str:
    """Return a text as an id that is also a file name ([A-Za-z0-9_.-], not starting with a dot)."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", text).lstrip(".") or "_"


def parse_time(text: str, name: str) -> datetime:
    """Read an ISO 8601 time (UTC when it has no zone); `UserError` naming its owner when it is none."""
    try:
        time = datetime.fromisoformat(text.strip())
    except (ValueError, AttributeError):  # of an item, it may be no text
        raise UserError(f"{name}: {str(text)[:60]!r} is not a time in ISO 8601, such as 2020-05-10T17:03:20Z") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def item_time(item: Item) -> datetime:
    """Return when an item was acquired; the start where it only has a range."""
    properties = item.get("properties") or {}
    text = properties.get("datetime") or properties.get("start_datetime")
    if not text:
        raise UserError(f"item {item.get('id')}: has neither datetime nor start_datetime")
    return parse_time(text, f"item {item.get('id')}")
