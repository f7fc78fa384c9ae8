"""The XML of one Gaofen-2 L1A image (PAN or MSS), with its traps taken out."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from xml.etree.ElementTree import Element

from crossres.acquire.foreign_xml import parse_xml
from crossres.errors import UserError

BEIJING = timezone(timedelta(hours=8))
LARGEST_SIDE = 1_000_000
"""Rows or columns of an image; a scene has 30 thousand."""


@dataclass(frozen=True)
class ImageMetadata:
    """What the XML says of one image."""

    sensor: str
    """PMS1 or PMS2."""
    time: datetime
    """Centre of the acquisition, in UTC (the XML gives Beijing time)."""
    rows: int
    cols: int
    sun_zenith_deg: float
    sun_azimuth_deg: float
    incidence_deg: float | None
    """Angle between the line of sight and the vertical on the ground (the XML's SatelliteZenith is an elevation)."""
    view_azimuth_deg: float | None
    cloud_percent: float | None
    """None when not assessed (the XML then says 101 or nothing)."""


def parse_metadata(text: bytes, name: str) -> ImageMetadata:
    """Read the XML of a Gaofen-2 image; `UserError` naming the file when it is broken or lacks what is needed."""
    root = parse_xml(text, name)
    sensor = _text(root, "SensorID") or ""
    if sensor not in {"PMS1", "PMS2"}:
        raise UserError(f"{name}: SensorID is {sensor[:40]!r}; only Gaofen-2's PMS1 and PMS2 are known")
    elevation = _number(root, "SatelliteZenith", -90, 90)
    return ImageMetadata(
        sensor=sensor,
        time=_time(root, name),
        rows=int(_needed(root, "HeightInPixels", name, 1, LARGEST_SIDE)),
        cols=int(_needed(root, "WidthInPixels", name, 1, LARGEST_SIDE)),
        sun_zenith_deg=_needed(root, "SolarZenith", name, 0, 180),
        sun_azimuth_deg=_needed(root, "SolarAzimuth", name, -360, 360) % 360.0,
        incidence_deg=None if elevation is None else 90.0 - elevation,
        view_azimuth_deg=_number(root, "SatelliteAzimuth", -360, 360),
        cloud_percent=_number(root, "CloudPercent", 0, 100),
    )


def _time(root: Element, name: str) -> datetime:
    for tag in ("CenterTime", "StartTime"):
        text = _text(root, tag)
        if text:
            try:
                time = datetime.fromisoformat(text)
                return (time if time.tzinfo else time.replace(tzinfo=BEIJING)).astimezone(UTC)
            except (ValueError, OverflowError):
                raise UserError(f"{name}: {tag} {text[:40]!r} is not a time") from None
    raise UserError(f"{name}: has no CenterTime; order the package again")


def _text(root: Element, tag: str) -> str | None:
    return (root.findtext(tag) or "").strip() or None


def _number(root: Element, tag: str, lowest: float, highest: float) -> float | None:
    """Return a number within limits; None where there is none."""
    try:
        value = float(_text(root, tag) or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and lowest <= value <= highest else None


def _needed(root: Element, tag: str, name: str, lowest: float, highest: float) -> float:
    value = _number(root, tag, lowest, highest)
    if value is None:
        raise UserError(f"{name}: has no number from {lowest:g} to {highest:g} in {tag}; order the package again")
    return value
