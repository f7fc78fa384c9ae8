"""Outputs that appear whole or not at all, with the same bytes for the same content; texts of a person's own files."""

import codecs
import errno
import json
import math
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from crossres.errors import UserError
from crossres.layout import RUN_PARTS
from crossres.unfinished import clear_leftovers, is_inside_another, replaced, unfinished

DISK_ERRORS = {
    errno.ENOSPC: "make room on this disk",
    errno.EDQUOT: "make room on this disk, or ask for more",
    errno.EROFS: "make this disk writable",
    errno.EACCES: "ask for permission to this file or its folder",
    errno.EPERM: "ask for permission to this file or its folder",
    errno.EIO: "see to this disk, which failed",
    errno.ENOTDIR: "name a place in a folder",
    errno.EEXIST: "name a place in a folder",
    errno.EISDIR: "name a file",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "name a place without links in a circle",
}
"""What a person can do about errors of the disk, which no stage can."""
NO_ROOM_BYTES = 2**20

_claims: dict[Path, Callable[[], None]] = {}


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write a file or a directory to; put it in place if no error was raised.

    All of it is on the disk before it has its name. A folder that stands there is renamed aside, and removed only when
    the new one stands: a crash leaves one of them whole, and the next call puts an old one back where there is none.
    The temporary name keeps the suffix, since raster drivers choose the format by it. What killed processes left in
    the same folder is removed: those of this machine at once, those of others after a day. `UserError` when the disk is
    full, read-only or broken.
    """
    path = Path(path)
    try:
        with _beside(path) as part:
            try:
                yield part
            except Exception as error:
                # Libraries say in words of their own, or in none, that there is no room.
                if not isinstance(error, UserError) and shutil.disk_usage(path.parent).free < NO_ROOM_BYTES:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
                raise
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        what_to_do = DISK_ERRORS[error.errno]
        raise UserError(f"{error.filename or path}: {error.strerror}: {what_to_do}, then run again") from error


def claim(path: Path, check: Callable[[], None]) -> None:
    """Have `whole(path)` call `check` before it replaces what stands there by then; it raises where that may not be."""
    _claims[Path(path)] = check


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    clear_leftovers(path.parent)
    with unfinished(path) as part:
        yield part
        # What is written inside of another output gets its name, and its place on the disk, with that one.
        inner = is_inside_another(part)
        if not inner:
            _to_disk(part)
        _put_in_place(part, path)
        if not inner:
            _sync(path.parent)


def _put_in_place(part: Path, path: Path) -> None:
    if os.path.lexists(path) and path in _claims:
        _claims[path]()
    if path.is_symlink() or not path.is_dir():
        part.replace(path)
    elif part.is_dir():
        with replaced(path):
            part.rename(path)
    else:
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))


def _to_disk(part: Path) -> None:
    """Wait until a file, or all of a folder, is on the disk."""
    if part.is_file():
        _sync(part)
    for folder, _, names in os.walk(part, topdown=False):
        for name in names:
            file = Path(folder, name)
            if stat.S_ISREG(file.lstat().st_mode):
                _sync(file)
        _sync(Path(folder))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network disks know no such thing for folders.
        if error.errno not in {errno.EINVAL, errno.ENOTSUP, errno.EBADF}:
            raise
    finally:
        os.close(handle)


def write_json(path: Path, content: Any) -> None:
    """Write `content` as JSON: sorted keys, two spaces, a final newline; NaN becomes null."""
    with whole(path) as part:
        part.write_text(json_text(content), encoding="utf-8")


def json_text(content: Any) -> str:
    """Return `content` as the JSON text that `write_json` writes."""
    return json.dumps(_plain(content), indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"


def read_text(path: Path) -> str:
    """Read a text in UTF-8, or in UTF-16 with a byte order mark; `UserError` for a file that is missing or neither."""
    path = Path(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except OSError as error:
        # Of these the name is wrong, not the file.
        wrong = {errno.EISDIR: "is a folder; name a file", errno.ENOTDIR: "no such file: what it should lie in is one"}
        raise UserError(f"{path}: {wrong.get(error.errno or 0, error.strerror)}") from None
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        said = f"byte {error.start} is no {'UTF-16' if wide else 'UTF-8'}"
        raise UserError(f"{path}: not a text in UTF-8 ({said}); {remedy(path, 'save it as UTF-8')}") from None


def read_json(path: Path) -> Any:
    """Read a JSON file as `read_text` does; `UserError` that names it when it is missing, broken or ambiguous."""
    text = read_text(path)
    try:
        return parse_json(text)
    except ValueError as error:
        why = " ".join(str(error).split())
        raise UserError(f"{path}: not valid JSON ({why}); {remedy(path, 'mend it, or get it again')}") from None


def own_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file that is to the byte as `write_json` writes it; an empty one for any other."""
    try:
        text = read_text(path)
        content = parse_json(text)
        return content if isinstance(content, dict) and json_text(content) == text else {}
    except (UserError, ValueError):
        return {}


def parse_json(text: str) -> Any:
    """Return what a JSON text holds; `ValueError` for one that is broken, holds a key twice or what is no number."""
    try:
        return json.loads(text, object_pairs_hook=_without_doubles, parse_constant=_no_number, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice[:80]!r} stands twice in one object")
    return content


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text:.40} is too large")
    return value


def made_by_rule(path: Path) -> Path | None:
    """Return what to delete for Snakemake to make a file again: its folder, where a rule writes that as one.

    None for a file that no rule of a run made: nobody is told to delete it.
    """
    path = Path(path).absolute()
    for folder in path.parents:
        if (folder / ".snakemake_timestamp").exists():
            return folder
    for run in path.parents:
        if run.parent.name == "results" and (run / "logs").is_dir():
            return path if path.relative_to(run).parts[0] in RUN_PARTS else None
    return None


def remedy(path: Path, otherwise: str) -> str:
    """Return what to do about a broken file: `otherwise`, unless a rule made it and makes it again."""
    made = made_by_rule(path)
    if made is None:
        return otherwise
    with suppress(ValueError):
        made = made.relative_to(Path.cwd())
    return f"delete {made} and run again"


def _plain(value: Any) -> Any:
    """Reduce numpy scalars and arrays, paths and tuples to what JSON knows; NaN and infinities to null."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, Path):
        return value.as_posix()
    return value
