"""`report`: one self-contained page that a person opens."""

import hashlib
import importlib.metadata
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import yaml
from markupsafe import Markup

from crossres.errors import UserError
from crossres.evaluate.disclosure import public
from crossres.evaluate.embedding import drawing, photo
from crossres.evaluate.metrics import METRICS, shown
from crossres.evaluate.place_map import place_map
from crossres.evaluate.report_inputs import ReportInputs, read_declined, read_pairs, reasons_in_short
from crossres.evaluate.scene_images import LAYERS
from crossres.evaluate.story import findings, headline, value, verdict
from crossres.evaluate.theme import arm_label
from crossres.files import read_json, whole
from crossres.settings.evaluate import ReportSettings

PICTURED_SCENES = 12
"""More held-out scenes than this are judged, but not pictured: the page must stay small enough to send."""
CROP_ROWS = 3
DECLINED_ROWS = 200
"""A search may decline thousands of scenes; more than these are counted by reason only."""
QUALITY_PLATES = 6
SHOWN_PX = 1400
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
    content = dict(
        settings=settings, summary=summary, dataset=dataset, primary=inputs.primary, pairs=pairs, arms=arms,
        headline=headline(summary, arms), findings=findings(summary, arms), tables=_tables(summary, arms),
        scenes=_scenes(inputs), scene_count=len(inputs.scenes), scene_rows=_scene_rows(summary),
        map=place_map(pairs), declined=declined, reasons=reasons_in_short(declined), declined_rows=DECLINED_ROWS,
        plates=_plates(inputs, dataset["splits"].get("test", [])), contact_sheet=_photo(inputs.contact_sheet),
        curves=_drawing(inputs.model / "curves.png"), card=read_json(inputs.model / "card.json"),
        charts={p.stem: drawing(p) for p in sorted(inputs.figures.glob("*.png"))},
        yaml=yaml.safe_dump(public(config), sort_keys=False, allow_unicode=True, width=100),
        seeds=_seeds(config), versions=_versions(), hashes=_hashes(inputs), metrics=METRICS,
    )  # fmt: skip
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"arm": arm_label, "number": _number, "percent": _percent}
    source = files(__package__)
    style, script = (Markup((source / name).read_text(encoding="utf-8")) for name in ("report.css", "report.js"))
    template = environment.from_string((source / "report.html").read_text(encoding="utf-8"))
    with whole(output) as part:
        part.write_text(template.render(**content, style=style, script=script) + "\n", encoding="utf-8")


def _tables(summary: dict[str, Any], arms: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a table for the mean of samples and one for a single sample: a row per metric, a column per arm."""
    bicubic = next((a for a in summary["arm_order"] if arms.get(a, {}).get("start") == "bicubic"), None)
    tables = []
    for image, name in (("mean", "Mean of samples"), ("sample", "One sample")):
        rows = []
        for metric in METRICS:
            values = {arm: value(summary, arm, image, metric.key) for arm in summary["arm_order"]}
            gains = {arm: metric.gain(v) for arm, v in values.items() if v is not None and metric.better}
            best, worst = max(gains.values(), default=0.0), min(gains.values(), default=0.0)
            against = None
            if bicubic and bicubic != summary["primary"] and metric.better:
                against = verdict(summary, bicubic, image, metric.key)
            cells = [
                dict(
                    arm=arm, text=shown(metric.key, v, unit=False),
                    best=arm in gains and gains[arm] == best > worst,
                    interval=_interval(summary["arms"][arm][image][metric.key]),
                )
                for arm, v in values.items()
            ]  # fmt: skip
            rows.append(dict(metric=metric, cells=cells, against=against))
        tables.append(dict(name=name, rows=rows))
    return tables


def _interval(found: dict[str, Any] | None) -> str:
    return f"95 %: {_number(found['low'])} to {_number(found['high'])}" if found else "no value"


def _scene_rows(summary: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        dict(
            pair=pair, dates=scene["dates"], clear_share=scene["clear_share"], changed=scene["mask_shares"]["changed"],
            cloud=scene["mask_shares"]["cloud"] + scene["mask_shares"]["shadow"],
        )
        for pair, scene in summary["scenes"].items()
    ]  # fmt: skip


def _scenes(inputs: ReportInputs) -> list[dict[str, Any]]:
    """Return the pictures of held-out scenes; evenly chosen by name when there are too many."""
    ordered = sorted(inputs.scenes)
    step = max(1, -(-len(ordered) // PICTURED_SCENES))
    found = []
    for folder in ordered[::step]:
        content = read_json(folder / "metrics.json")
        pictures = content["pictures"]
        rows = [folder / "crops" / str(i) for i in range(min(CROP_ROWS, len(pictures["crops"])))]
        found.append(
            dict(
                pair=content["pair"], dates=content["dates"],
                labels={name: pictures["labels"][name] for name in LAYERS},
                arm=content["pictured"],
                std_high=pictures["std_high"], view_m=pictures["view"]["side"] * content["hr_gsd_m"],
                view_px=pictures["view"]["side"], crop_m=pictures["crops"][0]["side"] * content["hr_gsd_m"],
                changed=content["mask_shares"]["changed"],
                layers={name: photo(folder / "view" / f"{name}.png") for name in LAYERS},
                crops=[{name: photo(row / f"{name}.png") for name in LAYERS} for row in rows],
                overview=photo(folder / "overview.png", SHOWN_PX),
                hallucination=photo(folder / "hallucination.png", 1000),
            )
        )  # fmt: skip
    return found


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


def _number(value: Any) -> str:
    """Return a number with three significant digits; anything else as it is."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\N{THIN SPACE}")
    if isinstance(value, float):
        text = f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
        return (f"{float(text):g}" if "e" in text else text).replace("-", "\N{MINUS SIGN}")
    return str(value)


def _percent(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{100 * value:.{1 if 0 < value < 0.1 else 0}f}\N{NO-BREAK SPACE}%"
