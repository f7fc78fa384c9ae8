"""`align-page`: how well the pairs of a run lie on each other, as one page that a person opens."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crossres.errors import UserError
from crossres.evaluate.pictures.before_after import LABELS, before_after
from crossres.evaluate.pictures.embedding import photo, photo_of
from crossres.evaluate.report.html import render
from crossres.evaluate.report.pairs import Found, Radiometry, Registration, day_of, read_declined, reasons_in_short
from crossres.evaluate.report.stages import SHOWN_PX
from crossres.files import whole
from crossres.layout import RunFolder
from crossres.records import read_record

PICTURED = 24
"""Pairs with pictures; a page with more is slow to open."""
DECLINED_ROWS = 200


@dataclass(frozen=True)
class Aligned:
    """What is known of a pair once it is aligned."""

    found: Found
    lr_date: str
    hr_date: str
    registration: Registration
    radiometry: Radiometry

    @property
    def id(self) -> str:
        """Its name."""
        return self.found.id

    @property
    def moved(self) -> str:
        """How far HR was moved, in words."""
        if self.registration.accepted is False or self.registration.shift_m is None:
            return "not moved"
        east, north = (-metres for metres in self.registration.shift_m)
        across, along = "west" if east < 0 else "east", "south" if north < 0 else "north"
        return f"{abs(east):.1f} m {across}, {abs(north):.1f} m {along}"


@dataclass(frozen=True)
class Pictured:
    """The pictures of a pair, as data URIs."""

    pair: Aligned
    layers: dict[str, str]
    """By the names of `LABELS`; empty where nothing is clear."""
    width_m: float
    side_px: int
    registration: str
    radiometry: str


def align_page(run: RunFolder, output: Path) -> None:
    """Write the page of a run's pairs: what was moved by how much, before and after, what is left, what was declined.

    Declined pairs come first, then those with the largest error; `PICTURED` of them have pictures. The page holds its
    images, style and script and loads nothing. Raises `UserError` for a run without aligned pairs.
    """
    pairs = [_aligned(run, path) for path in sorted(run.items.pairs.glob("*.json"))]
    if not pairs:
        raise UserError(f"{run.items.pairs}: has no pairs; run `snakemake align` first")
    pairs.sort(key=lambda pair: (pair.registration.accepted is not False, -(pair.registration.ce90_m or 0.0), pair.id))
    declined = read_declined(run.items.declined)
    page = render(
        "align.html",
        pairs=pairs,
        pictured=[_pictured(run, pair) for pair in pairs[:PICTURED]],
        labels=LABELS,
        refused=[pair for pair in pairs if pair.registration.accepted is False],
        taken=[pair for pair in pairs if pair.registration.model == "none"],
        median_m=_median([pair.registration.ce90_m for pair in pairs if pair.registration.accepted]),
        declined=declined[:DECLINED_ROWS],
        declined_count=len(declined),
        reasons=reasons_in_short(declined),
    )
    with whole(output) as part:
        part.write_text(page, encoding="utf-8")


def _aligned(run: RunFolder, path: Path) -> Aligned:
    found = read_record(Found, path)
    folder = run.aligned(found.id)
    lr_date, hr_date = (day_of(run.items.scene(name)) for name in (found.lr, found.hr))
    registration = read_record(Registration, folder / "registration.json")
    return Aligned(found, lr_date, hr_date, registration, read_record(Radiometry, folder / "radiometry.json"))


def _pictured(run: RunFolder, pair: Aligned) -> Pictured:
    folder = run.aligned(pair.id)
    pictures, width_m = before_after(folder, run.scene(pair.found.hr)) or ({}, 0.0)
    layers = {name: photo_of(picture) for name, picture in pictures.items()}
    side = len(next(iter(pictures.values()))) if pictures else 0
    figures = (photo(folder / f"{name}.png", SHOWN_PX) for name in ("registration", "radiometry"))
    return Pictured(pair, layers, width_m, side, *figures)


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None
