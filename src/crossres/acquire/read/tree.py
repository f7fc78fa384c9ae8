"""A folder of files, or the zip of one: what is in it, and its files by their names."""

import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile, ZipInfo

from crossres.errors import UserError
from crossres.foreign_raster import printable

SUFFIXES = (".tif", ".tiff", ".jp2", ".j2k")
"""What names of images end with."""
LARGEST_COUNT = 100_000
"""Names in a folder or a zip; a product has some hundreds."""
LARGEST_TEXT = 4 << 20
"""Bytes of a metadata file."""
LARGEST_MEMBER = 4 << 30
"""Bytes of an image in a zip; a band of a whole tile has 0.2 billion."""
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
"""How members of a zip may be packed."""
LARGEST_RATIO = 500
"""Bytes of an image to its bytes in the zip: nothing but zeros has 1,000, images are compressed already."""
SMALL_MEMBER = 64 << 20
DAMAGE = (
    BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, ValueError, RuntimeError, OverflowError, MemoryError
)  # fmt: skip
"""What a damaged zip raises."""


class Tree:
    """Files by name, `/` between folders; what macOS and others leave beside them (`._x`, `__MACOSX`) is not there."""

    def __init__(self, path: Path, scratch: Path) -> None:
        """List a folder, or a zip whose members are unpacked into `scratch` when they are asked for.

        Raises `UserError` for what is neither, a damaged zip, and one with more names than any product.
        """
        self.path, self._scratch = path, scratch
        self.shown = printable(path)
        self._zipped = None if path.is_dir() else self._zip_members()

    @cached_property
    def names(self) -> list[str]:
        """All names, sorted."""
        found = list(self._zipped) if self._zipped is not None else list(self._walked())
        return sorted(name for name in found if _is_visible(name))

    @cached_property
    def images(self) -> list[str]:
        """The names of all images."""
        return [name for name in self.names if name.lower().endswith(SUFFIXES)]

    def called(self, name: str) -> str:
        """Return how one of its files is called in a line for people."""
        return printable(self.path / name) if self._zipped is None else f"{self.shown}: {printable(name)}"

    def read(self, name: str) -> bytes:
        """Return a small file; `UserError` when it is larger than metadata are, or damaged."""
        path = self.path / name
        if self._zipped is None and not path.is_file():
            raise UserError(f"{self.called(name)}: is no file; get it again")
        size = path.stat().st_size if self._zipped is None else self._zipped[name].file_size
        if size > LARGEST_TEXT:
            raise UserError(f"{self.called(name)}: is larger than {LARGEST_TEXT >> 20} MiB, which no metadata are")
        if self._zipped is None:
            try:
                return path.read_bytes()
            except OSError as error:
                raise UserError(f"{self.called(name)}: cannot be read ({error.strerror})") from None
        with _Opened(self.path, self.shown) as archive:
            return archive.read(self._zipped[name])

    def file(self, name: str) -> Path:
        """Return the path of a file, unpacked when it stands in a zip."""
        if self._zipped is None:
            return self.path / name
        member = self._zipped[name]
        if member.file_size > min(LARGEST_MEMBER, max(SMALL_MEMBER, LARGEST_RATIO * member.compress_size)):
            raise UserError(f"{self.called(name)}: unpacks to {member.file_size / 1e9:.1f} GB; it is not read")
        # Of a name of others only the end is used, behind a number that keeps names apart.
        target = self._scratch / f"{self.names.index(name)}{PurePosixPath(name).suffix[:6]}"
        if not target.exists():
            with _Opened(self.path, self.shown) as archive, archive.open(member) as source, target.open("wb") as out:
                while piece := source.read(1 << 20):
                    out.write(piece)
        return target

    def _walked(self) -> Iterator[str]:
        count = 0
        for folder, folders, files in os.walk(self.path):
            folders[:] = sorted(name for name in folders if _is_visible(name))
            count += len(files)
            if count > LARGEST_COUNT:
                raise UserError(f"{self.shown}: holds more than {LARGEST_COUNT} files; name the folder of one scene")
            inner = Path(folder).relative_to(self.path).as_posix()
            yield from (name if inner == "." else f"{inner}/{name}" for name in files)

    def _zip_members(self) -> dict[str, ZipInfo]:
        """Return the members of a zip by names as a folder has them; some begin with `/`, or have backslashes."""
        with _Opened(self.path, self.shown) as archive:
            members = [m for m in archive.infolist() if not m.filename.endswith(("/", "\\"))]
        if len(members) > LARGEST_COUNT:
            raise UserError(f"{self.shown}: holds more than {LARGEST_COUNT} files; it is not read")
        locked = next((m.filename for m in members if m.flag_bits & 1 or m.compress_type not in PACKED), None)
        if locked is not None:
            raise UserError(f"{self.shown}: {printable(locked)} is encrypted or packed in a rare way; unpack it first")
        found: dict[str, ZipInfo] = {}
        for member in members:
            parts = member.filename.replace("\\", "/").split("/")
            name = "/".join(part for part in parts if part not in {"", ".", ".."})
            other = found.setdefault(name, member)
            if (other.CRC, other.file_size) != (member.CRC, member.file_size):
                raise UserError(f"{self.shown}: holds {printable(name)} twice, and not the same; unpack it first")
        return found


class _Opened:
    """An open zip whose faults are one line."""

    def __init__(self, path: Path, shown: str) -> None:
        self._path, self._shown = path, shown

    def __enter__(self) -> ZipFile:
        try:
            self._zip = ZipFile(self._path)
        except FileNotFoundError:
            raise UserError(f"{self._shown}: no such file") from None
        except OSError as error:
            raise UserError(f"{self._shown}: cannot be opened ({error.strerror})") from None
        except DAMAGE:
            raise UserError(f"{self._shown}: a damaged zip; get it again") from None
        return self._zip

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._zip.close()
        # Of bzip2 it is an OSError that the system knows nothing of.
        if isinstance(error, DAMAGE) or (isinstance(error, OSError) and error.errno is None):
            raise UserError(f"{self._shown}: a damaged zip; get it again") from None


def _is_visible(name: str) -> bool:
    parts = name.split("/")
    return "__MACOSX" not in parts and not any(part.startswith("._") or part == ".DS_Store" for part in parts)
