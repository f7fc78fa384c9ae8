"""Sentinel-2 products as ESA delivers them: a SAFE folder, or the zip of one, with its own word on scale and offset.

The product's metadata (MTD_MSIL2A.xml or MTD_MSIL1C.xml) say how numbers become reflectance: (DN + offset) /
quantification value, with an offset of -1000 since processing baseline 04.00 and none before.
"""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element
from zipfile import BadZipFile, ZipFile

from defusedxml.ElementTree import ParseError, fromstring

from crossres.errors import UserError
from crossres.sensors.sentinel2 import BAND_IDS

METADATA = ("MTD_MSIL2A.xml", "MTD_MSIL1C.xml")
BAND_NUMBERS = {"B02": "1", "B03": "2", "B04": "3", "B08": "7"}
"""`band_id` of the metadata's offsets."""


@dataclass(frozen=True)
class SafeProduct:
    """What a product says of itself."""

    files: dict[str, str]
    """The raster of each band, by common name; as GDAL opens it, from inside the zip too."""
    scaling: dict[str, tuple[float, float]]
    """Reflectance = scale * DN + offset, by common name."""
    tags: dict[str, str]
    """`datetime` and `sensor`."""
    level: str
    """L2A: reflectance at the ground; L1C: above the atmosphere."""


def open_safe(path: Path, bands: tuple[str, ...]) -> SafeProduct | None:
    """Read a SAFE folder or zip; None when `path` is neither. `UserError` when it is damaged or lacks a band."""
    names = _members(path)
    found = [name for name in names if PurePosixPath(name).name in METADATA]
    if not found:
        return None
    metadata = min(found, key=lambda name: (name.count("/"), name))
    root = _xml(path, metadata)
    level = PurePosixPath(metadata).name[7:10]
    images = [n for n in names if n.lower().endswith(".jp2") and "IMG_DATA" in n]
    quantification = {"L2A": "BOA_QUANTIFICATION_VALUE", "L1C": "QUANTIFICATION_VALUE"}[level]
    scale = 1 / float(_text(root, quantification) or 10000)
    offsets = {
        e.get("band_id"): float(e.text or 0) for tag in ("BOA_ADD_OFFSET", "RADIO_ADD_OFFSET") for e in root.iter(tag)
    }
    files, scaling = {}, {}
    for band in bands:
        key = BAND_IDS.get(band)
        at = [n for n in images if key and key in PurePosixPath(n).stem.split("_")]
        at = [n for n in at if PurePosixPath(n).stem.endswith("_10m")] or at
        if len(at) != 1:
            what = "has no 10 m file" if not at else f"has {len(at)} files"
            raise UserError(f"{path}: {what} of band {key or band}, which the model needs; download the product again")
        files[band] = f"/vsizip/{path}/{at[0]}" if path.is_file() else str(path / at[0])
        scaling[band] = (scale, scale * offsets.get(BAND_NUMBERS[str(key)], 0.0))
    tags = {"datetime": _text(root, "PRODUCT_START_TIME"), "sensor": _text(root, "SPACECRAFT_NAME")}
    return SafeProduct(files, scaling, {k: v for k, v in tags.items() if v}, level)


def _members(path: Path) -> list[str]:
    if path.is_dir():
        return sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.suffix.lower() in {".xml", ".jp2"})
    if path.suffix.lower() != ".zip":
        return []
    try:
        with ZipFile(path) as archive:
            return sorted(archive.namelist())
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except BadZipFile:
        raise UserError(f"{path}: a damaged zip; download it again") from None


def _xml(path: Path, name: str) -> Element:
    try:
        if path.is_dir():
            return fromstring((path / name).read_bytes())
        with ZipFile(path) as archive:
            return fromstring(archive.read(name))
    except (ParseError, BadZipFile) as error:
        raise UserError(f"{path}: {name} cannot be read ({error}); download the product again") from None


def _text(root: Element, tag: str) -> str | None:
    return next((e.text for e in root.iter(tag)), None)
