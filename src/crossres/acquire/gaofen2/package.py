"""Gaofen-2 L1A packages as they are delivered: a tar.gz, or the folder that comes out of one."""

import re
import shutil
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from rasterio.rpc import RPC

from crossres.acquire.gaofen2.metadata import ImageMetadata, parse_metadata
from crossres.acquire.gaofen2.rpb import parse_rpb
from crossres.errors import UserError

_PART = re.compile(
    r"^(?P<scene>GF2_PMS(?P<number>[12])_.+)-(?P<kind>PAN|MSS)(?P=number)\.(?P<suffix>tiff?|xml|rpb)$", re.I
)
_ARCHIVE = re.compile(r"^(?P<name>GF2_PMS[12]_.+?)\.(tar\.gz|tgz|tar)$", re.I)
LARGEST_TEXT = 4 << 20
"""Bytes of an XML or RPB file; real ones have 4 thousand."""
LARGEST_MEMBER = 8 << 30
"""Bytes of any file of an archive; a real PAN image has 1.6 billion."""
LARGEST_ARCHIVE = 32 << 30
"""Bytes of all files of an archive before the last one that is needed."""


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
    pan: PackageImage
    mss: PackageImage


def find_packages(folder: Path) -> dict[Path, str]:
    """Return the name of every package below `folder` by its path (an archive, or the folder of an unpacked one)."""
    found: dict[Path, str] = {}
    for path in sorted(p for p in Path(folder).rglob("*") if p.is_file()):
        archive = _ARCHIVE.match(path.name)
        part = _PART.match(path.name)
        if archive:
            found[path] = archive["name"]
        elif part:
            found[path.parent] = part["scene"]
    return found


def read_package(path: Path) -> Package:
    """Read the metadata of a package without unpacking its images.

    Raises `UserError` when the archive is broken or unsafe, or when an image, its XML or its RPC is missing or empty.
    """
    wanted = {(kind, suffix) for kind in ("PAN", "MSS") for suffix in ("xml", "rpb", "tiff")}
    seen: dict[tuple[str, str], str] = {}
    texts: dict[tuple[str, str], bytes] = {}
    scene = path.name
    with _named_errors(path):
        for name, stream in _members(path):
            part = _PART.match(name)
            if part is None:
                continue
            scene = part["scene"]
            suffix = "tiff" if part["suffix"].lower().startswith("tif") else part["suffix"].lower()
            key = (part["kind"].upper(), suffix)
            if seen.setdefault(key, name) != name:
                raise UserError(f"{path.name}: holds more than one scene; keep each package in a folder of its own")
            if suffix != "tiff":
                texts[key] = stream.read(LARGEST_TEXT + 1)
                if len(texts[key]) > LARGEST_TEXT:
                    raise UserError(
                        f"{name}: is larger than {LARGEST_TEXT >> 20} MiB, which no metadata are; do not use it"
                    )
            if seen.keys() >= wanted:
                break
    images = {kind: _image(path.name, kind, seen, texts) for kind in ("PAN", "MSS")}
    return Package(scene, path, images["PAN"], images["MSS"])


def unpacked(package: Package, images: Iterable[PackageImage], scratch: Path) -> dict[str, Path]:
    """Return the path of each image's TIFF by file name; those of an archive are unpacked into `scratch`.

    Only these files are written, under their bare names: nothing an archive says can lead outside `scratch`.
    """
    names = {image.tiff for image in images}
    if package.path.is_dir():
        return {name: package.path / name for name in names}
    paths: dict[str, Path] = {}
    with _named_errors(package.path):
        for name, stream in _members(package.path):
            if name in names:
                paths[name] = scratch / name
                with paths[name].open("wb") as file:
                    shutil.copyfileobj(stream, file, 1 << 20)
            if len(paths) == len(names):
                return paths
    missing = sorted(names - paths.keys())
    raise UserError(f"{package.path.name}: {missing[0]} is not in the archive any more; make the catalogue again")


def _image(
    package: str, kind: str, seen: dict[tuple[str, str], str], texts: dict[tuple[str, str], bytes]
) -> PackageImage:
    for suffix, what in (("xml", "metadata (.xml)"), ("rpb", "RPC (.rpb)"), ("tiff", "image (.tiff)")):
        if (kind, suffix) not in seen:
            raise UserError(f"{package}: the {kind} {what} is missing; order the package again")
    rpb = texts[kind, "rpb"].decode("utf-8", errors="replace")
    return PackageImage(
        tiff=seen[kind, "tiff"],
        metadata=parse_metadata(texts[kind, "xml"], seen[kind, "xml"]),
        rpc=parse_rpb(rpb, seen[kind, "rpb"]),
    )


def _members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield (bare file name, stream) of each file of a package in its own order; streams must be read at once."""
    if path.is_dir():
        for file in sorted(p for p in path.iterdir() if p.is_file()):
            with file.open("rb") as content:
                yield file.name, content
        return
    # "r|*" reads forward only: neither memory nor disk depends on the size of the archive.
    total = 0
    with tarfile.open(path, "r|*") as archive:
        for member in archive:
            _refuse_unsafe(path, member)
            total += member.size
            if member.size > LARGEST_MEMBER or total > LARGEST_ARCHIVE:
                raise UserError(
                    f"{path.name}: unsafe archive, it unpacks to {total / 1e9:.0f} GB and more, which no package does; "
                    "do not use it"
                )
            stream = archive.extractfile(member) if member.isreg() else None
            if stream is not None:
                yield PurePosixPath(member.name).name, stream


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    """Name the package in errors of reading it, whether they come from its members or from a member's content."""
    try:
        yield
    except (FileNotFoundError, PermissionError) as error:
        raise UserError(f"{path}: cannot be opened ({error.strerror})") from None
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise UserError(f"{path.name}: the archive is broken or cut off ({error}); copy it again") from None


def _refuse_unsafe(path: Path, member: tarfile.TarInfo) -> None:
    name = PurePosixPath(member.name.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts or re.match(r"^[A-Za-z]:", member.name):
        raise UserError(f"{path.name}: unsafe archive, a member points outside of it ({member.name!r}); do not use it")
    if not (member.isreg() or member.isdir()):
        raise UserError(f"{path.name}: unsafe archive, a member is a link or a device ({member.name!r}); do not use it")
