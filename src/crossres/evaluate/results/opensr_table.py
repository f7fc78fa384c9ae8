"""The table of opensr-test: this run's arms, and below them what is published of other models."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from crossres.evaluate.metrics.metric import IMAGES
from crossres.evaluate.metrics.opensr_scene import OpensrScene
from crossres.evaluate.metrics.opensr_test import OpensrTest
from crossres.files import whole
from crossres.records import read_record, write_record

NAME = "opensr_test.json"
METRICS = tuple(field.name for field in fields(OpensrTest))
THIS_RUN = "this run"
README = "README of opensr-test 1.3.3 (normalized difference, by pixel), on its own scenes"
SYNAPSE = "README of synapse-sr 0.4.1, mean over 178 of opensr-test's own scenes"
PUBLISHED: tuple[tuple[str, str, tuple[float, ...]], ...] = (
    ("SEN2SR", SYNAPSE, (0.150, 0.759, 0.091)),
    ("LDSR-S2", SYNAPSE, (0.197, 0.599, 0.204)),
    ("satlas", SYNAPSE, (0.129, 0.181, 0.690)),
    ("synapse-sr", SYNAPSE, (0.199, 0.631, 0.171)),
    ("bicubic", SYNAPSE, (0.102, 0.830, 0.068)),
    ("ldm_baseline", README, (0.0505, 9.6923, 0.0715, 0.0285, 0.0845, 0.3088, 0.6067)),
    ("opensrmodel", README, (0.0031, 1.2632, 0.0114, 0.0068, 0.1976, 0.4593, 0.3431)),
    ("satlas", README, (0.0489, 12.1231, 0.2742, 0.0227, 0.0923, 0.1073, 0.8004)),
    ("sr4rs", README, (0.0396, 3.4044, 1.0037, 0.0177, 0.1089, 0.1637, 0.7274)),
    ("superimage", README, (0.0029, 1.5672, 0.0132, 0.0046, 0.1686, 0.6288, 0.2026)),
)
"""Model, source, and the last three or all of METRICS."""


def write_scene(folder: Path, found: OpensrScene) -> None:
    """Write opensr_test.json of a scene's folder."""
    write_record(folder / NAME, found)


def write_table(path: Path, scenes: Sequence[Path]) -> None:
    """Write the CSV: a row for each arm and image with means over scenes, then the published rows.

    `scenes` are folders with opensr_test.json. `<metric>_std` is the standard deviation over scenes, empty for fewer
    than two; `scenes` counts them.
    """
    found = [read_record(OpensrScene, folder / NAME) for folder in scenes]
    arms = dict.fromkeys(arm for scene in found for arm in scene.arms)
    rows = [
        _row(arm, image, [asdict(scene.arms[arm][image]) for scene in found if arm in scene.arms])
        for arm in arms
        for image in IMAGES
    ]
    for model, source, values in PUBLISHED:
        known = dict(zip(METRICS[-len(values) :], values, strict=True))
        rows.append({"model": model, "image": "", "source": source, **known})
    columns = ["model", "image", "source", "scenes", *(c for m in METRICS for c in (m, f"{m}_std"))]
    table = pd.DataFrame(rows, columns=columns)
    table["scenes"] = table["scenes"].astype("Int64")
    with whole(path) as part:
        table.round(6).to_csv(part, index=False)


def _row(arm: str, image: str, values: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    row: dict[str, Any] = {"model": arm, "image": image, "source": THIS_RUN, "scenes": len(values)}
    for metric in METRICS:
        finite = [one[metric] for one in values if np.isfinite(one[metric])]
        row[metric] = float(np.mean(finite)) if finite else np.nan
        row[f"{metric}_std"] = float(np.std(finite, ddof=1)) if len(finite) > 1 else np.nan
    return row


def reasons(scenes: Sequence[Path]) -> dict[str, str]:
    """Return why scenes are not in the table, by the name of their folder."""
    found = {folder.name: read_record(OpensrScene, folder / NAME) for folder in scenes}
    return {name: scene.reason for name, scene in found.items() if scene.reason is not None}
