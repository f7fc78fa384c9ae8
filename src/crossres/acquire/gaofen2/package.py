"""Gaofen-2 L1A packages as they are delivered: a tar.gz, or the folder that comes out of one."""

import logging
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rasterio.rpc import RPC

from crossres.acquire.foreign_xml import LARGEST_XML, decoded
from crossres.acquire.gaofen2.archive import is_utf8, named_errors, printable, read_members
from crossres.acquire.gaofen2.metadata import ImageMetadata, parse_metadata
from crossres.acquire.gaofen2.rpb import parse_rpb
from crossres.errors import UserError

log = logging.getLogger(__name__)

_PART = re.compile(
    r"(?P<scene>GF2_PMS(?P<number>[12])_[^\x00-\x1f/\\]{1,200})-(?P<kind>PAN|MSS)(?P=number)\.(?P<suffix>tiff?|xml|rpb)",
    re.I,
)
_ARCHIVE = re.compile(
    r"(?P<name>GF2_PMS[12]_[^\x00-\x1f/\\]{1,200}?)\.(tar|tgz|tbz2?|txz|zip|7z|rar|tar\.(gz|bz2|xz|zst))", re.I
)
_HIDDEN = "__MACOSX"
LARGEST_DEPTH = 40
"""Folders within folders that are searched."""


@dataclass(frozen=True)
class PackageImage:
    """The PAN or the MSS image of a package."""

    tiff: str
    """File name of the image, without a folder."""
    metadata: ImageMetadata
    rpc: RPC


@dataclass(frozen=True)
class Package:
    """A Gaofen-2 L1A package."""

    name: str
    path: Path
    """The archive, or the folder that the files themselves stand in."""
    pan: PackageImage
    mss: PackageImage


def find_packages(folder: Path) -> dict[Path, str]:
    """Return the name of every package below `folder` by its path (an archive, or the folder of an unpacked one).

    Links to folders are not followed; folders that cannot be read are said. Names are printable.
    """
    found: dict[Path, str] = {}

    def say(error: OSError) -> None:
        log.warning("%s: cannot be searched (%s)", printable(str(error.filename)), error.strerror)

    for root, folders, files in os.walk(folder, onerror=say):
        here = Path(root)
        folders[:] = sorted(name for name in folders if name != _HIDDEN)
        if folders and len(here.relative_to(folder).parts) >= LARGEST_DEPTH:
            log.warning("%s: folders below it are not searched (%d deep)", printable(root), LARGEST_DEPTH)
            folders.clear()
        for name in sorted(files):
            archive, part = _ARCHIVE.fullmatch(name), _PART.fullmatch(name)
            if archive:
                found[here / name] = printable(archive["name"])
            elif part:
                found.setdefault(here, printable(part["scene"]))
    return found


def read_package(path: Path) -> Package:
    """Read the metadata of a package without unpacking its images.

    A folder that holds the package's folder stands for it. Raises `UserError` when the archive is broken or unsafe,
    when the path is not UTF-8 (no item could name it), or when an image, its XML or its RPC is missing or empty.
    """
    shown = printable(path.name)
    if not is_utf8(str(path)):
        raise UserError(f"{printable(str(path))}: the name is not UTF-8; rename it")
    path = _inner(path)
    wanted = {(kind, suffix) for kind in ("PAN", "MSS") for suffix in ("xml", "rpb", "tiff")}
    seen: dict[tuple[str, str], str] = {}
    texts: dict[tuple[str, str], bytes] = {}
    scene = ""
    with named_errors(path):
        for name, content in _parts(path):
            part = _PART.fullmatch(name)
            assert part is not None
            if (scene := scene or part["scene"]) != part["scene"]:
                raise UserError(
                    f"{shown}: holds two scenes, {printable(scene)} and {printable(part['scene'])}; "
                    "keep each package in a folder of its own"
                )
            suffix = "tiff" if part["suffix"].lower().startswith("tif") else part["suffix"].lower()
            key = (part["kind"].upper(), suffix)
            if seen.setdefault(key, name) != name:
                raise UserError(f"{shown}: holds both {printable(seen[key])} and {printable(name)}; keep one of them")
            if suffix != "tiff":
                texts[key] = content.read(LARGEST_XML + 1)
            if seen.keys() >= wanted and not path.is_dir():  # what else an archive holds is not worth its unpacking
                break
    images = {kind: _image(shown, kind, seen, texts) for kind in ("PAN", "MSS")}
    return Package(scene, path, images["PAN"], images["MSS"])


def unpacked(package: Package, images: Iterable[PackageImage], scratch: Path) -> dict[str, Path]:
    """Return the path of each image's TIFF by file name; those of an archive are unpacked into `scratch`.

    Only these files are written, under names of our own: nothing an archive says can lead outside `scratch`.
    """
    names = {image.tiff for image in images}
    if package.path.is_dir():
        return {name: package.path / name for name in names}
    paths: dict[str, Path] = {}
    with named_errors(package.path):
        for name, content in _parts(package.path):
            if name in names and name not in paths:
                paths[name] = scratch / f"image{len(paths)}.tiff"
                with paths[name].open("wb") as file:
                    shutil.copyfileobj(content, file, 1 << 20)
            if len(paths) == len(names):
                return paths
    missing = printable(sorted(names - paths.keys())[0])
    raise UserError(f"{package.path.name}: {missing} is not in the archive any more; make the catalogue again")


def _image(
    package: str, kind: str, seen: dict[tuple[str, str], str], texts: dict[tuple[str, str], bytes]
) -> PackageImage:
    for suffix, what in (("xml", "metadata (.xml)"), ("rpb", "RPC (.rpb)"), ("tiff", "image (.tiff)")):
        if (kind, suffix) not in seen:
            raise UserError(f"{package}: the {kind} {what} is missing; order the package again")
    return PackageImage(
        tiff=seen[kind, "tiff"],
        metadata=parse_metadata(texts[kind, "xml"], printable(seen[kind, "xml"])),
        rpc=parse_rpb(decoded(texts[kind, "rpb"]), printable(seen[kind, "rpb"])),
    )


def _parts(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield (bare file name, content) of each file of a package in its own order; contents must be read at once."""
    if not path.is_dir():
        yield from read_members(path, _is_part)
        return
    for file in _files(path):
        with file.open("rb") as content:
            yield file.name, content


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if _is_part(p.name) and p.is_file())


def _inner(path: Path) -> Path:
    """Return the folder within a folder that the files of a package stand in; the path itself where it is none."""
    with named_errors(path):
        if not path.is_dir() or _files(path):
            return path
        folders = [p for p in sorted(path.iterdir()) if p.name != _HIDDEN and p.is_dir() and _files(p)]
    if len(folders) > 1:
        raise UserError(
            f"{printable(path.name)}: holds two packages, {printable(folders[0].name)} and "
            f"{printable(folders[1].name)}; name one of them"
        )
    return folders[0] if folders else path


def _is_part(name: str) -> bool:
    return _PART.fullmatch(name) is not None
