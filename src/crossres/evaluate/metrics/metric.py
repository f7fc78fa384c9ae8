"""What a metric is: its name, its unit, which way is better, and how it is read from what its family summed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import numpy as np

ALL_BANDS = "together"
"""Stands in tables where a band's name would stand."""

Image = Literal["mean", "sample"]
"""Of an arm: the mean of its samples, or one of them."""
IMAGES: tuple[Image, ...] = ("mean", "sample")
Sums = TypeVar("Sums")
Values = dict[str, float]
"""Key of a metric -> its value."""


@dataclass(frozen=True, kw_only=True)
class Metric(Generic[Sums]):
    """One number that an image gets. `Sums` is what its family knows of an image once all blocks are summed."""

    key: str
    label: str
    unit: str = ""
    better: Literal["higher", "lower"] | None
    """None where neither is: a value to be read, not to be ranked."""
    digits: int
    meaning: str
    place: int
    """Where it stands in tables: the smaller, the further up."""
    value: Callable[[Sums], float | None]
    """Reads it over all bands; None where this image has no such thing."""
    by_band: Callable[[Sums], np.ndarray] | None = None
    """Reads it for each band, (band,)."""
    in_strata: bool = False
    """Whether it can be said of the pixels of one land-cover stratum."""

    def gain(self, difference: float) -> float:
        """Return a difference with the sign that makes better positive."""
        return -difference if self.better == "lower" else difference

    def text(self, value: float | None, signed: bool = False, unit: bool = True) -> str:
        """Return a value with sensible digits, a real minus sign and, if asked, its unit; a dash for no value."""
        if value is None:
            return "–"
        text = f"{value:{'+' if signed else ''}.{self.digits}f}".replace("-", "\N{MINUS SIGN}")
        gap = "" if self.unit in {"", "°"} else "\N{NO-BREAK SPACE}"
        return f"{text}{gap}{self.unit}" if unit else text


def known(value: float) -> float | None:
    """Return a value, None where it is NaN: the image has no such thing."""
    return None if np.isnan(value) else float(value)


def over_bands(metrics: Sequence[Metric[Sums]], sums: Sums) -> Values:
    """Return some metrics of one family over all bands."""
    found = {metric.key: metric.value(sums) for metric in metrics}
    return {key: value for key, value in found.items() if value is not None}


def read(metrics: Sequence[Metric[Sums]], sums: Sums, bands: Sequence[str] = ()) -> dict[str, Values]:
    """Return the metrics of one family, by the names of `bands` and `ALL_BANDS`."""
    found = {metric.key: metric.by_band(sums) for metric in metrics if metric.by_band}
    single = {band: {key: values[i] for key, values in found.items()} for i, band in enumerate(bands)}
    return single | {ALL_BANDS: over_bands(metrics, sums)}
