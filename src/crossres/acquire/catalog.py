"""Static catalogues of what a user has: a folder of GeoTIFFs, an archive of Gaofen-2 packages."""

import logging
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from crossres.acquire.declined import Declined, write_declined
from crossres.acquire.folder_item import folder_item
from crossres.acquire.gaofen2.item import gaofen2_item
from crossres.acquire.gaofen2.package import find_packages, read_package
from crossres.acquire.stac.items import safe_id
from crossres.errors import UserError
from crossres.files import whole
from crossres.foreign_raster import printable
from crossres.imagery.items import Item, write_catalog
from crossres.settings.search import FolderSource

log = logging.getLogger(__name__)


def catalog_folder(source: FolderSource, folder: Path, output: Path) -> None:
    """Write a static catalogue (`catalog.json`, `items/`) of the GeoTIFFs of a folder that match `source.pattern`.

    A file that is another's mask is no image of its own. Files that cannot be used stand in `declined.csv` with the
    reason. Raises `UserError` when none matches or can be used, and when two names make the same id.
    """
    folder = _existing(folder)
    found = sorted(p for p in folder.glob(source.pattern) if p.is_file() and not p.name.startswith("._"))
    masks = {os.path.normpath(mask) for path in found if (mask := source.sensor.mask_file(path)) is not None}
    paths = [path for path in found if os.path.normpath(path) not in masks]
    if not paths:
        what = "but masks matches" if found else "matches"
        raise UserError(f"{folder}: no file {what} {source.pattern!r}; check path and pattern of the source")
    items: dict[str, Item] = {}
    declined: list[Declined] = []
    for path, name in zip(paths, _ids(paths, folder), strict=True):
        try:
            item = folder_item(path, source.sensor, output / "items", name)
        except UserError as error:
            log.warning("declined: %s", error)
            declined.append(Declined(printable(path.name), source.sensor.name, str(error)))
            continue
        if item["id"] in items:
            raise UserError(f"{path}: another file of this source makes the same id {item['id']!r}; rename one of them")
        items[item["id"]] = item
    if not items:
        raise UserError(declined[0].reason)
    with whole(output) as part:
        part.mkdir()
        write_catalog(part, source.sensor.name, list(items.values()))
        if declined:
            write_declined(part / "declined.csv", declined)


def catalog_gaofen2(folder: Path, output: Path) -> None:
    """Write a static catalogue of the Gaofen-2 L1A packages found anywhere below a folder.

    Packages that cannot be used stand in `declined.csv` with the reason. Raises `UserError` when none can be used.
    """
    folder = _existing(folder)
    items: dict[str, Item] = {}
    declined: list[Declined] = []
    # Unpacked packages first: they are the faster of two copies.
    found = sorted(find_packages(folder).items(), key=lambda entry: (not entry[0].is_dir(), entry[0]))
    for path, name in found:
        try:
            item = gaofen2_item(read_package(path), output / "items")
        except UserError as error:
            log.warning("declined: %s", error)
            declined.append(Declined(name, "hr", str(error)))
            continue
        if item["id"] in items:
            declined.append(Declined(item["id"], "hr", f"{path.name}: another copy of the same package is used"))
            continue
        items[item["id"]] = item
    if not items:
        why = f"; the first of {len(declined)} declined: {declined[0].reason}" if declined else ""
        raise UserError(f"{folder}: no usable Gaofen-2 package (GF2_PMS*.tar.gz or its unpacked files){why}")
    with whole(output) as part:
        part.mkdir()
        write_catalog(part, "gaofen-2", list(items.values()))
        write_declined(part / "declined.csv", declined)


def _ids(paths: Sequence[Path], folder: Path) -> list[str]:
    """Return the id of each file: its name, and before it, of files of one name, the folders that they lie in."""
    names = Counter(safe_id(path.stem) for path in paths)
    return [
        name
        if names[name := safe_id(path.stem)] == 1
        else safe_id("_".join(path.relative_to(folder).with_suffix("").parts))
        for path in paths
    ]


def _existing(folder: Path) -> Path:
    if not Path(folder).is_dir():
        raise UserError(f"{folder}: no such folder; check the path of the source")
    return Path(folder)
