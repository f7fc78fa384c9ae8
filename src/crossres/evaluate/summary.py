"""`evaluate`: all held-out scenes together, with intervals over scenes."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from crossres.errors import UserError
from crossres.evaluate.bootstrap import LEVEL, MIN_SCENES, interval
from crossres.evaluate.judge import ALL_BANDS
from crossres.evaluate.metrics import METRICS
from crossres.files import read_json, whole, write_json
from crossres.settings.evaluate import EvaluateSettings


def summarise(
    settings: EvaluateSettings, scenes: list[Path], primary: str, summary_json: Path, summary_table: Path
) -> None:
    """Bring scenes together: means, and the primary arm's paired difference to every other arm, with 95 % intervals.

    `scenes` are folders written by `evaluate_scene`. The table has a row per scene, arm, image, band and metric. Raises
    `UserError` when there is no scene, or scenes do not have the same arms.
    """
    if not scenes:
        raise UserError("evaluate: no held-out scene; raise dataset.test_share or assign a pair to the test split")
    contents = {c["pair"]: c for c in sorted((read_json(s / "metrics.json") for s in scenes), key=lambda c: c["pair"])}
    first = next(iter(contents.values()))
    arms = first["arm_order"]
    for pair, content in contents.items():
        if content["arm_order"] != arms:
            raise UserError(f"{pair}: has the arms {', '.join(content['arm_order'])}, not {', '.join(arms)}; run again")
    if primary not in arms:
        raise UserError(f"sample.primary: {primary!r} was not evaluated; the arms are {', '.join(arms)}")
    table = pd.DataFrame(_rows(contents), columns=["scene", "arm", "image", "band", "metric", "value"])
    summary = dict(
        primary=primary, arm_order=arms, bands=first["bands"], lr_gsd_m=first["lr_gsd_m"], hr_gsd_m=first["hr_gsd_m"],
        factor=first["factor"], level=LEVEL, replicates=settings.bootstrap, note=_note(len(contents)),
        scenes={pair: _scene(content) for pair, content in contents.items()}, arms=_arms(settings, table, arms),
        differences=_differences(settings, table, primary, arms),
        calibration=_calibration([read_json(s / "calibration.json") for s in sorted(scenes)], arms),
    )  # fmt: skip
    write_json(summary_json, summary)
    with whole(summary_table) as part:
        table.to_parquet(part, index=False)


def _rows(contents: dict[str, Any]) -> Iterator[tuple[str, str, str, str, str, float]]:
    for pair, content in contents.items():
        for arm in content["arm_order"]:
            for image, bands in content["arms"][arm].items():
                for band, metrics in bands.items():
                    for metric, value in metrics.items():
                        yield pair, arm, image, band, metric, np.nan if value is None else float(value)


def _note(scenes: int) -> str | None:
    if scenes >= MIN_SCENES:
        return None
    few = "1 scene" if scenes == 1 else f"{scenes} scenes"
    return f"{few} held out: too few for intervals that can be believed; those given are only a hint"


def _scene(content: dict[str, Any]) -> dict[str, Any]:
    keys = ("dates", "shape_px", "clear_share", "mask_shares")
    return {key: content[key] for key in keys}


def _values(table: pd.DataFrame, arm: str, image: str) -> pd.DataFrame:
    """Return metrics over bands together: a row per scene, a column per metric."""
    chosen = table[(table.arm == arm) & (table.image == image) & (table.band == ALL_BANDS)]
    return chosen.pivot(index="scene", columns="metric", values="value").sort_index()


def _arms(settings: EvaluateSettings, table: pd.DataFrame, arms: list[str]) -> dict[str, Any]:
    return {
        arm: {
            image: _intervals(settings, _values(table, arm, image)) for image in ("mean", "sample")
        }
        for arm in arms
    }  # fmt: skip


def _differences(settings: EvaluateSettings, table: pd.DataFrame, primary: str, arms: list[str]) -> dict[str, Any]:
    """Return primary minus other, paired by scene."""
    return {
        other: {
            image: _intervals(settings, _values(table, primary, image) - _values(table, other, image))
            for image in ("mean", "sample")
        }
        for other in arms
        if other != primary
    }


def _intervals(settings: EvaluateSettings, values: pd.DataFrame) -> dict[str, Any]:
    found = {m.key: interval(values[m.key].to_numpy(), settings.bootstrap, settings.seed) for m in METRICS}
    return {key: asdict(value) if value else None for key, value in found.items()}


def _calibration(scenes: list[dict[str, Any]], arms: list[str]) -> dict[str, Any]:
    """Return each arm's calibration averaged over scenes; null for arms of one sample."""
    result: dict[str, Any] = {}
    for arm in arms:
        found = [scene[arm] for scene in scenes if scene[arm]]
        numbers = ("expected_error", "sharpness", "ratio", "rank_correlation")
        result[arm] = (
            found
            and {
                **{key: _mean([f[key] for f in found]) for key in numbers},
                "coverage": {level: _mean([f["coverage"][level] for f in found]) for level in found[0]["coverage"]},
                "std": np.mean([f["std"] for f in found], axis=0),
                "error": np.mean([f["error"] for f in found], axis=0),
            }
        ) or None
    return result


def _mean(values: list[float | None]) -> float | None:
    finite = [v for v in values if v is not None]
    return float(np.mean(finite)) if finite else None
