"""What the report is made from."""

import csv
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crossres.files import read_json


@dataclass(frozen=True)
class ReportInputs:
    """Files and folders of one run."""

    items: Path
    """Holds scenes/*.json, pairs/*.json and declined.csv."""
    aligned: tuple[Path, ...]
    """A folder per pair: registration.json and .png, radiometry.json and .png."""
    dataset_summary: Path
    contact_sheet: Path
    model: Path
    """Holds card.json and curves.png."""
    scenes: tuple[Path, ...]
    """A folder per held-out scene, as `evaluate_scene` writes it."""
    figures: Path
    summary: Path
    primary: str
    """The arm that is the product."""

    @classmethod
    def of_run(cls, run: Path, primary: str, model: str = "main") -> "ReportInputs":
        """Return the inputs that lie at their usual places in a run's result folder; `model` is the product's."""
        pairs = sorted(path.stem for path in (run / "items/pairs").glob("*.json"))
        return cls(
            items=run / "items",
            aligned=tuple(run / "aligned" / pair for pair in pairs),
            dataset_summary=run / "pairs/summary.json",
            contact_sheet=run / "pairs/contact_sheet.png",
            model=run / "model" / model,
            scenes=tuple(held_out(run / "pairs/summary.json", run / "evaluation/scenes")),
            figures=run / "evaluation/figures",
            summary=run / "evaluation/summary.json",
            primary=primary,
        )


def held_out(dataset_summary: Path, scenes: Path) -> list[Path]:
    """Return the folder of each pair held out, below `scenes`: thousands of names would pass no command line."""
    return [scenes / pair for pair in sorted(read_json(dataset_summary)["splits"]["test"])]


def read_pairs(inputs: ReportInputs, splits: dict[str, list[str]]) -> list[dict[str, Any]]:
    """Return what is known of each pair, by id: dates, overlap, split, registration, radiometry."""
    split_of = {pair: split for split, pairs in splits.items() for pair in pairs}
    aligned = {folder.name: folder for folder in inputs.aligned}
    scenes = {path.stem: read_json(path) for path in sorted((inputs.items / "scenes").glob("*.json"))}
    rows = []
    for path in sorted((inputs.items / "pairs").glob("*.json")):
        pair = read_json(path)
        folder = aligned.get(pair["id"])
        rows.append(
            dict(
                pair,
                split=split_of.get(pair["id"], "left out"),
                lr_item=_item(scenes.get(pair["lr"])),
                hr_item=_item(scenes.get(pair["hr"])),
                registration=read_json(folder / "registration.json") if folder else {},
                radiometry=read_json(folder / "radiometry.json") if folder else {},
            )
        )
    return rows


def _item(item: dict[str, Any] | None) -> dict[str, Any]:
    properties = item["properties"] if item else {}
    date = str(properties.get("datetime") or properties.get("start_datetime") or "")
    sensor = properties.get("platform") or properties.get("constellation") or ""
    return {"date": date[:10], "sensor": sensor}


def read_declined(path: Path) -> list[dict[str, str]]:
    """Return the rows of declined.csv: id, role, reason; none when the file is missing."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def reasons_in_short(declined: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Return how many scenes of each role were declined for the same reason, figures and names aside, most first."""
    counts: Counter[tuple[str, str]] = Counter()
    for row in declined:
        reason = re.sub(r"^item \S+: ", "", row["reason"]).partition(" (")[0].partition(": ")[0]
        words = ["…" if re.search(r"[\d_]", word) else word for word in reason.split(" ")]
        counts[row["role"], " ".join(words)] += 1
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return [dict(role=role, reason=reason, count=count) for (role, reason), count in ordered]
