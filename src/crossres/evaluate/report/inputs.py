"""What the report is made from."""

from dataclasses import dataclass
from pathlib import Path

from crossres.evaluate.results.scene_result import held_out


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
