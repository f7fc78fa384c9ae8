"""One door for all that is named: a path or a URL of a scene, of whatever kind, becomes an item to read."""

import os
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from crossres.acquire.gaofen2.item import gaofen2_item
from crossres.acquire.gaofen2.package import find_packages, read_package
from crossres.acquire.read.given import Given
from crossres.acquire.read.images import folder_given, image_given
from crossres.acquire.read.safe import is_product_metadata, product_around, safe_given
from crossres.acquire.read.tree import SUFFIXES, Tree
from crossres.acquire.remote.addresses import name_host
from crossres.acquire.remote.asset import AssetFile
from crossres.acquire.remote.transfer import Transfer
from crossres.acquire.stac.foreign_json import offered
from crossres.acquire.stac.hrefs import is_remote, resolved, without_signature
from crossres.acquire.stac.items import safe_id
from crossres.acquire.stac.offered import Unusable
from crossres.errors import UserError
from crossres.files import read_json
from crossres.foreign_raster import is_raster, is_utf8, printable
from crossres.imagery.items import Item
from crossres.sensors.band_names import is_band
from crossres.sensors.scaling import ASSUMED_SENSOR
from crossres.sensors.sentinel2 import BAND_IDS

JSON = (".json", ".geojson")
ARCHIVES = (".tar", ".tgz", ".tar.gz")
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
LONGEST_SHOWN = 1000
SENTINEL_HUB = "crossres:sentinelhub"
"""The one word of this program's own that an item may bring: it is checked where the window is asked for."""


def scene_given(scene: str, bands: Sequence[str], gsd_m: float, scratch: Path, transfer: Transfer) -> Given:
    """Return what a scene is, by its path or URL, with the images of `bands` at `gsd_m` metres.

    A SAFE folder, its zip, its metadata file or one of its granules; a GeoTIFF or JPEG 2000 image; a folder with an
    image for each band, or its zip; a STAC item; a Gaofen-2 package. Members of a zip are unpacked into `scratch`.
    Raises `UserError` when it is none of these, lacks a band, or holds several scenes.
    """
    if is_remote(scene):
        return _remote(scene, bands, transfer)
    name_host("localhost")  # a person's own file may name servers of the same machine
    path, wanted = Path(os.path.abspath(scene)), tuple(bands)  # noqa: PTH100 - `..` of a link as it is typed
    shown = printable(scene)[:LONGEST_SHOWN]
    _check_name(scene, path, shown)
    if path.is_dir():
        return _folder(path, wanted, gsd_m, scratch, transfer)
    name = path.name.lower()
    if is_product_metadata(path.resolve().name):
        path = path.resolve()
        found = safe_given(Tree(path.parent, scratch), wanted, gsd_m, metadata=path.name)
        if found is not None:
            return found
    if name.endswith(".xml") and product_around(path) is not None:  # that of a granule
        return _folder(path.parent, wanted, gsd_m, scratch, transfer)
    if name.endswith(JSON):
        return item_given(read_json(path), str(path), shown, path.stem)
    if name.endswith(ARCHIVES) and name.startswith("s2"):
        raise UserError(f"{shown}: Sentinel-2 products are read as folders and zips; unpack it")
    if name.endswith(ARCHIVES) or (name.endswith(".zip") and name.startswith("gf2_")):
        return _package(path)
    if name.endswith(".zip"):
        return _tree(Tree(path, scratch), wanted, gsd_m, transfer)
    if is_raster(path) or name.endswith(SUFFIXES):
        return image_given(AssetFile(str(path), transfer), str(path), path.stem, wanted)
    raise UserError(
        f"{shown}: is neither a SAFE folder or zip, a GeoTIFF or JPEG 2000 image, a folder of them, a STAC item nor a "
        "Gaofen-2 package"
    )


def _check_name(scene: str, path: Path, shown: str) -> None:
    """Raise `UserError` for what is no path of a file or folder, or one that no reader takes."""
    if not scene or SCHEME.match(scene):
        raise UserError(f"{shown or 'a scene'}: is no path and no http(s) or s3 address; give the path of a scene")
    if not is_utf8(path) or any(unicodedata.category(c) == "Cc" for c in str(path)):
        raise UserError(f"{shown}: its path is not UTF-8, or holds control characters; rename it")
    try:
        path.stat()
    except FileNotFoundError:
        raise UserError(f"{shown}: no such file or folder") from None
    except OSError as error:
        raise UserError(f"{shown}: cannot be opened ({error.strerror})") from None
    if not path.is_dir() and not path.is_file():
        raise UserError(f"{shown}: is no file; give the path of a scene")


