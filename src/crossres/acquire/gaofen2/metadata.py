"""The XML of one Gaofen-2 L1A image (PAN or MSS), with its traps taken out."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from xml.etree.ElementTree import Element

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from crossres.errors import UserError

BEIJING = timezone(timedelta(hours=8))


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
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, DefusedXmlException, ValueError):
        raise UserError(f"{name}: not valid XML; order the package again") from None
    sensor = _text(root, "SensorID") or ""
    if sensor not in {"PMS1", "PMS2"}:
        raise UserError(f"{name}: SensorID is {sensor!r}; only Gaofen-2's PMS1 and PMS2 are known")
    elevation = _number(root, "SatelliteZenith")
    cloud = _number(root, "CloudPercent")
    return ImageMetadata(
        sensor=sensor,
        time=_time(root, name),
        rows=int(_needed(root, "HeightInPixels", name)),
        cols=int(_needed(root, "WidthInPixels", name)),
        sun_zenith_deg=_needed(root, "SolarZenith", name),
        sun_azimuth_deg=_needed(root, "SolarAzimuth", name) % 360.0,
        incidence_deg=None if elevation is None else 90.0 - elevation,
        view_azimuth_deg=_number(root, "SatelliteAzimuth"),
        cloud_percent=cloud if cloud is not None and 0 <= cloud <= 100 else None,
    )


def _time(root: Element, name: str) -> datetime:
    for tag in ("CenterTime", "StartTime"):
        text = _text(root, tag)
        if text:
            try:
                return datetime.fromisoformat(text).replace(tzinfo=BEIJING).astimezone(UTC)
            except ValueError:
                raise UserError(f"{name}: {tag} {text!r} is not a time") from None
    raise UserError(f"{name}: has no CenterTime; order the package again")


def _text(root: Element, tag: str) -> str | None:
    return (root.findtext(tag) or "").strip() or None


def _number(root: Element, tag: str) -> float | None:
    try:
        return float(_text(root, tag) or "")
    except ValueError:
        return None


def _needed(root: Element, tag: str, name: str) -> float:
    value = _number(root, tag)
    if value is None:
        raise UserError(f"{name}: has no number in {tag}; order the package again")
    return value
