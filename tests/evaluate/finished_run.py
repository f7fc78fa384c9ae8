"""A finished run with two held-out scenes and one declined pair, as the workflow leaves it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from crossres.evaluate.charts.over_scenes import figures
from crossres.evaluate.report.inputs import ReportInputs
from crossres.evaluate.report.run_report import report
from crossres.evaluate.results.opensr_table import write_table
from crossres.evaluate.results.summarise import summarise
from crossres.evaluate.scene import evaluate_scene
from crossres.settings.config import parse
from crossres.settings.evaluate import EvaluateSettings, ReportSettings
from crossres.settings.grid import GridSettings
from crossres.settings.sample import SampleSettings

SETTINGS = EvaluateSettings(crop_px=48, crops=2, view_px=64)
ARMS = {
    "lr_start": {"start": "lr", "steps": 4, "solver": "ab2", "samples": 8},
    "noise_start": {"start": "noise", "steps": 4, "solver": "ab2", "samples": 8},
    "bicubic": {"start": "bicubic", "steps": 4, "samples": 1},
}
CONFIG: dict[str, Any] = {
    "run": "test",
    "search": {
        "lr": {
            "kind": "stac-api",
            "url": "https://stac.example",
            "collections": ["c"],
            "query": {"token": {"eq": "abc123"}},
        },
        "hr": {"kind": "folder", "path": "/home/someone/archive", "sensor": {"name": "aerial"}},
    },
    "sample": {"arms": ARMS, "tiling": {"seed": 7}},
}


def finish(folder: Path, make_pair: Callable[..., tuple[Path, dict[str, Path]]]) -> None:
    """Write the run's result folder, with its report."""
    for i, name in enumerate(("north", "south", "lost")):
        x, y = 116.0 + 0.1 * i, 39.5
        ring = [[x, y], [x + 0.02, y], [x + 0.02, y + 0.02], [x, y + 0.02], [x, y]]
        pair = {"id": name, "lr": f"S2_{name}", "hr": f"GF2_{name}", "date_gap_days": 8.2, "overlap_km2": 3.4}
        pair |= {"overlap_cloud_percent": 12.5, "overlap_cloud_source": "eo:cloud_cover", "sun_difference_deg": 3.25}
        pair["score"] = 0.712
        write(folder / f"items/pairs/{name}.json", pair | {"geometry": {"type": "Polygon", "coordinates": [ring]}})
        for scene in (pair["lr"], pair["hr"]):
            write(folder / f"items/scenes/{scene}.json", {"properties": {"datetime": "2023-05-01T03:00:00Z"}})
        accepted = name != "lost"
        registration = {
            "accepted": accepted,
            "reason": None if accepted else "only 3 tie points",
            "shift_m": [1.5, -2.0],
        }
        if name == "south":
            registration = {"accepted": True, "model": "none", "statement": "taken as aligned already"}
        write(folder / f"aligned/{name}/registration.json", registration)
        write(folder / f"aligned/{name}/radiometry.json", {"method": "irmad"})
        if accepted:
            aligned, arms = make_pair(name, i + 20)
            evaluate_scene(SETTINGS, GridSettings(), name, aligned, arms, folder / "evaluation/scenes" / name)
            shutil.copytree(aligned, folder / "aligned" / name, dirs_exist_ok=True)
            shutil.copytree(next(iter(arms.values())).parent, folder / "sr" / name)
    many = [f"S2_T{i:03},lr,another processing of the same acquisition is used: S2_y{i}" for i in range(205)]
    rows = ["id,role,reason", 'S2_x,lr,"cloud <87 %> above 40 %"', *many]
    (folder / "items/declined.csv").write_text("\n".join(rows) + "\n")
    splits = {"train": [], "val": [], "test": ["north", "south"]}
    write(folder / "pairs/summary.json", {"splits": splits, "patches": {"test": 12}, "declined": [], "left_out": {}})
    write(folder / "model/main/card.json", {"parameters": 400000, "sigma": 0.25})
    evaluation = folder / "evaluation"
    scenes = sorted((evaluation / "scenes").iterdir())
    summarise(scenes, "lr_start", evaluation / "summary.json", evaluation / "summary.parquet")
    write_table(evaluation / "opensr_test.csv", scenes)
    figures(sampled(ARMS), evaluation / "summary.json", scenes, evaluation / "figures")
    for target in ("pairs/contact_sheet.png", "model/main/curves.png"):
        shutil.copy(evaluation / "figures/metrics.png", folder / target)
    report(ReportSettings(), parse(CONFIG), ReportInputs.of_run(folder, "lr_start"), folder / "report.html")


def sampled(arms: dict[str, Any]) -> SampleSettings:
    return SampleSettings.model_validate({"arms": arms})


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