def item_given(content: object, base: str, shown: str, name: str) -> Given:
    """Return a STAC item of others as it may be read; `UserError`, naming `shown`, when it is none.

    An item without id has that of its file, `name`. Whatever it says in this program's own words is dropped, but for
    the window of Sentinel Hub in an item on disk, which is checked word by word where it is asked for.
    """
    if not isinstance(content, dict) or not isinstance(content.get("assets"), dict):
        raise UserError(f"{shown}: is no STAC item (it has no assets); give an item, a folder or a GeoTIFF")
    named = {**content, "id": content.get("id") or name, "properties": content.get("properties") or {}}
    found = offered(named, base)
    if isinstance(found, Unusable):
        raise UserError(f"{shown}: {found.reason}")
    item: Item = {**found.item, "id": safe_id(found.item["id"])}
    process = content["assets"].get("process")
    if isinstance(process, dict) and SENTINEL_HUB in process and not is_remote(base):
        item["assets"]["process"] = {**item["assets"]["process"], SENTINEL_HUB: process[SENTINEL_HUB]}
    properties = content.get("properties")
    dropped = isinstance(properties, dict) and "crossres:mosaic" in properties
    return Given(
        _with_sensor(item), base,
        assumed=("the other parts of its tile were not read",) if dropped else (),
    )  # fmt: skip


def _with_sensor(item: Item) -> Item:
    """Return an item that names no sensor but calls its bands as ESA does with Sentinel-2 as what is assumed."""
    if any(item["properties"].get(key) for key in ("platform", "constellation", "instruments")):
        return item
    esa = any(is_band(key, band) and key.upper().startswith("B") for key in item["assets"] for band in BAND_IDS)
    return {**item, "properties": {**item["properties"], ASSUMED_SENSOR: "sentinel-2"}} if esa else item


def _remote(href: str, bands: Sequence[str], transfer: Transfer) -> Given:
    name_host(href)  # typed by a person
    href = resolved(href, href, "scene")
    file = PurePosixPath(urlsplit(href).path)
    if file.name.lower().endswith(SUFFIXES):
        return image_given(AssetFile(href, transfer), href, file.stem, bands)
    if file.name.lower().endswith((".zip", ".safe", ".xml", *ARCHIVES)):
        raise UserError(f"{without_signature(href)}: is read from disk; fetch it first, or give a STAC item of it")
    from crossres.acquire.stac.static_catalog import read_remote  # what speaks to servers takes time to load

    content, shown = read_remote(href)
    return item_given(content, href, shown, file.stem or "scene")


def _folder(path: Path, bands: tuple[str, ...], gsd_m: float, scratch: Path, transfer: Transfer) -> Given:
    product = product_around(path)
    if product is not None:
        tree = Tree(product, scratch)
        found = safe_given(tree, bands, gsd_m, f"{path.resolve().relative_to(product).as_posix()}/")
        if found is not None:
            return found
    item = path / "item.json"
    if item.is_file() and isinstance(content := read_json(item), dict) and "assets" in content:
        return item_given(content, str(item), printable(item), path.name)
    return _tree(Tree(path, scratch), bands, gsd_m, transfer)


def _tree(tree: Tree, bands: tuple[str, ...], gsd_m: float, transfer: Transfer) -> Given:
    found = safe_given(tree, bands, gsd_m)
    if found is not None:
        return found
    if tree.path.is_dir() and find_packages(tree.path):
        return _package(tree.path)
    images = tree.images
    if not images:
        inner = next((name for name in tree.names if name.lower().endswith((".zip", ".vrt"))), None)
        packed = "a VRT: write it as an image of its own with `rio convert`" if inner and inner[-1] in "tT" else ""
        hint = f"; {printable(inner)} is {packed or 'another archive: unpack it and name it'}" if inner else ""
        raise UserError(
            f"{tree.shown}: holds no image that is known (GeoTIFF, JPEG 2000), and no metadata of a SAFE{hint}"
        )
    if len(images) == 1 and len(bands) > 1:
        path, shown = str(tree.file(images[0])), tree.called(images[0])
        return image_given(AssetFile(path, transfer, shown), path, PurePosixPath(images[0]).stem, bands)
    return folder_given(tree, bands, gsd_m)


def _package(path: Path) -> Given:
    found = find_packages(path) if path.is_dir() else {path: path.name}
    if len(found) > 1:
        both = " and ".join(sorted(printable(name) for name in found.values())[:2])
        raise UserError(f"{printable(path)}: holds {len(found)} Gaofen-2 packages, such as {both}; name one")
    [package] = found
    folder = package.parent
    return Given(gaofen2_item(read_package(package), folder), str(folder / "item.json"))
