"""The CSV files of published sets."""

import csv
from pathlib import Path

from crossres.errors import UserError
from crossres.files import read_text


def rows(path: Path, *wanted: str) -> list[dict[str, str]]:
    """Return the rows of a CSV file, separated by commas or tabs, by column; `UserError` without a wanted column."""
    text = read_text(path)
    head = text.partition("\n")[0]
    read = csv.DictReader(text.splitlines(), delimiter="\t" if "\t" in head else ",")
    missing = [name for name in wanted if name not in (read.fieldnames or ())]
    if missing:
        raise UserError(f"{path}: has no column {missing[0]!r}; it is not the file that the set is published with")
    return [{str(key): value or "" for key, value in row.items()} for row in read]


def inside(folder: Path, name: str) -> Path:
    """Return the path that a table names within its set; `UserError` for one that leads out of it."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"{folder}: its table names {name[:80]!r}, which is outside of it; correct the table")
    return path
