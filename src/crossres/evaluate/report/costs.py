"""`costs`: what a run took in time and memory, rule by rule, from Snakemake's benchmark files.

It is a page of its own since these numbers change with the machine: the report's bytes do not.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from crossres.errors import UserError
from crossres.evaluate.report.html import render
from crossres.files import whole


@dataclass(frozen=True)
class Cost:
    """What all jobs of a rule took."""

    rule: str
    jobs: int
    wall_s: float
    longest_s: float
    cpu_s: float
    memory_gb: float
    """Peak of the largest job; NaN where all were too short to be sampled."""


def costs(run: Path, output: Path) -> None:
    """Write a page with the jobs, wall time, CPU time and peak memory of each rule of a run.

    `run` is its result folder. Raises `UserError` when it has no benchmark files.
    """
    rules = _rules(run / "benchmarks")
    if not rules:
        raise UserError(f"{run / 'benchmarks'}: no benchmark files; the run was not made by the workflow, or not yet")
    page = render(
        "costs.html", run=run.name, rules=rules, jobs=sum(cost.jobs for cost in rules),
        wall_min=sum(cost.wall_s for cost in rules) / 60, cpu_min=sum(cost.cpu_s for cost in rules) / 60,
    )  # fmt: skip
    with whole(output) as part:
        part.write_text(page, encoding="utf-8")


def _rules(folder: Path) -> list[Cost]:
    """Return each rule's costs, the longest first; its files lie in a folder of its name, or it has one of its name."""
    frames = []
    for path in sorted(folder.rglob("*.tsv")):
        frame = pd.read_csv(path, sep="\t", na_values=["-", "NA"])
        frames.append(frame.assign(rule=path.relative_to(folder).parts[0].removesuffix(".tsv")))
    if not frames:
        return []
    found = [
        Cost(
            rule=str(rule), jobs=len(jobs), wall_s=float(jobs["s"].sum()), longest_s=float(jobs["s"].max()),
            cpu_s=float(jobs["cpu_time"].fillna(0).sum()), memory_gb=float(jobs["max_rss"].max()) / 1024,
        )
        for rule, jobs in pd.concat(frames).groupby("rule")
    ]  # fmt: skip
    return sorted(found, key=lambda cost: -cost.wall_s)
