"""`evaluate`: all held-out scenes together, with intervals over scenes."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from crossres.errors import UserError
from crossres.evaluate.metrics.metric import BY_KEY, IN_STRATA, METRICS
from crossres.evaluate.metrics.scene_metrics import ALL_BANDS
from crossres.evaluate.results.intervals import LEVEL, MIN_SCENES, interval
from crossres.files import read_json, whole, write_json
from crossres.settings.evaluate import EvaluateSettings

ALL_STRATA = "everywhere"


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
    named = {pair: {*content["arm_order"], *content["declined"]} for pair, content in contents.items()}
    for pair, found in named.items():
        if found != named[first["pair"]]:
            raise UserError(f"{pair}: has other arms than {first['pair']}; run the evaluation again")
    arms = list(dict.fromkeys(arm for content in contents.values() for arm in content["arm_order"]))
    if primary not in arms:
        raise UserError(f"sample.primary: {primary!r} was not evaluated; the arms are {', '.join(arms)}")
    table = pd.DataFrame(_rows(contents), columns=["scene", "arm", "image", "band", "stratum", "metric", "value"])
    summary = dict(
        primary=primary, arm_order=arms, bands=first["bands"], lr_gsd_m=first["lr_gsd_m"], hr_gsd_m=first["hr_gsd_m"],
        factor=first["factor"], level=LEVEL, replicates=settings.bootstrap, note=_note(len(contents)),
        scenes={pair: _scene(content) for pair, content in contents.items()}, arms=_arms(settings, table, arms),
        declined=[
            dict(pair=pair, arm=arm, reason=reason)
            for pair, content in contents.items()
            for arm, reason in content["declined"].items()
        ],
        strata=_strata(settings, contents, arms),
        differences=_differences(settings, table, primary, arms),
        calibration=_calibration([read_json(s / "calibration.json") for s in sorted(scenes)], arms),
    )  # fmt: skip
    write_json(summary_json, summary)
    with whole(summary_table) as part:
        table.to_parquet(part, index=False)


def _rows(contents: dict[str, Any]) -> Iterator[tuple[str, str, str, str, str, str, float]]:
    """Yield each value once: by band over all land cover, then over all bands by land cover."""
    for pair, content in contents.items():
        for arm in content["arm_order"]:
            for image, bands in content["arms"][arm].items():
                whole = [(band, ALL_STRATA, metrics) for band, metrics in bands.items()]
                parts = [(ALL_BANDS, name, m) for name, m in content["strata"]["arms"][arm][image].items()]
                for band, stratum, metrics in whole + parts:
                    for metric, value in metrics.items():
                        yield pair, arm, image, band, stratum, metric, np.nan if value is None else float(value)


def _strata(settings: EvaluateSettings, contents: dict[str, Any], arms: list[str]) -> dict[str, Any]:
    """Return means and intervals by land cover; scenes with other strata than the first's are left out."""
    rule = next(iter(contents.values()))["strata"]["rule"]
    alike = [c["strata"] for c in contents.values() if c["strata"]["rule"] == rule]
    names = list(alike[0]["shares"])

    def over_scenes(arm: str, image: str, name: str, key: str) -> dict[str, Any] | None:
        values = [s["arms"][arm][image][name].get(key) for s in alike if arm in s["arms"]]
        found = interval(np.array(values, np.float64), settings.bootstrap, settings.seed)
        return asdict(found) if found else None

    return dict(
        rule=rule, scenes=len(alike), names=names,
        shares={name: float(np.mean([s["shares"][name] for s in alike])) for name in names},
        arms={
            arm: {
                image: {name: {key: over_scenes(arm, image, name, key) for key in IN_STRATA} for name in names}
                for image in ("mean", "sample")
            }
            for arm in arms
        },
    )  # fmt: skip


def _note(scenes: int) -> str | None:
    if scenes >= MIN_SCENES:
        return None
    few = "1 scene" if scenes == 1 else f"{scenes} scenes"
    return f"{few} held out: too few for intervals that can be believed; those given are only a hint"


def _scene(content: dict[str, Any]) -> dict[str, Any]:
    keys = ("dates", "shape_px", "clear_share", "mask_shares", "references", "rmse_where_changed")
    return {key: content[key] for key in keys}


def _values(table: pd.DataFrame, arm: str, image: str) -> pd.DataFrame:
    """Return metrics over bands together: a row per scene, a column per metric."""
    everywhere = (table.band == ALL_BANDS) & (table.stratum == ALL_STRATA)
    chosen = table[(table.arm == arm) & (table.image == image) & everywhere]
    return chosen.pivot(index="scene", columns="metric", values="value").sort_index()


def _arms(settings: EvaluateSettings, table: pd.DataFrame, arms: list[str]) -> dict[str, Any]:
    return {
        arm: {
            image: _intervals(settings, _values(table, arm, image)) for image in ("mean", "sample")
        }
        for arm in arms
    }  # fmt: skip


def _differences(settings: EvaluateSettings, table: pd.DataFrame, primary: str, arms: list[str]) -> dict[str, Any]:
    """Return primary minus other, paired by scene, and in how many scenes primary is ahead."""
    found: dict[str, Any] = {other: {} for other in arms if other != primary}
    for other, by_image in found.items():
        for image in ("mean", "sample"):
            difference = _values(table, primary, image) - _values(table, other, image)
            by_image[image] = _intervals(settings, difference)
            for key, value in by_image[image].items():
                if value and BY_KEY[key].better:
                    value["ahead"] = int((BY_KEY[key].gain(1.0) * difference[key] > 0).sum())
    return found


def _intervals(settings: EvaluateSettings, values: pd.DataFrame) -> dict[str, Any]:
    found = {
        m.key: interval(values[m.key].to_numpy(), settings.bootstrap, settings.seed) if m.key in values else None
        for m in METRICS
    }
    return {key: asdict(value) if value else None for key, value in found.items()}


def _calibration(scenes: list[dict[str, Any]], arms: list[str]) -> dict[str, Any]:
    """Return each arm's calibration averaged over scenes; null for arms of one sample."""
    result: dict[str, Any] = {}
    for arm in arms:
        found = [scene[arm] for scene in scenes if scene.get(arm)]
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
