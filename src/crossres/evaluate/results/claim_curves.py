"""The claim from a run's own results: its curves over NFE, what is judged of them, and the files of both."""

import logging
from collections.abc import Mapping, Sequence
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
from crossres.settings.sample import STARTS, ArmSettings, Curves, Start

log = logging.getLogger(__name__)

KEYS = (*QUALITIES, *GUARDS)
COLUMNS = ["kind", "start", "nfe", "metric", "mean", "low", "high", "n"]


Points = dict[tuple[Start, str], dict[int, Interval | None]]
"""(start, metric) -> NFE -> mean over scenes and seeds, with its interval."""


@dataclass(frozen=True)
class JudgedKind:
    """A kind of model: its curves over NFE, and what follows from them."""

    points: Points
    judgement: Judgement | None
    """None of a kind that others are held against and that has no LR start."""


@dataclass(frozen=True)
class Sides:
    """What is held against one another: the LR start of a kind of model, and noise starts by kind."""

    lr: Curve
    noise: dict[str, Curve]


def judge_kinds(
    arms: Curves, against: Mapping[str, Sequence[str]], values: Mapping[str, pd.DataFrame]
) -> dict[str, JudgedKind]:
    """Judge the claim for each kind of model with an LR start and noise starts to hold it against.

    `arms` says which arms make a curve, `against` which other kinds' noise starts a kind is held against, `values` is
    as `one_sample` returns it. Kinds that are only held against come last, unjudged.
    """
    judged: dict[str, JudgedKind] = {}
    others: dict[str, JudgedKind] = {}
    for kind, sides in curves(arms, against, values).items():
        points = _points("lr", sides.lr)
        for rival, curve in sides.noise.items():
            if rival == kind:
                points |= _points("noise", curve)
            else:
                others[rival] = JudgedKind(_points("noise", curve), None)
        judged[kind] = JudgedKind(points, judge_claim(sides.lr, sides.noise))
    return judged | {kind: found for kind, found in others.items() if kind not in judged}


def curves(
    arms: Curves, against: Mapping[str, Sequence[str]], values: Mapping[str, pd.DataFrame]
) -> dict[str, Sides]:  # fmt: skip
    """Return by kind of model what is held against one another; kinds with nothing of the sort are left out.

    `values` holds a table per arm: a row per scene, a column per metric. Scenes that an arm lacks are left out of what
    it is part of.
    """
    found: dict[str, Sides] = {}
    for kind in arms:
        rivals = [rival for rival in dict.fromkeys((kind, *against.get(kind, ()))) if _has(arms, rival, "noise")]
        if not _has(arms, kind, "lr") or not rivals:
            continue
        parts: list[tuple[str, Start]] = [(kind, "lr"), *((rival, STARTS[1]) for rival in rivals)]
        names = [arm for of, start in parts for model in arms[of].values() for arm in model[start].values()]
        scenes = sorted(set.intersection(*(set(values[arm].index) for arm in names)))
        lr, *noise = (_curve(arms[of], start, scenes, values) for of, start in parts)
        if complete_scenes(lr, *noise).any():
            found[kind] = Sides(lr, dict(zip(rivals, noise)))
        else:
            log.info("claim: no scene has every metric of %s from both starts; it is not judged", kind)
    return found


def _has(arms: Curves, kind: str, start: Start) -> bool:
    return all(start in starts for starts in arms.get(kind, {"": {}}).values())


def _curve(
    models: Mapping[str, Mapping[Start, Mapping[int, str]]], start: Start, scenes: Sequence[str],
    values: Mapping[str, pd.DataFrame],
) -> Curve:  # fmt: skip
    of_start = [starts[start] for starts in models.values()]
    return {
        nfe: {key: np.array([values[by_nfe[nfe]].loc[scenes, key] for by_nfe in of_start], np.float64) for key in KEYS}
        for nfe in sorted(of_start[0])
    }


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
    write_record(output, Claim({kind: found.judgement for kind, found in kinds.items() if found.judgement}))
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


def _points(start: Start, curve: Curve) -> Points:
    return {(start, key): {nfe: interval(metrics[key]) for nfe, metrics in sorted(curve.items())} for key in KEYS}
