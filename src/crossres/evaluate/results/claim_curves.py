"""The claim from a run's own results: its curves over NFE, what is judged of them, and the files of both."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from crossres.evaluate.metrics.scene_metrics import ALL_BANDS
from crossres.evaluate.results.claim import GUARDS, QUALITIES, Claim, Curve, Judgement, complete_scenes, judge_claim
from crossres.evaluate.results.intervals import Interval, interval
from crossres.evaluate.results.summary import ALL_STRATA
from crossres.files import whole
from crossres.records import read_record, write_record
from crossres.settings.evaluate import EvaluateSettings
from crossres.settings.sample import STARTS, ArmSettings, Curves, Start

log = logging.getLogger(__name__)

KEYS = (*QUALITIES, *GUARDS)
COLUMNS = ["kind", "start", "nfe", "metric", "mean", "low", "high", "n"]


@dataclass(frozen=True)
class JudgedKind:
    """A kind of model: its curves over NFE from both starts, and what follows from them."""

    points: dict[tuple[Start, str], dict[int, Interval | None]]
    """(start, metric) -> NFE -> mean over scenes and seeds, with its interval over scenes."""
    judgement: Judgement


def judge_kinds(settings: EvaluateSettings, arms: Curves, values: Mapping[str, pd.DataFrame]) -> dict[str, JudgedKind]:
    """Judge the claim for each kind of model that is sampled from both starts.

    `arms` says which arms make a curve, `values` is as `one_sample` returns it.
    """
    return {
        kind: JudgedKind(
            points={(start, key): _at_each_nfe(starts[start], key, settings) for start in STARTS for key in KEYS},
            judgement=judge_claim(starts["lr"], starts["noise"], settings.bootstrap, settings.seed),
        )
        for kind, starts in curves(arms, values).items()
    }


def curves(arms: Curves, values: Mapping[str, pd.DataFrame]) -> dict[str, dict[Start, Curve]]:
    """Return kind of model -> start -> curve, for kinds that are sampled from both starts.

    `values` holds a table per arm: a row per scene, a column per metric. Scenes that an arm of the kind lacks are left
    out of it.
    """
    found: dict[str, dict[Start, Curve]] = {}
    for kind, seeds in arms.items():
        if not all(set(starts) == set(STARTS) for starts in seeds.values()):
            continue
        tables = [values[arm] for starts in seeds.values() for by_nfe in starts.values() for arm in by_nfe.values()]
        scenes = sorted(set.intersection(*(set(table.index) for table in tables)))
        one = next(iter(seeds.values()))
        both: dict[Start, Curve] = {
            start: {
                nfe: {
                    key: np.array([values[s[start][nfe]].loc[scenes, key] for s in seeds.values()], np.float64)
                    for key in KEYS
                }
                for nfe in sorted(one[start])
            }
            for start in STARTS
        }
        if complete_scenes(both["lr"], both["noise"]).any():
            found[kind] = both
        else:
            log.info("claim: no scene has every metric of %s from both starts; it is not judged", kind)
    return found


def one_sample(table: Path) -> dict[str, pd.DataFrame]:
    """Return the metrics of one sample of each arm from summarise's table: a row per scene, a column per metric."""
    rows = pd.read_parquet(table)
    chosen = rows[(rows.band == ALL_BANDS) & (rows.stratum == ALL_STRATA) & (rows["image"] == "sample")]
    return {
        str(arm): own.pivot(index="scene", columns="metric", values="value").reindex(columns=list(KEYS)).sort_index()
        for arm, own in chosen.groupby("arm")
    }


def without_steps(arms: Mapping[str, ArmSettings], values: Mapping[str, pd.DataFrame]) -> dict[str, pd.Series]:
    """Return the means over scenes, by metric, of the arms that stand beside the curves: they take no steps."""
    return {
        name: values[name].mean()
        for name, arm in arms.items()
        if arm.start in {"regression", "bicubic"} and arm.model == "main" and name in values
    }


def write_claim(kinds: Mapping[str, JudgedKind], output: Path, table: Path) -> None:
    """Write the judgements as claim.json, and the curves as a table: a row per kind, start, NFE and metric."""
    write_record(output, Claim({kind: found.judgement for kind, found in kinds.items()}))
    rows = [
        dict(kind=kind, start=start, nfe=nfe, metric=key, **asdict(point))
        for kind, found in kinds.items()
        for (start, key), by_nfe in found.points.items()
        for nfe, point in by_nfe.items()
        if point
    ]
    with whole(table) as part:
        pd.DataFrame(rows, columns=COLUMNS).to_parquet(part, index=False)


def read_claim(path: Path) -> dict[str, Judgement]:
    """Return the judgement of each kind of model from claim.json; `UserError` when it holds something else."""
    return read_record(Claim, path).kinds


def _at_each_nfe(curve: Curve, key: str, settings: EvaluateSettings) -> dict[int, Interval | None]:
    return {
        nfe: interval(metrics[key].mean(axis=0), settings.bootstrap, settings.seed)
        for nfe, metrics in sorted(curve.items())
    }
