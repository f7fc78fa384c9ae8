"""Print what runs of config/real say, as tables of docs/explanation/claim.md.

    python config/real/table.py results/real_*

Every table has a row or several for each run: the product beside bicubic and regression, by quality and by downstream
use, the claim, and the prior module's worth. Differences are paired by place (and seed), with their 95 % intervals. A
run with product.yaml alone has the first two.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from crossres.evaluate.metrics.metric import IMAGES
from crossres.evaluate.metrics.registry import BY_KEY, shown
from crossres.evaluate.results.claim_curves import read_claim
from crossres.evaluate.results.intervals import Interval, difference, few
from crossres.evaluate.results.summarise import read_table, values_of
from crossres.evaluate.results.summary import Summary
from crossres.layout import RunFolder
from crossres.settings.config import load_record

KEYS = ("psnr_db", "spectrum_error", "swd", "hallucination")
DOWNSTREAM = ("boundary_f_1px", "boundary_f_2px", "cover_accuracy", "cover_miou", "parcel_ndvi_rmse")
PRODUCT, WITH_PRIOR, WITHOUT = "lr_start", "residual", "concat"
NFE = 2


def main(runs: Iterable[Path]) -> None:
    """Print the tables of these runs, of which each is a folder of results."""
    folders = [RunFolder(run) for run in runs]
    for title, head, rows in (
        ("Product", ["set", "", *(BY_KEY[key].label for key in KEYS)], _product),
        ("Downstream", ["set", "", *(BY_KEY[key].label for key in DOWNSTREAM)], _downstream),
        ("Claim", ["set", "quality", "noise start's best", "speed-up", "there", "claim"], _claim),
        ("Starts", ["set", "", *(BY_KEY[key].label for key in KEYS)], _starts),
        ("Prior", ["set", "", *(BY_KEY[key].label for key in KEYS)], _prior),
    ):
        print(f"\n{title}\n")
        for cells in [head, ["---"] * len(head), *(row for folder in folders for row in rows(folder))]:
            print("|", " | ".join(cells), "|")


def _product(run: RunFolder, keys: Iterable[str] = KEYS) -> list[list[str]]:
    name, values = _name(run), _values(run)
    images = {
        "bicubic": values["bicubic", "sample"],
        "regression": values["regression", "sample"],
        "mean of four samples": values[PRODUCT, "mean"],
        "one sample": [values[arm, "sample"] for arm in _arms(run, WITH_PRIOR)],
    }
    rows = [[name, image, *(_mean(key, of) for key in keys)] for image, of in images.items()]
    for image, other in (("mean of four samples", "bicubic"), ("mean of four samples", "regression"),
                         ("one sample", "bicubic"), ("one sample", "regression")):  # fmt: skip
        rows.append([name, f"{image} less {other}", *(_apart(key, images[image], images[other]) for key in keys)])
    return rows


def _downstream(run: RunFolder) -> list[list[str]]:
    return _product(run, DOWNSTREAM)


def _claim(run: RunFolder) -> list[list[str]]:
    rows = []
    for kind, judgement in read_claim(run.folder / "evaluation" / "claim.json").items():
        if kind != WITH_PRIOR:
            continue
        for quality, found in judgement.evidence.items():
            speed = found.speed_up
            best = f"{shown(quality, speed.tau)} at {speed.best_nfe} ({found.noise_of[speed.best_nfe]})"
            ends = "" if speed.low is None else f" ({speed.low:g} to {speed.high:g})"
            parts = f"{speed.noise_nfe} over {speed.lr_nfe or 'never'}"
            there = "; ".join(
                f"{BY_KEY[key].label} {_interval(key, apart)}" for key, apart in found.differences.items()
            )
            label = BY_KEY[quality].label
            rows.append([_name(run), label, best, f"{speed.value:g}{ends}: {parts}", there, found.verdict])
    return rows


def _starts(run: RunFolder) -> list[list[str]]:
    """Return what NFE evaluations from LR do, less the noise start of each rival where that is best in SWD."""
    values, sample = _values(run), load_record(run.config).sample
    ours = [values[arm, "sample"] for arm in _arms(run, WITH_PRIOR)]
    rows = []
    for rival in sample.against()[WITH_PRIOR]:
        starts = [starts["noise"] for starts in sample.curves()[rival].values()]
        by_nfe = {nfe: [values[of[nfe], "sample"] for of in starts] for nfe in starts[0]}
        best = min(by_nfe, key=lambda nfe: np.nanmean(_seeds("swd", by_nfe[nfe])))
        theirs = by_nfe[best]
        rows.append([_name(run), f"{rival}, {best}", *(_mean(key, theirs) for key in KEYS)])
        rows.append([_name(run), f"LR start, {NFE}, less this", *(_apart(key, ours, theirs) for key in KEYS)])
    return rows


def _prior(run: RunFolder) -> list[list[str]]:
    values = _values(run)
    if WITHOUT not in load_record(run.config).sample.curves():
        return []
    ours, theirs = ([values[arm, "sample"] for arm in _arms(run, kind)] for kind in (WITH_PRIOR, WITHOUT))
    return [
        [_name(run), "with the prior module", *(_mean(key, ours) for key in KEYS)],
        [_name(run), "without", *(_mean(key, theirs) for key in KEYS)],
        [_name(run), "difference", *(_apart(key, ours, theirs) for key in KEYS)],
    ]


def _name(run: RunFolder) -> str:
    scenes = Summary.read(run.folder / "evaluation" / "summary.json").scenes
    return f"{run.folder.name.removeprefix('real_')} ({len(scenes)})"


def _arms(run: RunFolder, kind: str) -> list[str]:
    """Return the arm of each seed of a kind, from LR with NFE evaluations."""
    return [starts["lr"][NFE] for starts in load_record(run.config).sample.curves()[kind].values()]


Table = pd.DataFrame
"""(scene, metric) values of one image of one arm."""


def _values(run: RunFolder) -> dict[tuple[str, str], Table]:
    table = read_table(run.table)
    arms = load_record(run.config).sample.arms
    return {(arm, image): values_of(table, arm, image) for arm in arms for image in IMAGES}


def _seeds(key: str, of: Table | list[Table]) -> np.ndarray:
    """Return a metric as (seed, scene)."""
    return np.array([one[key] for one in (of if isinstance(of, list) else [of])], np.float64)


def _mean(key: str, of: Table | list[Table]) -> str:
    values = _seeds(key, of)
    return shown(key, float(np.nanmean(values)), unit=False) if np.isfinite(values).any() else ""


def _apart(key: str, one: Table | list[Table], other: Table | list[Table]) -> str:
    return _interval(key, difference(_seeds(key, one) - _seeds(key, other), BY_KEY[key]))


def _interval(key: str, found: Interval | None) -> str:
    if found is None:
        return ""
    mean = shown(key, found.mean, signed=True, unit=False)
    if few(found.n):
        return f"{mean} (few)"
    return f"{mean} ({shown(key, found.low, unit=False)} to {shown(key, found.high, unit=False)})"


if __name__ == "__main__":
    main(map(Path, sys.argv[1:]))
