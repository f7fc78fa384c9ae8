"""What the report is made from."""

from dataclasses import dataclass
from pathlib import Path

from crossres.evaluate.results.scene_result import held_out
from crossres.layout import ItemsFolder, RunFolder


@dataclass(frozen=True)
class ReportInputs:
    """Files and folders of one run."""

    items: ItemsFolder
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
        of = RunFolder(run)
        pairs = sorted(path.stem for path in of.items.pairs.glob("*.json"))
        return cls(
            items=of.items,
            aligned=tuple(of.aligned(pair) for pair in pairs),
            dataset_summary=of.dataset_summary,
            contact_sheet=of.contact_sheet,
            model=of.model(model),
            scenes=tuple(held_out(of.dataset_summary, of.evaluated)),
            figures=of.figures,
            summary=of.summary,
            primary=primary,
        )
