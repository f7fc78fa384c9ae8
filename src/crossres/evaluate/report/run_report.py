"""`report`: one self-contained page that a person opens."""

import csv
import hashlib
import importlib.metadata
from pathlib import Path
from typing import Any

import yaml

from crossres.errors import UserError
from crossres.evaluate.metrics.metric import BY_KEY, METRICS, NOT_AVAILABLE
from crossres.evaluate.report.claim_table import claim_tables
from crossres.evaluate.report.disclosure import public
from crossres.evaluate.report.embedding import drawing, photo
from crossres.evaluate.report.findings import findings, headline
from crossres.evaluate.report.footprint_map import place_map
from crossres.evaluate.report.html import render
from crossres.evaluate.report.inputs import ReportInputs, read_declined, read_pairs, reasons_in_short
from crossres.evaluate.report.scenes import pictured_scenes, ranked_places
from crossres.evaluate.report.tables import calibration_rows, metric_tables, missing_baselines, strata_table
from crossres.files import read_json, whole
from crossres.settings.evaluate import ReportSettings

DECLINED_ROWS = 200
"""A search may decline thousands of scenes; more than these are counted by reason only."""
QUALITY_PLATES = 6
HISTORY_ROWS = 12
SHOWN_PX = 1100
VERSIONED = ("crossres", "numpy", "torch", "rasterio", "scikit-image", "matplotlib", "snakemake")


def report(settings: ReportSettings, config: dict[str, Any], inputs: ReportInputs, output: Path) -> None:
    """Write the report: question and answer first, then the images, the data, the numbers, the settings.

    `config` is the resolved configuration. The page holds its images, style and script and loads nothing. Absolute
    paths and credentials in the configuration are left out. Raises `UserError` when an input is missing.
    """
    summary, dataset = read_json(inputs.summary), read_json(inputs.dataset_summary)
    arms = config.get("sample", {}).get("arms", {})
    if inputs.primary != summary["primary"]:
        raise UserError(
            f"{inputs.summary}: is about {summary['primary']!r}, not {inputs.primary!r}; run summarise again"
        )
    pairs = read_pairs(inputs, dataset["splits"])
    declined = read_declined(inputs.items / "declined.csv")
    scenes = pictured_scenes(inputs.scenes)
    content = dict(
        settings=settings, summary=summary, dataset=dataset, primary=inputs.primary, pairs=pairs, arms=arms,
        headline=headline(summary, arms), findings=findings(summary, arms), tables=metric_tables(summary, arms),
        strata=strata_table(summary, arms), reliability=calibration_rows(summary),
        not_available=_not_available(summary), scenes=scenes,
        ranked=ranked_places(scenes), history=_history(inputs.model / "history.csv"),
        scene_count=len(inputs.scenes), missing=missing_baselines(config), scene_rows=_scene_rows(summary),
        map=place_map(pairs), declined=declined, reasons=reasons_in_short(declined), declined_rows=DECLINED_ROWS,
        plates=_plates(inputs, dataset["splits"].get("test", [])), contact_sheet=_photo(inputs.contact_sheet),
        curves=_drawing(inputs.model / "curves.png"), card=read_json(inputs.model / "card.json"),
        claims=claim_tables(inputs.summary.with_name("claim.json")),
        claim_chart=_drawing(inputs.summary.with_name("claim.png")),
        charts={p.stem: drawing(p) for p in sorted(inputs.figures.glob("*.png"))},
        yaml=yaml.safe_dump(public(config), sort_keys=False, allow_unicode=True, width=100),
        seeds=_seeds(config), versions=_versions(), hashes=_hashes(inputs), metrics=METRICS,
    )  # fmt: skip
    with whole(output) as part:
        part.write_text(render("report.html", **content), encoding="utf-8")


def _not_available(summary: dict[str, Any]) -> dict[str, str]:
    """Return what readers ask for and this run has not measured, with the reason."""
    measured = {BY_KEY[key].label for arm in summary["arms"].values() for key, found in arm["sample"].items() if found}
    return {name: why for name, why in NOT_AVAILABLE.items() if name not in measured}


def _scene_rows(summary: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what of each held-out scene counts, and how far its two references disagree."""
    return [
        dict(
            pair=pair, dates=scene["dates"], clear_share=scene["clear_share"], changed=scene["mask_shares"]["changed"],
            cloud=scene["mask_shares"]["cloud"] + scene["mask_shares"]["shadow"],
            references=scene["references"]["rmse"], changed_rmse=scene["rmse_where_changed"].get(summary["primary"]),
        )
        for pair, scene in summary["scenes"].items()
    ]  # fmt: skip


def _history(path: Path) -> list[dict[str, str]]:
    """Return the steps of training at which validation was done, a dozen at most; none without a history."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get("psnr_db")]
    step = max(1, -(-len(rows) // HISTORY_ROWS))
    return rows[::-1][::step][::-1]


def _plates(inputs: ReportInputs, test: list[str]) -> list[dict[str, Any]]:
    """Return the registration and radiometry figures of some pairs, held-out ones first."""
    ordered = sorted(inputs.aligned, key=lambda folder: (folder.name not in test, folder.name))
    return [
        dict(
            pair=folder.name, registration=_photo(folder / "registration.png"),
            radiometry=_photo(folder / "radiometry.png"), numbers=_numbers(read_json(folder / "radiometry.json")),
        )
        for folder in ordered[:QUALITY_PLATES]
    ]  # fmt: skip


def _numbers(content: dict[str, Any]) -> dict[str, Any]:
    """Return what is a single number, word or yes or no, in a file of another stage, under names a person reads."""
    return {k.replace("_", " "): v for k, v in content.items() if isinstance(v, int | float | str)}


def _photo(path: Path) -> str | None:
    return photo(path, SHOWN_PX) if path.exists() else None


def _drawing(path: Path) -> str | None:
    return drawing(path) if path.exists() else None


def _seeds(config: dict[str, Any]) -> dict[str, int]:
    """Return every seed of the configuration by its key."""
    found: dict[str, int] = {}

    def walk(node: Any, key: str) -> None:
        if isinstance(node, dict):
            for name, child in node.items():
                walk(child, f"{key}.{name}" if key else str(name))
        elif key.rpartition(".")[2] == "seed":
            found[key] = node

    walk(config, "")
    return found


def _versions() -> dict[str, str]:
    found = {}
    for name in VERSIONED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _hashes(inputs: ReportInputs) -> dict[str, str]:
    named = {
        "weights (model.safetensors)": inputs.model / "model.safetensors",
        "model card": inputs.model / "card.json",
        "dataset summary": inputs.dataset_summary,
        "results (summary.json)": inputs.summary,
    }
    return {name: hashlib.sha256(p.read_bytes()).hexdigest()[:16] for name, p in named.items() if p.exists()}
