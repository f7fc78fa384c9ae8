"""How figures of this stage are drawn and saved: colours of an image, PNG with the same bytes for the same figure."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from crossres.files import whole

INK, QUIET, ORANGE = "#222222", "#8a8a8a", "#d55e00"


def save(path: Path, figure: Figure) -> None:
    """Write a figure as PNG; the same figure gives the same bytes."""
    FigureCanvasAgg(figure)
    with whole(path) as part:
        figure.savefig(part, dpi=130, metadata={"Software": None}, facecolor="white")


def rgb(values: np.ndarray, bands: Sequence[str], limits: tuple[np.ndarray, np.ndarray] | None = None) -> np.ndarray:
    """Return (row, column, 3) colours of a (band, row, column) image, between `limits`; NaN is white."""
    names = ("red", "green", "blue") if {"red", "green", "blue"} <= set(bands) else (bands[0],) * 3
    image = values[[list(bands).index(n) for n in names]]
    low, high = limits or stretch(values, bands)
    scaled = np.clip((image - low[:, None, None]) / np.maximum(high - low, 1e-6)[:, None, None], 0, 1)
    return np.where(np.isfinite(image).all(axis=0), scaled, 1.0).transpose(1, 2, 0)


def stretch(values: np.ndarray, bands: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the 1 and 99 percentiles of the bands that `rgb` shows."""
    names = ("red", "green", "blue") if {"red", "green", "blue"} <= set(bands) else (bands[0],) * 3
    image = values[[list(bands).index(n) for n in names]].reshape(3, -1)
    seen = image[:, np.isfinite(image).all(axis=0)]
    if not seen.size:
        return np.zeros(3), np.ones(3)
    low, high = np.percentile(seen, (1, 99), axis=1)
    return low, high
