"""Whether a file is the one that its item describes: `file:size` and `file:checksum` of the STAC file extension."""

import hashlib
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from crossres.errors import UserError

log = logging.getLogger(__name__)

# Multihash: a code and a length before the digest, in hexadecimal.
_CODES = {"1114": "sha1", "1220": "sha256", "1340": "sha512", "d50110": "md5"}


def check_size(asset: Mapping[str, Any], size: int, name: str) -> None:
    """Raise `UserError` when a file has another size in bytes than its item says."""
    expected = asset.get("file:size")
    if isinstance(expected, int) and expected != size:
        raise UserError(f"{name}: has {size} bytes, its item says {expected} (file:size): truncated, or another file")


def check_checksum(asset: Mapping[str, Any], pieces: Iterable[bytes], name: str) -> None:
    """Raise `UserError` when a file, given piece by piece, does not have the checksum that its item says."""
    expected = str(asset["file:checksum"]).lower()
    code = next((code for code in _CODES if expected.startswith(code)), None)
    if code is None:
        log.warning("%s: its file:checksum is of a kind that is not known; not checked", name)
        return
    digest = hashlib.new(_CODES[code])
    for piece in pieces:
        digest.update(piece)
    if digest.hexdigest() != expected.removeprefix(code):
        raise UserError(f"{name}: has another checksum than its item says (file:checksum): damaged, or another file")
