"""`summarise`: all held-out scenes together, with intervals over scenes."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from crossres.errors import UserError
from crossres.evaluate.metrics.calibration import Calibration
from crossres.evaluate.metrics.metric import ALL_BANDS, IMAGES, Image
from crossres.evaluate.metrics.registry import IN_STRATA, METRICS
from crossres.evaluate.metrics.support import Support
from crossres.evaluate.results.intervals import LEVEL, Difference, Interval, difference, few, interval
from crossres.evaluate.results.scene_result import Calibrations, SceneResult, read_calibrations
from crossres.evaluate.results.summary import ALL_STRATA, Declined, StrataSummary, Summary
from crossres.files import whole
from crossres.imagery.numbers import SUPPORT


def summarise(scenes: list[Path], primary: str, summary_json: Path, summary_table: Path) -> None:
    """Bring scenes together: means, and the primary arm's paired difference to every other arm, with 95 % intervals.

    `scenes` are folders written by `evaluate_scene`. The table has a row per scene, arm, image, band, stratum and
    metric. Raises `UserError` when there is no scene, or scenes do not have the same arms.
    """
    if not scenes:
        raise UserError("evaluate: no held-out scene; raise dataset.test_share or assign a pair to the test split")
    results = {r.pair: r for r in sorted((SceneResult.read(scene) for scene in scenes), key=lambda r: r.pair)}
    first = next(iter(results.values()))
    named = {pair: {*result.arm_order, *result.declined} for pair, result in results.items()}
    for pair, found in named.items():
        if found != named[first.pair]:
            raise UserError(f"{pair}: has other arms than {first.pair}; run the evaluation again")
    arms = tuple(dict.fromkeys(arm for result in results.values() for arm in result.arm_order))
    if primary not in arms:
        raise UserError(f"sample.primary: {primary!r} was not evaluated; the arms are {', '.join(arms)}")
    table = pd.DataFrame(_rows(results), columns=["scene", "arm", "image", "band", "stratum", "metric", "value"])
    Summary(
        primary=primary, arm_order=arms, bands=first.bands, lr_gsd_m=first.lr_gsd_m, hr_gsd_m=first.hr_gsd_m,
        factor=first.factor, level=LEVEL, note=_note(len(results)),
        scenes={pair: result.scene() for pair, result in results.items()},
        declined=tuple(Declined(r.pair, arm, reason) for r in results.values() for arm, reason in r.declined.items()),
        arms=_arms(table, arms), differences=_differences(table, primary, arms),
        strata=_strata(results, arms),
        calibration=_calibration([read_calibrations(scene) for scene in sorted(scenes)], arms),
    ).write(summary_json)  # fmt: skip
    with whole(summary_table) as part:
        table.to_parquet(part, index=False)


def _rows(results: Mapping[str, SceneResult]) -> Iterator[tuple[str, str, str, str, str, str, float]]:
    """Yield each value once: by band over all land cover, then over all bands by land cover."""
    for pair, result in results.items():
        for arm in result.arm_order:
            for image, bands in result.arms[arm].items():
                everywhere = [(band, ALL_STRATA, metrics) for band, metrics in bands.items()]
                parts = [(ALL_BANDS, name, metrics) for name, metrics in result.strata.arms[arm][image].items()]
                for band, stratum, metrics in everywhere + parts:
                    for metric, value in metrics.items():
                        yield pair, arm, image, band, stratum, metric, value


def _strata(results: Mapping[str, SceneResult], arms: tuple[str, ...]) -> StrataSummary:
    """Return means and intervals by land cover; scenes with other strata than the first's are left out."""
    rule = next(iter(results.values())).strata.rule
    alike = [result.strata for result in results.values() if result.strata.rule == rule]
    names = tuple(alike[0].shares)

    def over_scenes(arm: str, image: Image, name: str, key: str) -> Interval | None:
        values = [strata.arms[arm][image][name].get(key, np.nan) for strata in alike if arm in strata.arms]
        return interval(np.array(values))

    return StrataSummary(
        rule=rule, scenes=len(alike), names=names,
        shares={name: float(np.mean([strata.shares[name] for strata in alike])) for name in names},
        arms={
            arm: {
                image: {name: {key: over_scenes(arm, image, name, key) for key in IN_STRATA} for name in names}
                for image in IMAGES
            }
            for arm in arms
        },
    )  # fmt: skip


