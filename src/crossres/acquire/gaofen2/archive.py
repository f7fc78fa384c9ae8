"""Files inside an archive of others (tar, tar.gz, zip), read forward within budgets; nothing is unpacked by its name.

The tar headers are read here and not by `tarfile`, which takes headers of any length into memory, keeps every member,
and recurses from one header of a long name to the next.
"""

import errno
import gzip
import io
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, cast

from crossres.errors import UserError

LARGEST_MEMBER = 8 << 30
"""Bytes of any file of an archive; a real PAN image has 1.6 billion."""
LARGEST_ARCHIVE = 32 << 30
"""Bytes of all files of an archive before the last one that is needed."""
LARGEST_RATIO = 100
"""How many times its own size an archive unpacks to; images pack to a half or a third."""
SMALL_ARCHIVE = 256 << 20
"""Bytes that any archive may unpack to."""
LARGEST_HEADERS = 1 << 20
"""Bytes of all that an archive says of its files: names, times, attributes. A package has ten files."""
LARGEST_DIRECTORY = 4 << 20
"""Bytes read at once from a zip, whose list of files is read whole."""
_BROKEN = (
    tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, ValueError, NotImplementedError
)  # fmt: skip
_BLOCK = 512
_OF_NEXT = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_EXTENDED = (*_OF_NEXT, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
_NOT_READ = {
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"7z\xbc\xaf": "7-Zip",
    b"Rar!": "RAR",
}


def printable(text: str) -> str:
    """Return a foreign name for a line: what cannot be printed, or is not UTF-8, is escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def is_utf8(name: str) -> bool:
    """Return whether a name of the file system can be written in JSON; Linux takes any bytes for a name."""
    return not any("\ud800" <= c <= "\udfff" for c in name)


def read_members(path: Path, is_wanted: Callable[[str], bool]) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield (bare file name, content) of the files of an archive that are wanted, in its order, to be read at once.

    Raises `UserError` when the archive is broken, of another kind, or unsafe: members that lead outside of it, links,
    devices, more than the budgets above. Errors of reading a content are as those of `named_errors`.
    """
    with named_errors(path):
        if not stat.S_ISREG(path.stat().st_mode):  # to open a pipe waits for who writes to it
            raise UserError(f"{printable(str(path))}: is not a file")
    with named_errors(path), path.open("rb") as file:
        start = file.read(_BLOCK)
        file.seek(0)
        for mark, kind in _NOT_READ.items():
            if start.startswith(mark):
                raise UserError(f"{printable(path.name)}: is packed by {kind}; unpack it: folders are read as well")
        budget = _Budget(path, file.seek(0, io.SEEK_END))
        file.seek(0)
        if start.startswith((b"PK\3\4", b"PK\5\6")):
            yield from _zip_members(path, budget, is_wanted)
        elif start.startswith(b"\x1f\x8b"):
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield from _tar_members(cast(IO[bytes], unpacked), budget, is_wanted)
        else:
            yield from _tar_members(file, budget, is_wanted)


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Name the archive in errors of reading it, its members' content too."""
    try:
        yield
    except (*_BROKEN, OSError) as error:
        code = error.errno if isinstance(error, OSError) else None
        if code in (errno.ENOSPC, errno.EDQUOT):  # of the disk that is unpacked to
            raise
        if code not in (None, errno.EINVAL):  # to go where no file is, as a zip may say, is an invalid argument
            raise UserError(f"{printable(str(path))}: cannot be opened ({os.strerror(code)})") from None
        why = printable(str(error))[:160]
        raise UserError(f"{printable(path.name)}: the archive is broken or cut off ({why}); copy it again") from None


@dataclass
class _Budget:
    path: Path
    packed: int
    """Bytes of the archive itself."""
    headers: int = 0
    unpacked: int = 0

    def refused(self, why: str) -> UserError:
        return UserError(f"{printable(self.path.name)}: unsafe archive, {why}; do not use it")

    def header(self, size: int) -> None:
        self.headers += size
        if size < 0 or self.headers > LARGEST_HEADERS:
            raise self.refused(f"it says more than {LARGEST_HEADERS >> 20} MiB of its files before they come")

    def content(self, name: str, size: int) -> None:
        self.unpacked += size
        most = min(LARGEST_ARCHIVE, max(SMALL_ARCHIVE, LARGEST_RATIO * self.packed))
        if size < 0 or size > LARGEST_MEMBER or self.unpacked > most:
            raise self.refused(f"it unpacks to {self.unpacked / 1e9:.1f} GB and more, which no package does")
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if ".." in parts or parts[:1] == ("/",) or PureWindowsPath(name).drive:
            raise self.refused(f"a member points outside of it ({_shown(name)})")


def _shown(name: str) -> str:
    return repr(name if len(name) <= 120 else f"{name[:60]}...{name[-57:]}")


def _bare(name: str, is_wanted: Callable[[str], bool]) -> str | None:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return parts[-1] if parts and "__MACOSX" not in parts and is_wanted(parts[-1]) else None


def _zip_members(path: Path, budget: _Budget, is_wanted: Callable[[str], bool]) -> Iterator[tuple[str, IO[bytes]]]:
    with _SmallReads(path) as file, zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            budget.header(_BLOCK)
            if stat.S_ISLNK(info.external_attr >> 16):
                raise budget.refused(f"a member is a link or a device ({_shown(info.filename)})")
            budget.content(info.filename, info.file_size)
            bare = None if info.is_dir() else _bare(info.filename, is_wanted)
            if bare is None:
                continue
            if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise UserError(
                    f"{printable(path.name)}: is encrypted or packed in a rare way; unpack it: folders are read as well"
                )
            with archive.open(info) as content:
                yield bare, content


class _SmallReads(io.FileIO):
    """A file for `zipfile`, which reads a list of files of any length at once."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > LARGEST_DIRECTORY:
            raise zipfile.BadZipFile(f"its list of files has {size >> 20} MiB")
        return super().read(LARGEST_DIRECTORY if size is None or size < 0 else size) or b""


def _tar_members(
    stream: IO[bytes], budget: _Budget, is_wanted: Callable[[str], bool]
) -> Iterator[tuple[str, IO[bytes]]]:
    name: bytes | None = None
    size: int | None = None
    at = 0
    if not stream.read(1):
        raise EOFError("empty file")
    stream.seek(0)
    while (block := stream.read(_BLOCK)) and block.strip(b"\0"):
        budget.header(_BLOCK)
        info = tarfile.TarInfo.frombuf(block, "latin-1", "strict")
        at += _BLOCK
        if info.type in _EXTENDED:
            budget.header(info.size)
            said = stream.read(info.size)
            if info.type == tarfile.GNUTYPE_LONGNAME:
                name = said.partition(b"\0")[0]
            elif info.type in _OF_NEXT:
                attributes = _attributes(said)
                if any(key.startswith(b"GNU.sparse") for key in attributes):
                    raise budget.refused("a member is a sparse file")
                name = attributes.get(b"path", name)
                size = int(attributes[b"size"]) if b"size" in attributes else size
            at = _skipped(stream, at, info.size)
            continue
        text = _decoded(info.name.encode("latin-1") if name is None else name)
        length = info.size if size is None or info.isdir() else size
        name = size = None
        if not (info.isdir() or info.type in tarfile.REGULAR_TYPES) or info.type == tarfile.GNUTYPE_SPARSE:
            raise budget.refused(f"a member is a link or a device ({_shown(text)})")
        budget.content(text, 0 if info.isdir() else length)
        if info.isdir():
            continue
        bare = _bare(text, is_wanted)
        if bare is not None:
            yield bare, io.BufferedReader(_Part(stream, length))
        at = _skipped(stream, at, length)


def _skipped(stream: IO[bytes], at: int, size: int) -> int:
    """Go to the header after a content of `size` bytes at `at`, and return where that is."""
    end = at + -(-size // _BLOCK) * _BLOCK
    if end > stream.tell():
        stream.seek(end - 1)
        if not stream.read(1):
            raise EOFError("unexpected end of data")
    return end


class _Part(io.RawIOBase):
    """The next `size` bytes of a stream."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        super().__init__()
        self.stream, self.left = stream, size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        data = self.stream.read(min(len(buffer), self.left))
        if not data and self.left:
            raise EOFError("unexpected end of data")
        buffer[: len(data)] = data
        self.left -= len(data)
        return len(data)


def _attributes(said: bytes) -> dict[bytes, bytes]:
    """Return the records of a pax header, each `length key=value` and a line end; tarfile's reading is quadratic."""
    found, at = {}, 0
    while at < len(said):
        space = said.find(b" ", at, at + 9)
        length = int(said[at:space]) if space > at and said[at:space].isdigit() else 0
        if length <= space - at + 1 or at + length > len(said):
            raise tarfile.HeaderError("bad attributes")
        key, _, value = said[space + 1 : at + length - 1].partition(b"=")
        found[key] = value
        at += length
    return found


def _decoded(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("gb18030", errors="replace")
