"""Sentinel-2 products as ESA delivers them: a SAFE folder, the zip of one, or one granule, with its own word on scale.

The product's metadata say how numbers become reflectance: (DN + offset) / quantification value, with an offset of -1000
since processing baseline 04.00 and none before. Products until December 2016 have long names (S2A_OPER_MTD_SAFL1C...).
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree.ElementTree import Element

from crossres.acquire.bands.assets import SHOWN
from crossres.acquire.bands.numbers import Stated
from crossres.acquire.foreign_xml import parse_xml
from crossres.acquire.read.given import Given
from crossres.acquire.read.tree import Tree
from crossres.acquire.stac.items import parse_time, safe_id
from crossres.errors import UserError
from crossres.foreign_raster import printable
from crossres.imagery.items import Item
from crossres.sensors import sentinel2
from crossres.sensors.band_names import esa_name
from crossres.sensors.scaling import Scaling, processing_baseline

METADATA = re.compile(r"^(?:MTD_MSI|S2[A-Z]_(?:OPER|USER)_MTD_SAF)(L1C|L2A)(?:_[A-Z0-9_]+)?\.xml$", re.I)
BAND_NUMBERS = {
    "B02": "1", "B03": "2", "B04": "3", "B05": "4", "B06": "5", "B07": "6", "B08": "7", "B8A": "8", "B11": "11",
    "B12": "12",
}  # fmt: skip
"""`band_id` of the metadata's offsets."""
QUANTIFICATION = {
    "L2A": ("BOA_QUANTIFICATION_VALUE", "L2A_BOA_QUANTIFICATION_VALUE"),
    "L1C": ("QUANTIFICATION_VALUE",),
}
OFFSET = {"L2A": "BOA_ADD_OFFSET", "L1C": "RADIO_ADD_OFFSET"}
USUAL_QUANTIFICATION = 10_000.0
TOP_OF_ATMOSPHERE = "an L1C product: reflectance above the atmosphere, taken as if it were at the ground"


@dataclass(frozen=True)
class _Product:
    """The metadata file of a product, and where its images are."""

    metadata: str
    level: str

    @property
    def root(self) -> str:
        return PurePosixPath(self.metadata).parent.as_posix()


def is_product_metadata(name: str) -> bool:
    """Return whether a file name is that of a product's metadata."""
    return METADATA.match(name) is not None


def product_around(path: Path) -> Path | None:
    """Return the SAFE folder that a granule, or a folder of its images, stands in; None when there is none."""
    for folder in list(path.resolve().parents)[:4]:
        inside = path.resolve().relative_to(folder).parts
        if inside[0].upper() == "GRANULE" and any(is_product_metadata(p.name) for p in folder.glob("*.xml")):
            return folder
    return None


def safe_given(
    tree: Tree, bands: tuple[str, ...], gsd_m: float, within: str = "", metadata: str | None = None
) -> Given | None:
    """Return a product with the images of `bands`; None when the tree holds no product.

    They are those of `gsd_m` metres, or of the band's own pixel size where that is larger.
    `within` names the folder of one granule, `metadata` the file of one product. Raises `UserError` when the product is
    damaged, lacks a band, or when there are several products or tiles.
    """
    product = _only_product(tree, within, metadata)
    if product is None:
        return None
    root = parse_xml(tree.read(product.metadata), tree.called(product.metadata))
    images = _images(tree, product, within)
    granules = sorted({_granule(name) for name in images})
    if len(granules) > 1:
        raise UserError(
            f"{tree.shown}: holds {len(granules)} tiles, such as {printable(granules[0])} and "
            f"{printable(granules[1])}; name one's folder"
        )
    files = {band: _image(tree, images, esa_name(band), sentinel2.finest_m(band, gsd_m)) for band in bands}
    properties = _properties(root)
    quantification, said = _quantification(tree, product, root)
    offsets, said_too = _offsets(product, root, properties)
    scalings = {band: _scaling(tree, product, esa_name(band), quantification, offsets) for band in bands}
    assets: dict[str, dict[str, Any]] = {
        esa_name(band): {
            "href": str(tree.file(name)), SHOWN: tree.called(name),
            "eo:bands": [{"name": esa_name(band), "common_name": band}],
        }
        for band, name in files.items()
    }  # fmt: skip
    classes = [n for n in images if "SCL" in PurePosixPath(n).stem.upper().split("_")]
    if classes:
        assets["SCL"] = {"href": str(tree.file(min(classes))), SHOWN: tree.called(min(classes))}
    name = PurePosixPath(product.root).name or tree.path.resolve().name
    item: Item = {
        "id": safe_id(name.partition(".")[0]), "geometry": None, "links": [], "assets": assets,
        "properties": properties,
    }  # fmt: skip
    assumed = [*said, *said_too, *([TOP_OF_ATMOSPHERE] if product.level == "L1C" else [])]
    return Given(item, str(tree.path), Stated(scalings), tuple(assumed))


def _only_product(tree: Tree, within: str, metadata: str | None) -> _Product | None:
    found = []
    for name in tree.names:
        match = METADATA.match(PurePosixPath(name).name)
        is_named = metadata is None or name == metadata
        if match and is_named and "GRANULE" not in PurePosixPath(name).parts and not _is_auxiliary(name):
            found.append(_Product(name, match[1].upper()))
    if len(found) > 1 and within:
        found = [p for p in found if _granule(within).upper().startswith(f"{p.level}_")] or found
    if not found:
        return None
    if len(found) > 1:
        both = " and ".join(printable(product.metadata) for product in found[:2])
        raise UserError(f"{tree.shown}: holds {len(found)} products ({both}); name one of them")
    return found[0]


