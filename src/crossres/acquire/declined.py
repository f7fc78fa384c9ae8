"""What is left out and why: a table beside what is kept."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from crossres.files import whole


@dataclass(frozen=True, order=True)
class Declined:
    """One scene that is not used."""

    id: str
    role: str
    reason: str


def read_declined(path: Path) -> list[Declined]:
    """Read what `write_declined` wrote."""
    with path.open(encoding="utf-8", newline="") as file:
        return [Declined(**row) for row in csv.DictReader(file)]


def write_declined(path: Path, rows: Iterable[Declined]) -> None:
    """Write declined scenes as CSV (id, role, reason), sorted."""
    with whole(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("id", "role", "reason"))
        table.writerows((row.id, row.role, row.reason) for row in sorted(set(rows)))
