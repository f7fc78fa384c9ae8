"""What other stages left for the report: figures of alignment, the course of training, the model's card."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from crossres.evaluate.pictures.embedding import photo
from crossres.files import read_json

QUALITY_PLATES = 6
HISTORY_ROWS = 12
SHOWN_PX = 1100

Fact = int | float | str


@dataclass(frozen=True)
class History:
    """Steps of training at which validation was done: a name for each column, a text for each cell."""

    columns: list[str]
    rows: list[list[str]]


def read_history(path: Path) -> History | None:
    """Return a dozen steps of history.csv at most, evenly chosen; None without any."""
    if not path.exists():
        return None
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get("psnr_db")]
    step = max(1, -(-len(rows) // HISTORY_ROWS))
    chosen = rows[::-1][::step][::-1]
    return History(list(chosen[0]), [list(row.values()) for row in chosen]) if chosen else None


@dataclass(frozen=True)
class Plate:
    """How a pair was aligned."""

    pair: str
    figures: dict[str, str]
    """Registration, radiometry and, of several LR dates, these, as data URIs."""
    numbers: dict[str, Fact]
    """Of radiometry."""


def read_plates(aligned: Sequence[Path], test: Sequence[str], lr_dates: int = 1) -> list[Plate]:
    """Return the figures of some pairs, held-out ones first."""
    kinds = ("registration", "radiometry", *(("dates",) if lr_dates > 1 else ()))
    ordered = sorted(aligned, key=lambda folder: (folder.name not in test, folder.name))
    return [_plate(folder, kinds) for folder in ordered[:QUALITY_PLATES]]


def _plate(folder: Path, kinds: Sequence[str]) -> Plate:
    paths = {kind: folder / f"{kind}.png" for kind in kinds}
    figures = {kind: photo(path, SHOWN_PX) for kind, path in paths.items() if path.exists()}
    content = read_json(folder / "radiometry.json")
    numbers = {key.replace("_", " "): value for key, value in content.items() if isinstance(value, Fact)}
    return Plate(folder.name, figures, numbers)


@dataclass(frozen=True)
class ModelFacts:
    """What the model's card says in single numbers and words."""

    detail_alone: bool
    """Whether it learnt HR's detail over LR's tone."""
    facts: dict[str, Fact]


def read_model_facts(card: Path) -> ModelFacts:
    """Read a model's card without its hashes; another stage wrote it, so it is taken as it is."""
    content = read_json(card)
    facts = {
        key: value
        for key, value in content.items()
        if isinstance(value, int | float) or (isinstance(value, str) and "sha256" not in key)
    }
    return ModelFacts(content.get("train", {}).get("target") == "detail", facts)
