"""All metrics: each family declares its own, and tables, figures and words go over them here."""

from typing import Any

from crossres.evaluate.metrics import (
    boundaries,
    consistency,
    crps,
    fidelity,
    land_cover,
    lpips,
    parcels,
    shift_tolerant,
    spectrum,
    structure,
    swd,
    triplet,
)  # fmt: skip
from crossres.evaluate.metrics.metric import Metric

FAMILIES: tuple[tuple[Metric[Any], ...], ...] = (
    fidelity.METRICS, crps.METRICS, shift_tolerant.METRICS, structure.METRICS, spectrum.METRICS, swd.METRICS,
    lpips.METRICS, triplet.METRICS, consistency.METRICS, boundaries.METRICS, land_cover.METRICS, parcels.METRICS,
)  # fmt: skip
METRICS = tuple(sorted((metric for family in FAMILIES for metric in family), key=lambda metric: metric.place))
BY_KEY = {metric.key: metric for metric in METRICS}
IN_STRATA = tuple(metric.key for metric in METRICS if metric.in_strata)
"""What can be said of the pixels of one land-cover stratum."""

NOT_AVAILABLE = {
    "LPIPS": "needs a network's weights, trained on photographs; none come with this package, and nothing is "
    "fetched while it runs: name a file in evaluate.lpips_weights",
    "FID": "needs the Inception network's weights and thousands of images; a Fréchet distance on other features would "
    "not be FID",
}
"""Metrics that readers ask for and that may not be measured, with the reason."""


def shown(key: str, value: float | None, signed: bool = False, unit: bool = True) -> str:
    """Return a metric's value as text; see `Metric.text`."""
    return BY_KEY[key].text(value, signed, unit)
