"""Fair CRPS: how far samples are from HR, less half of how far they are from each other.

E|x - y| - E|x - x'| / 2, in reflectance, which is smallest when samples come from the distribution that HR comes from,
whatever their number. Source: Ferro 2014; Zamo and Naveau 2018.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import dask.array as da
import numpy as np
from dask.delayed import Delayed

from crossres.evaluate.metrics.aligned_pair import Arm
from crossres.evaluate.metrics.metric import Metric
from crossres.evaluate.metrics.pixels import chosen
from crossres.imagery.neighbourhood import per_neighbourhood

STRIP_ROWS = 128


@dataclass(frozen=True)
class Crps:
    """The two terms over clear pixels, (band,) reflectance."""

    error: np.ndarray
    """Mean absolute error of one sample: E|x - y|, since any sample is like any other."""
    spread: np.ndarray
    """E|x - x'| / 2, which is sigma / sqrt(pi) of Gaussian samples; 0 of one image."""

    @property
    def fair(self) -> np.ndarray:
        """Return the score of each band, (band,)."""
        return self.error - self.spread

    def of_one_image(self) -> "Crps":
        """Return the score of one sample alone, as if it were all that is known."""
        return Crps(self.error, np.zeros_like(self.spread))


def crps_parts(arm: Arm, hr: da.Array, clear: np.ndarray) -> list[Delayed]:
    """Return the sums over each block, for `crps`; images are (band, row, column), `clear` is (row, column)."""
    return per_neighbourhood(partial(_sums, values=arm.std_values), 0, arm.one, arm.std, hr, clear)


def crps(parts: Sequence[np.ndarray], pixels: int, arm: Arm) -> Crps:
    """Return both terms from the sums over all blocks, of so many clear pixels."""
    error, std = np.sum(parts, axis=0) / pixels
    sigma = std / arm.ensemble.std_scale / arm.ensemble.c4
    return Crps(error, sigma / np.sqrt(np.pi))


def _sums(sample: np.ndarray, std: np.ndarray, hr: np.ndarray, clear: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return (2, band): the sums of |one sample - HR| and of std."""
    total = np.zeros((2, len(hr)))
    for top in range(0, len(clear), STRIP_ROWS):
        rows = slice(top, top + STRIP_ROWS)
        x, s, y = (chosen(image[:, rows], clear[rows]) for image in (sample, std, hr))
        total += [part.sum(axis=1, dtype=np.float64) for part in (np.abs(x - y), values[s])]
    return total


METRICS = (
    Metric[Crps](
        key="crps", label="Fair CRPS", unit="reflectance", better="lower", digits=4, place=75,
        meaning="continuous ranked probability score, for any number of samples: mean absolute error of one sample, "
        "less half of what samples differ by (of Gaussian ones with such a std); of one image its mean absolute error",
        value=lambda found: float(found.fair.mean()), by_band=lambda found: found.fair,
    ),
)  # fmt: skip