def _note(scenes: int) -> str | None:
    if not few(scenes):
        return None
    held_out = "1 scene" if scenes == 1 else f"{scenes} scenes"
    return f"{held_out} held out: too few for intervals that can be believed; those given are only a hint"


def read_table(path: Path) -> pd.DataFrame:
    """Read the table that `summarise` writes; `UserError` when it is missing or of an earlier version."""
    if not path.exists():
        raise UserError(f"{path}: no such file; run the workflow for this run first")
    table = pd.read_parquet(path)
    if "stratum" not in table:
        raise UserError(f"{path}: is of an earlier version; run the workflow for this run again")
    return table


def values_of(table: pd.DataFrame, arm: str, image: Image) -> pd.DataFrame:
    """Return an arm's metrics over bands together, of the table that `summarise` writes.

    A row per scene, a column per metric, empty where no scene has it.
    """
    everywhere = (table.band == ALL_BANDS) & (table.stratum == ALL_STRATA)
    chosen = table[(table.arm == arm) & (table.image == image) & everywhere]
    by_scene = chosen.pivot(index="scene", columns="metric", values="value").sort_index()
    return by_scene.reindex(columns=[metric.key for metric in METRICS])


def _arms(table: pd.DataFrame, arms: tuple[str, ...]) -> dict[str, dict[Image, dict[str, Interval | None]]]:
    def intervals(values: pd.DataFrame) -> dict[str, Interval | None]:
        return {m.key: interval(values[m.key].to_numpy()) for m in METRICS}

    return {arm: {image: intervals(values_of(table, arm, image)) for image in IMAGES} for arm in arms}


def _differences(
    table: pd.DataFrame, primary: str, arms: tuple[str, ...]
) -> dict[str, dict[Image, dict[str, Difference | None]]]:
    """Return primary minus other, paired by scene."""

    def apart(other: str, image: Image) -> dict[str, Difference | None]:
        values = values_of(table, primary, image) - values_of(table, other, image)
        return {m.key: difference(values[m.key].to_numpy(), m) for m in METRICS}

    return {other: {image: apart(other, image) for image in IMAGES} for other in arms if other != primary}


def _calibration(scenes: list[Calibrations], arms: tuple[str, ...]) -> Calibrations:
    """Return each arm's calibration averaged over scenes; None for arms of one sample."""
    each = {arm: [found for scene in scenes if (found := scene.get(arm))] for arm in arms}
    return {arm: _mean_calibration(found) if found else None for arm, found in each.items()}


def _mean_calibration(found: list[Calibration]) -> Calibration:
    return Calibration(
        std=np.mean([f.std for f in found], axis=0), promised=np.mean([f.promised for f in found], axis=0),
        error=np.mean([f.error for f in found], axis=0), expected_error=_mean([f.expected_error for f in found]),
        sharpness=_mean([f.sharpness for f in found]), ratio=_mean([f.ratio for f in found]),
        rank_correlation=_mean([f.rank_correlation for f in found]),
        calibrated_rank=_mean([f.calibrated_rank for f in found]), roc_area=_mean([f.roc_area for f in found]),
        coverage={level: _mean([f.coverage[level] for f in found]) for level in found[0].coverage},
        degrees_of_freedom=found[0].degrees_of_freedom, support=_mean_support([f.support for f in found if f.support]),
    )  # fmt: skip


def _mean_support(found: list[Support]) -> Support | None:
    if not found:
        return None
    shares = {name: _mean([f.shares[name] for f in found]) for name in SUPPORT}
    return Support(shares, _mean([f.roc_area for f in found]))


def _mean(values: list[float]) -> float:
    finite = [value for value in values if np.isfinite(value)]
    return float(np.mean(finite)) if finite else np.nan
