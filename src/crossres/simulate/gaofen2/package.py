"""A Gaofen-2 L1A package as delivered: raw TIFF, XML and RPB of PAN and MSS in one tar.gz, always the same bytes."""

import gzip
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from warnings import catch_warnings, simplefilter

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from crossres.files import whole


@dataclass(frozen=True)
class Metadata:
    """What the XML of one image says."""

    sensor: str
    time: datetime
    product: int
    bands: str
    gsd_m: float
    lines: int
    samples: int
    roll_deg: float
    sun_azimuth: float
    sun_elevation: float
    satellite_azimuth: float
    satellite_elevation: float
    corners: tuple[tuple[float, float], ...]
    """(longitude, latitude) of top left, top right, bottom right, bottom left."""


def package_name(sensor: str, longitude: float, latitude: float, time: datetime, product: int) -> str:
    """Return the name of a product: GF2_PMS1_E113.9_N34.8_20200510_L1A0004793969."""
    east = f"{'E' if longitude >= 0 else 'W'}{abs(longitude):.1f}"
    north = f"{'N' if latitude >= 0 else 'S'}{abs(latitude):.1f}"
    return f"GF2_{sensor}_{east}_{north}_{time.astimezone(UTC):%Y%m%d}_L1A{product:010d}"


def write_package(path: Path, files: dict[str, bytes]) -> None:
    """Write a tar.gz with these members in this order; no times, owners or modes of this machine enter it."""
    with (
        whole(path) as part,
        part.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=4) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.mtime = len(content), 0o644, 0
            archive.addfile(member, BytesIO(content))


def tiff_bytes(image: np.ndarray) -> bytes:
    """Return a plain TIFF without georeference, (band, line, sample) uint16."""
    count, height, width = image.shape
    with rasterio.MemoryFile() as memory, catch_warnings():
        simplefilter("ignore", NotGeoreferencedWarning)
        with memory.open(driver="GTiff", dtype="uint16", count=count, height=height, width=width) as dst:
            dst.write(image)
        return bytes(memory.getbuffer())


def xml_text(m: Metadata) -> str:
    """Return the XML as the ground segment writes it, odd habits included.

    StartTime, CenterTime and EndTime are Beijing time while ReceiveTime is UTC; SolarZenith is a zenith angle but
    SatelliteZenith an elevation; elements without a value are there and empty.
    """
    beijing = m.time + timedelta(hours=8)
    exposure = timedelta(seconds=2)
    corner = dict(zip(("TopLeft", "TopRight", "BottomRight", "BottomLeft"), m.corners, strict=True))
    pan = m.bands == "5"
    entries: list[tuple[str, object]] = [
        ("SatelliteID", "GF2"), ("SensorID", m.sensor), ("ReceiveTime", f"{m.time:%Y-%m-%d %H:%M:%S}"),
        ("OrbitID", 20000 + m.product % 10000), ("ProduceType", "STANDARD"), ("SceneID", 2 * m.product + 1),
        ("ProductID", m.product), ("ProductLevel", "LEVEL1A"), ("ProductQuality", None),
        ("ProductQualityReport", None), ("ProductFormat", "GEOTIFF"),
        ("ProduceTime", f"{m.time + timedelta(hours=13):%Y-%m-%d %H:%M:%S}"), ("Bands", m.bands),
        ("ScenePath", 5), ("SceneRow", 121), ("SatPath", 5), ("SatRow", 121), ("SceneCount", 1), ("SceneShift", 1),
        ("StartTime", f"{beijing - exposure:%Y-%m-%d %H:%M:%S}"),
        ("EndTime", f"{beijing + exposure:%Y-%m-%d %H:%M:%S}"), ("CenterTime", f"{beijing:%Y-%m-%d %H:%M:%S}"),
        ("ImageGSD", f"{m.gsd_m:g}"), ("WidthInPixels", m.samples), ("HeightInPixels", m.lines),
        ("WidthInMeters", None), ("HeightInMeters", None), ("CloudPercent", 0), ("QualityInfo", ""),
        ("PixelBits", ""), ("ValidPixelBits", ""), ("RollViewingAngle", 0), ("PitchViewingAngle", 0),
        ("RollSatelliteAngle", f"{m.roll_deg:g}"), ("PitchSatelliteAngle", "0"), ("YawSatelliteAngle", "3.2"),
        ("SolarAzimuth", f"{m.sun_azimuth:.6g}"), ("SolarZenith", f"{90 - m.sun_elevation:.6g}"),
        ("SatelliteAzimuth", f"{m.satellite_azimuth:.6g}"), ("SatelliteZenith", f"{m.satellite_elevation:.6g}"),
        ("GainMode", "G2" if pan else "G2,G1,G1,G2"), ("IntegrationTime", "0.0001203" if pan else "0.0004812"),
        ("IntegrationLevel", "S4" if pan else "S5,S4,S5,S3"), ("MapProjection", None), ("EarthEllipsoid", "WGS84"),
        ("ZoneNo", None), ("ResamplingKernel", None), ("HeightMode", None), ("MtfCorrection", "LAB"),
        ("RelativeCorrectionData", ""),
    ]  # fmt: skip
    for name, (longitude, latitude) in corner.items():
        entries += [(f"{name}Latitude", f"{latitude:.6g}"), (f"{name}Longitude", f"{longitude:.7g}")]
    entries += [(f"{name}Map{axis}", None) for name in corner for axis in "XY"]
    lines = [f"    <{k} />" if v is None else f"    <{k}>{v}</{k}>" for k, v in entries]
    return "\n".join(['<?xml version="1.0" encoding="UTF-8" ?>', "<ProductMetaData>", *lines, "</ProductMetaData>", ""])
