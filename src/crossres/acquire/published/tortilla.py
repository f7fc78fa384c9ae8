"""TACO and tortilla files: many files in one, with a table of them at its end.

A header of 18 bytes: `#y` or `WX`, then offset and length of the table, unsigned, the low byte first. The table is
Parquet with a row for each file. A row may itself be such a file; its offsets count from its own first byte.
"""

import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from crossres.errors import UserError

STARTS = (b"#y", b"WX")
HEADER_BYTES = 18
LARGEST_TABLE_BYTES = 1 << 30


def read_table(path: Path, start: int = 0) -> list[dict[str, Any]]:
    """Return the rows of the table of the file that begins at byte `start`, `tortilla:offset` as in the whole file.

    Raises `UserError` for another format, and for a table or a row that would lie outside of the file.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(start)
        head = file.read(HEADER_BYTES)
        if head[:2] not in STARTS or len(head) < HEADER_BYTES:
            raise UserError(f"{path}: is no TACO or tortilla file; download it again")
        offset, length = (int.from_bytes(head[at : at + 8], "little") for at in (2, 10))
        if start + offset + length > size or length > LARGEST_TABLE_BYTES:
            raise UserError(f"{path}: its table lies outside of it: it was cut off; download it again")
        file.seek(start + offset)
        content = file.read(length)
    try:
        found = pq.read_table(pa.BufferReader(content)).to_pylist()
        rows = [{**row, "tortilla:offset": start + int(row["tortilla:offset"])} for row in found]
        outside = [row for row in rows if row["tortilla:offset"] + int(row["tortilla:length"]) > size]
    except (pa.ArrowException, KeyError, TypeError, ValueError, OSError) as error:
        raise UserError(f"{path}: its table cannot be read ({type(error).__name__}); download it again") from None
    if outside:
        raise UserError(
            f"{path}: {outside[0].get('tortilla:id')} lies outside of it: it was cut off; download it again"
        )
    return rows


def read_bytes(path: Path, offset: int, length: int) -> bytes:
    """Return a part of a file."""
    with path.open("rb") as file:
        file.seek(offset, os.SEEK_SET)
        return file.read(length)
