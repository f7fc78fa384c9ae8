"""Checksums of files and folders, and what a scene is held to when a lock file knows them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from crossres.errors import UserError

SHA256 = "1220"
"""Prefix that makes a SHA-256 digest the multihash of STAC's `file:checksum`."""
CHUNK = 1 << 20
REMEDY = "bring back what the run was made of, or make a new lock file with `crossres lock`"


@dataclass(frozen=True)
class Checksums:
    """What a lock file says of one scene."""

    name: str
    """Of the lock file, for messages."""
    assets: Mapping[str, str]
    """Multihash of each local file or folder that the scene is read from, by its path."""
    files: Mapping[str, str] | None
    """Multihash of each file of the scene; None when the lock holds for other settings of `acquire` or `grid`."""

    def check_assets(self, scene: str) -> None:
        """Raise `UserError` when a file that a scene is read from is missing or has changed."""
        for path, locked in self.assets.items():
            if not Path(path).exists():
                raise UserError(f"scene {scene}: {path} is missing, but {self.name} names it; {REMEDY}")
            self._compare(f"scene {scene}: {path}", Path(path), locked)

    def check_files(self, scene: str, folder: Path) -> None:
        """Raise `UserError` when a scene as it was read differs from the locked one."""
        for name, locked in (self.files or {}).items():
            self._compare(f"scene {scene}: {name} as read now", folder / name, locked)

    def _compare(self, what: str, path: Path, locked: str) -> None:
        found = checksum(path)
        if found != locked:
            raise UserError(
                f"{what} is not what {self.name} holds (SHA-256 {found[4:16]}..., locked {locked[4:16]}...): "
                f"its source or the software has changed; {REMEDY}"
            )


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file as a multihash; of a folder, that of the names and contents of its visible files."""
    if path.is_dir():
        inside = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
        text = "".join(f"{p.relative_to(path).as_posix()} {checksum(p)}\n" for p in inside)
        return SHA256 + hashlib.sha256(text.encode()).hexdigest()
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return SHA256 + digest.hexdigest()
