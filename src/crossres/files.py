"""Outputs that appear whole or not at all, with the same bytes for the same content."""

import errno
import glob
import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from crossres.errors import UserError

DISK_ERRORS = {
    errno.ENOSPC: "make room on this disk",
    errno.EDQUOT: "make room on this disk, or ask for more",
    errno.EROFS: "make this disk writable",
    errno.EACCES: "ask for permission to this file or its folder",
    errno.EPERM: "ask for permission to this file or its folder",
    errno.EIO: "see to this disk, which failed",
}
"""What a person can do about errors of the disk, which no stage can."""
NO_ROOM_BYTES = 2**20


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write a file or a directory to; rename it into place if no error was raised.

    The temporary name keeps the suffix, since raster drivers choose the format by it. What a process that was killed
    on this machine left in the same folder is removed. `UserError` when the disk is full, read-only or broken.
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


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = f".part-{socket.gethostname()}-"
    for left in path.parent.glob(f"{glob.escape(beside)}*"):
        if not _is_alive(left.name.removeprefix(beside).partition("-")[0]):
            _remove(left)
    part = path.with_name(f"{beside}{os.getpid()}-{path.name}")
    _remove(part)
    try:
        yield part
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        part.replace(path)
    finally:
        for left in path.parent.glob(f"{glob.escape(part.name)}*"):  # with what stands beside it under a longer name
            _remove(left)


def _is_alive(pid: str) -> bool:
    return not pid.isdigit() or psutil.pid_exists(int(pid))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Write `content` as JSON: sorted keys, two spaces, a final newline; NaN becomes null."""
    with whole(path) as part:
        part.write_text(json_text(content), encoding="utf-8")


def json_text(content: Any) -> str:
    """Return `content` as the JSON text that `write_json` writes."""
    return json.dumps(_plain(content), indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"


def read_json(path: Path) -> Any:
    """Read a JSON file; a missing or broken one is a `UserError` that names it."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid JSON ({error}); delete {to_delete(path)} and run again") from None


def to_delete(path: Path) -> Path:
    """Return what to delete for Snakemake to make a damaged file again: its folder, where a rule writes that as one."""
    return next((folder for folder in Path(path).parents if (folder / ".snakemake_timestamp").exists()), Path(path))


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
