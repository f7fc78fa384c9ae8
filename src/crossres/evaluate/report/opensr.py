"""The table of opensr-test as the report shows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from crossres.evaluate.results.opensr_table import METRICS, THIS_RUN, reasons


@dataclass(frozen=True)
class OpensrRow:
    """A model of this run, or a published one."""

    model: str
    source: str
    cells: list[str]


@dataclass(frozen=True)
class OpensrReport:
    """The table, and how many scenes stand behind this run's rows."""

    columns: tuple[str, ...]
    rows: list[OpensrRow]
    scenes: int
    left_out: int
    reason: str
    """Why the first scene that is left out is."""


def opensr_report(path: Path, scenes: Sequence[Path]) -> OpensrReport:
    """Return what opensr_test.csv says; without rows when the file is not there or has none of this run."""
    if not path.exists():
        return OpensrReport(METRICS, [], 0, 0, "")
    table = pd.read_csv(path, keep_default_na=True)
    own = table[table["source"] == THIS_RUN]
    missing = reasons(scenes)
    if own.empty:
        return OpensrReport(METRICS, [], 0, len(missing), next(iter(missing.values()), ""))
    rows = [
        OpensrRow(
            f"{row['model']} ({row['image']})" if row["source"] == THIS_RUN else str(row["model"]), str(row["source"]),
            ["" if pd.isna(row[name]) else f"{row[name]:.3f}" for name in METRICS],
        )
        for _, row in table.iterrows()
    ]  # fmt: skip
    return OpensrReport(METRICS, rows, int(own["scenes"].max()), len(missing), next(iter(missing.values()), ""))
