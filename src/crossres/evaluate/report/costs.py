"""`costs`: what a run took in time and memory, rule by rule, from Snakemake's benchmark files.

It is a page of its own since these numbers change with the machine: the report's bytes do not.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from crossres.errors import UserError
from crossres.evaluate.report.html import render
from crossres.files import whole


def costs(run: Path, output: Path) -> None:
    """Write a page with the jobs, wall time, CPU time and peak memory of each rule of a run.

    `run` is its result folder. Raises `UserError` when it has no benchmark files.
    """
    rows = _rules(run / "benchmarks")
    if not rows:
        raise UserError(f"{run / 'benchmarks'}: no benchmark files; the run was not made by the workflow, or not yet")
    total = {key: sum(row[key] for row in rows) for key in ("jobs", "wall_s", "cpu_s")}
    with whole(output) as part:
        part.write_text(render("costs.html", run=run.name, rows=rows, total=total), encoding="utf-8")


def _rules(folder: Path) -> list[dict[str, Any]]:
    """Return each rule's costs, the longest first; its files lie in a folder of its name, or it has one of its name."""
    frames = []
    for path in sorted(folder.rglob("*.tsv")):
        frame = pd.read_csv(path, sep="\t", na_values=["-", "NA"])
        frames.append(frame.assign(rule=path.relative_to(folder).parts[0].removesuffix(".tsv")))
    if not frames:
        return []
    table = pd.concat(frames)
    rows = [
        dict(
            rule=rule, jobs=len(jobs), wall_s=float(jobs["s"].sum()), longest_s=float(jobs["s"].max()),
            cpu_s=float(jobs["cpu_time"].fillna(0).sum()), memory_gb=float(jobs["max_rss"].max()) / 1024,
        )
        for rule, jobs in table.groupby("rule")
    ]  # fmt: skip
    return sorted(rows, key=lambda row: -row["wall_s"])
