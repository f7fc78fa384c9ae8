"""A tiny Gaofen-2 L1A package made for tests: a known field of reflectance seen by a known camera."""

import io
import tarfile
import warnings
from datetime import UTC, datetime
from math import cos, pi, radians
from pathlib import Path

import numpy as np
import rasterio
from pyproj import Transformer
from rasterio.errors import NotGeoreferencedWarning

from crossres.sensors.gaofen2 import ESUN, calibration
from crossres.sensors.sun import earth_sun_distance_au

NAME = "GF2_PMS1_E113.9_N34.8_20200510_L1A0004793969"
TIME = datetime(2020, 5, 10, 3, 12, 5, tzinfo=UTC)
EPSG, WEST, NORTH = 32649, 765_000.0, 3_855_000.0
PAN_GSD, MSS_GSD, MSS_PX = 0.8, 3.2, 120
PIXELS_PER_METRE_OF_HEIGHT = 0.25
GROUND_M = 120.0
SUN_ZENITH = 25.0
WEIGHTS = np.array([0.2, 0.3, 0.3, 0.2])


def reflectance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return (band, ...) reflectance of the field at UTM coordinates: dark ponds, stripes of 9 m and broad hills."""
    east, south = x - WEST, NORTH - y
    fine = 0.04 * np.sin(2 * pi * east / 9.0) * np.sin(2 * pi * south / 11.0)
    broad = 0.05 * np.sin(2 * pi * (east + 2 * south) / 160.0)
    pond = np.hypot(east - 200, south - 180) < 25
    land = np.stack([0.10 + 0.6 * (fine + broad), 0.14 + fine + broad, 0.16 + fine + broad, 0.30 + 0.5 * fine - broad])
    return np.where(pond, 0.012, land)


def members(haze: float = 0.0) -> dict[str, bytes]:
    """Return the files of the package by name."""
    step = PAN_GSD
    side = 4 * MSS_PX
    x = WEST + (np.arange(side) + 0.5) * step
    y = NORTH - (np.arange(side) + 0.5) * step
    seen = reflectance(*np.meshgrid(x, y)) + haze
    mss = seen.reshape(4, MSS_PX, 4, MSS_PX, 4).mean((2, 4))
    pan = np.tensordot(WEIGHTS, seen, 1)
    factor = pi * earth_sun_distance_au(TIME) ** 2 / cos(radians(SUN_ZENITH))
    gains = calibration("PMS1", 2020)
    dn = np.stack([m * ESUN["PMS1"][b] / factor / gains.gain[b] for m, b in zip(mss, gains.gain, strict=False)])
    pan_dn = pan * ESUN["PMS1"]["pan"] / factor / gains.gain["pan"]
    files = {}
    for kind, image, gsd in (("PAN", pan_dn[None], PAN_GSD), ("MSS", dn, MSS_GSD)):
        files[f"{NAME}-{kind}1.tiff"] = tiff(np.rint(image).clip(1, 1023).astype(np.uint16))
        files[f"{NAME}-{kind}1.xml"] = xml(image.shape[1], image.shape[2]).encode()
        files[f"{NAME}-{kind}1.rpb"] = rpb(gsd, image.shape[1]).encode()
        files[f"{NAME}-{kind}1.jpg"] = b"not read"
    return files


def write_archive(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def tiff(image: np.ndarray) -> bytes:
    with rasterio.MemoryFile() as memory, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        count, height, width = image.shape
        with memory.open(driver="GTiff", dtype="uint16", count=count, height=height, width=width) as dst:
            dst.write(image)
        return bytes(memory.getbuffer())


def xml(rows: int, cols: int) -> str:
    return f"""<?xml version="1.0" encoding="UTF-8" ?>
<ProductMetaData><SatelliteID>GF2</SatelliteID><SensorID>PMS1</SensorID><ReceiveTime>2020-05-10 03:12:05</ReceiveTime>
<CenterTime>2020-05-10 11:12:05</CenterTime><WidthInPixels>{cols}</WidthInPixels><HeightInPixels>{rows}</HeightInPixels>
<CloudPercent>101</CloudPercent><ProductQuality /><SolarAzimuth>130</SolarAzimuth>
<SolarZenith>{SUN_ZENITH}</SolarZenith><SatelliteAzimuth>280</SatelliteAzimuth><SatelliteZenith>75</SatelliteZenith>
</ProductMetaData>"""


def rpb(gsd: float, side: int) -> str:
    """Return an RPC that is linear in longitude, latitude and height, fitted to the camera over its footprint."""
    extent = side * gsd
    to_degrees = Transformer.from_crs(EPSG, 4326, always_xy=True)
    x, y = np.meshgrid(np.linspace(-50, extent + 50, 9), np.linspace(-50, extent + 50, 9))
    lon, lat = to_degrees.transform(WEST + x, NORTH - y)
    lon0, lat0 = lon.mean(), lat.mean()
    terms = np.stack([np.ones(81), (lon - lon0).ravel() / 0.01, (lat - lat0).ravel() / 0.01], 1)
    line = np.linalg.lstsq(terms, (y.ravel() / gsd - 0.5) / side, rcond=None)[0]
    sample = np.linalg.lstsq(terms, (x.ravel() / gsd - 0.5) / side, rcond=None)[0]
    # PAN and MSS differ in the height their RPCs are centred on, as in real products.
    centre = 0.0 if gsd == PAN_GSD else GROUND_M
    per_metre = PIXELS_PER_METRE_OF_HEIGHT * PAN_GSD / gsd / side
    sample_num = [sample[0] + per_metre * (centre - GROUND_M), sample[1], sample[2], per_metre * 500.0] + [0.0] * 16
    line_num = [line[0], line[1], line[2]] + [0.0] * 17
    one = [1.0] + [0.0] * 19

    def listed(name: str, values: list[float]) -> str:
        return f"\t{name} = (\n" + ",\n".join(f"\t\t\t{v:+.15E}" for v in values) + ");\n"

    numbers = {
        "lineOffset": 0.0, "sampOffset": 0.0, "latOffset": lat0, "longOffset": lon0, "heightOffset": centre,
        "lineScale": side, "sampScale": side, "latScale": 0.01, "longScale": 0.01, "heightScale": 500.0,
    }  # fmt: skip
    return (
        'satId = "XXX";\nbandId = "XXX";\nSpecId = "XXX";\nBEGIN_GROUP = IMAGE\n\terrBias =   1.0;\n'
        + "".join(f"\t{k} = {v:.15f};\n" for k, v in numbers.items())
        + listed("lineNumCoef", line_num) + listed("lineDenCoef", one)
        + listed("sampNumCoef", sample_num) + listed("sampDenCoef", one)
        + "END_GROUP = IMAGE\nEND;\n"
    )  # fmt: skip