def _is_auxiliary(name: str) -> bool:
    """Return whether a file stands in a folder beside the images: copies of metadata are kept there."""
    return bool({"AUX_DATA", "DATASTRIP", "HTML", "rep_info"} & set(PurePosixPath(name).parts))


def _images(tree: Tree, product: _Product, within: str) -> list[str]:
    """Return the images of a product, those of one granule where it is named."""
    root = "" if product.root == "." else f"{product.root}/"
    inside = [n for n in tree.images if n.startswith(root) and "IMG_DATA" in PurePosixPath(n).parts]
    inside = [n for n in inside if n.startswith(within)]
    levels = {level for n in inside for level in ("L1C", "L2A") if _granule(n).upper().startswith(f"{level}_")}
    if levels and product.level not in levels:
        raise UserError(
            f"{tree.called(product.metadata)}: is of an {product.level} product, but its images "
            f"are of {min(levels)} ({printable(_granule(inside[0]))}); put each product into a folder of its own"
        )
    return [n for n in inside if not levels or _granule(n).upper().startswith(f"{product.level}_")]


def _image(tree: Tree, images: list[str], key: str, gsd_m: float) -> str:
    of_band = [n for n in images if key in PurePosixPath(n).stem.upper().split("_")]
    found = [n for n in of_band if _size_m(n) == gsd_m] or [n for n in of_band if _size_m(n) is None]
    if not found:
        sizes = ", ".join(f"{size} m" for size in sorted({_size_m(n) or 0 for n in of_band}))
        only = f" (only at {sizes})" if sizes else ""
        raise UserError(
            f"{tree.shown}: has no {gsd_m:g} m file of band {key}, which the model needs{only}; get the product again"
        )
    if len(found) > 1:
        raise UserError(
            f"{tree.shown}: has {len(found)} files of band {key}, such as {printable(found[0])} and "
            f"{printable(found[1])}; keep those of one product there"
        )
    return found[0]


def _size_m(name: str) -> int | None:
    """Return the pixel size of an image in metres by its name, or by that of its folder; None when neither says it."""
    path = PurePosixPath(name)
    size = re.search(r"_([0-9]{2})m$", path.stem, re.I) or re.fullmatch(r"R([0-9]{2})m", path.parent.name, re.I)
    return int(size[1]) if size else None


def _granule(name: str) -> str:
    parts = PurePosixPath(name).parts
    at = [i for i, part in enumerate(parts) if part.upper() == "GRANULE"]
    return parts[at[-1] + 1] if at and at[-1] + 1 < len(parts) else ""


def _quantification(tree: Tree, product: _Product, root: Element) -> tuple[float, list[str]]:
    """Return the quantification value, and what was assumed for it."""
    for tag in QUANTIFICATION[product.level]:
        text = _text(root, tag)
        if text is None:
            continue
        value = _number(text)
        if value is None or not 1 <= value <= 1e6:
            raise UserError(f"{tree.called(product.metadata)}: says {tag} {text[:40]!r}, which cannot be; get it again")
        return value, []
    return USUAL_QUANTIFICATION, [f"the metadata say no {QUANTIFICATION[product.level][0]}; taken as 10000"]


def _offsets(product: _Product, root: Element, properties: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return the offsets by band, as they stand, and what was assumed for them."""
    tag = OFFSET[product.level]
    said = {str(e.get("band_id")).strip(): (e.text or "").strip() for e in root.iter() if _tag(e) == tag}
    baseline = processing_baseline(properties)
    if said or baseline is None or not sentinel2.offset_dn(baseline):
        return said, []
    by_baseline = str(sentinel2.offset_dn(baseline))
    line = f"the metadata say no {tag}; taken as {by_baseline}, as processing baseline {baseline} has it"
    return dict.fromkeys(BAND_NUMBERS.values(), by_baseline), [line]


def _scaling(tree: Tree, product: _Product, key: str, quantification: float, offsets: dict[str, str]) -> Scaling:
    text = offsets.get(BAND_NUMBERS.get(key, ""), "0" if not offsets else "")
    offset = _number(text)
    if offset is None or not -quantification <= offset <= 0:
        raise UserError(
            f"{tree.called(product.metadata)}: says {OFFSET[product.level]} {text[:40]!r} of band {key}, which cannot "
            "be; get it again"
        )
    why = f"{PurePosixPath(product.metadata).name}: quantification value {quantification:g}, offset {offset:g}"
    return Scaling(1.0 / quantification, offset / quantification, why)


def _properties(root: Element) -> dict[str, str]:
    """Return what the metadata say of platform, time and baseline, by STAC's names."""
    found = {"constellation": "sentinel-2", "platform": (_text(root, "SPACECRAFT_NAME") or "").lower()}
    if re.fullmatch(r"[0-9]{2}\.[0-9]{2}", baseline := _text(root, "PROCESSING_BASELINE") or ""):
        found["s2:processing_baseline"] = baseline
    for tag in ("PRODUCT_START_TIME", "DATATAKE_SENSING_START"):
        try:
            parse_time(_text(root, tag) or "", tag)
        except UserError:
            continue
        found["datetime"] = str(_text(root, tag))
        break
    if not re.fullmatch(r"sentinel-2[a-z]?", found["platform"]):
        found["platform"] = "sentinel-2"
    return found


def _tag(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _text(root: Element, tag: str) -> str | None:
    return next((e.text.strip() for e in root.iter() if _tag(e) == tag and e.text and e.text.strip()), None)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
