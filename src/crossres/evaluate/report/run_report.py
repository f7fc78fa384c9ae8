"""`report`: one self-contained page that a person opens."""

import hashlib
import importlib.metadata
from collections.abc import Mapping
from pathlib import Path

import yaml

from crossres.errors import UserError
from crossres.evaluate.metrics.registry import BY_KEY, METRICS, NOT_AVAILABLE
from crossres.evaluate.pictures.embedding import drawing, photo
from crossres.evaluate.report.baselines import missing_baselines
from crossres.evaluate.report.claim_table import claim_tables
from crossres.evaluate.report.disclosure import public
from crossres.evaluate.report.findings import findings
from crossres.evaluate.report.footprint_map import place_map
from crossres.evaluate.report.html import render
from crossres.evaluate.report.inputs import ReportInputs
from crossres.evaluate.report.lr_dates import dates_tables
from crossres.evaluate.report.opening import opening
from crossres.evaluate.report.opensr import opensr_report
from crossres.evaluate.report.pairs import Dataset, read_declined, read_pairs, reasons_in_short
from crossres.evaluate.report.scenes import pictured_scenes, ranked_places
from crossres.evaluate.report.stages import SHOWN_PX, read_history, read_model_facts, read_plates
from crossres.evaluate.report.tables import metric_tables, strata_table
from crossres.evaluate.report.uses import uses
from crossres.evaluate.results.summarise import read_table
from crossres.evaluate.results.summary import Summary
from crossres.files import read_json, whole
from crossres.records import read_record
from crossres.settings.config import Config
from crossres.settings.evaluate import ReportSettings

DECLINED_ROWS = 200
"""A search may decline thousands of scenes; more than these are counted by reason only."""
VERSIONED = ("crossres", "numpy", "torch", "rasterio", "scikit-image", "matplotlib", "snakemake")


def report(settings: ReportSettings, config: Config, inputs: ReportInputs, output: Path) -> None:
    """Write the report: question and answer first, then the images, the data, the numbers, the settings.

    `config` is the resolved configuration. The page holds its images, style and script and loads nothing. Absolute
    paths and credentials in the configuration are left out. Raises `UserError` when an input is missing.
    """
    summary, dataset = Summary.read(inputs.summary), read_record(Dataset, inputs.dataset_summary)
    if inputs.primary != summary.primary:
        raise UserError(f"{inputs.summary}: is about {summary.primary!r}, not {inputs.primary!r}; run summarise again")
    arms, written = config.sample.arms, config.model_dump(mode="json")
    paths = {name: config.variant(name)[1].path for name in config.models}
    lr_dates, test = config.search.lr_dates, dataset.splits.get("test", ())
    pairs, scenes = read_pairs(inputs, dataset, lr_dates), pictured_scenes(inputs.scenes)
    declined, table = read_declined(inputs.items.declined), inputs.summary.with_suffix(".parquet")
    page = render(
        "report.html",
        settings=settings, summary=summary, dataset=dataset, pairs=pairs,
        opening=opening(summary, arms), findings=findings(summary, arms, paths), tables=metric_tables(summary, arms),
        strata=strata_table(summary, arms), not_available=_not_available(summary), scenes=scenes,
        ranked=ranked_places(scenes), history=read_history(inputs.model / "history.csv"),
        scene_count=len(inputs.scenes), missing=missing_baselines(arms, paths), map=place_map(pairs),
        declined=declined[:DECLINED_ROWS], declined_count=len(declined), reasons=reasons_in_short(declined),
        refused=[pair for pair in pairs if pair.registration.accepted is False],
        unrelated=[pair for pair in pairs if pair.registration.accepted and pair.radiometry.accepted is False],
        taken=[pair for pair in pairs if pair.registration.model == "none"],
        plates=read_plates(inputs.aligned, test, lr_dates), contact_sheet=_photo(inputs.contact_sheet),
        curves=_drawing(inputs.model / "curves.png"), model=read_model_facts(inputs.model / "card.json"),
        dates=dates_tables(config, table),
        claims=claim_tables(inputs.summary.with_name("claim.json"), config.sample.one_ode(paths)),
        opensr=opensr_report(inputs.summary.with_name("opensr_test.csv"), inputs.scenes),
        claim_chart=_drawing(inputs.summary.with_name("claim.png")),
        charts={p.stem: drawing(p) for p in sorted(inputs.figures.glob("*.png"))},
        yaml=yaml.safe_dump(public(written), sort_keys=False, allow_unicode=True, width=100),
        seeds=_seeds(written), versions=_versions(), hashes=_hashes(inputs), metrics=METRICS,
        uses=uses(summary, arms, read_table(table)), boundaries=_photo(sorted(inputs.scenes)[0] / "boundaries.png"),
    )  # fmt: skip
    with whole(output) as part:
        part.write_text(page, encoding="utf-8")


def _not_available(summary: Summary) -> dict[str, str]:
    """Return what readers ask for and this run has not measured, with the reason."""
    measured = {BY_KEY[key].label for arm in summary.arms.values() for key, found in arm["sample"].items() if found}
    return {name: why for name, why in NOT_AVAILABLE.items() if name not in measured}


def _photo(path: Path) -> str | None:
    return photo(path, SHOWN_PX) if path.exists() else None


def _drawing(path: Path) -> str | None:
    return drawing(path) if path.exists() else None


def _seeds(written: Mapping[str, object]) -> dict[str, int]:
    """Return every seed of the configuration by its key."""
    found: dict[str, int] = {}

    def walk(node: object, key: str) -> None:
        if isinstance(node, dict):
            for name, child in node.items():
                walk(child, f"{key}.{name}" if key else str(name))
        elif isinstance(node, int) and key.rpartition(".")[2] == "seed":
            found[key] = node

    walk(written, "")
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
    """Return the first digits of SHA-256s; that of the weights, which the report does not read, by the card."""
    card = inputs.model / "card.json"
    named = {"model card": card, "dataset summary": inputs.dataset_summary, "results (summary.json)": inputs.summary}
    found = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in named.items() if path.exists()}
    if card.exists():
        found = {"weights (model.safetensors)": read_json(card).get("weights_sha256", "not said")} | found
    return {name: digest[:16] for name, digest in found.items()}
