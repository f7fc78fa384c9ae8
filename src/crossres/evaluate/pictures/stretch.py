"""From reflectance to what an eye sees: one stretch, taken from HR, for every image of a scene."""

from dataclasses import dataclass

import matplotlib
import numpy as np

from crossres.evaluate.metrics.percentile import percentile
from crossres.imagery.numbers import OFFSET, SCALE
from crossres.imagery.shown import PERCENTILES, shown_bands

DOUBT_MAP = "viridis"
MASKED_GREY = 128


@dataclass(frozen=True)
class Stretch:
    """A linear stretch of the bands that are shown as red, green, blue."""

    shown: tuple[int, int, int]
    low: np.ndarray
    high: np.ndarray
    doubt_high: float
    """Top of the colour scale of what is drawn, or of std, in reflectance."""

    def colour(self, image: np.ndarray) -> np.ndarray:
        """Return (band, row, column) reflectance as (row, column, 3) uint8; grey where there is no data."""
        rgb = (image[list(self.shown)] - self.low[:, None, None]) / (self.high - self.low)[:, None, None]
        bytes_ = np.rint(np.clip(np.nan_to_num(rgb), 0, 1) * 255).astype(np.uint8)
        bytes_[:, ~np.isfinite(rgb).all(axis=0)] = MASKED_GREY
        return bytes_.transpose(1, 2, 0)

    def doubt(self, amplitude: np.ndarray) -> np.ndarray:
        """Return the mean over bands of what is drawn, or of std, as (row, column, 3) uint8, dark to bright."""
        level = np.clip(np.nan_to_num(amplitude.mean(axis=0)) / self.doubt_high, 0, 1)
        return (matplotlib.colormaps[DOUBT_MAP](level)[..., :3] * 255).astype(np.uint8)


def stretch_from(
    hr_counts: np.ndarray, doubt_counts: np.ndarray, doubt_values: np.ndarray, bands: tuple[str, ...], doubt_bands: int
) -> Stretch:
    """Return the stretch of a scene: percentiles of HR's clear pixels, per band.

    `hr_counts` are how many clear pixels of each band have each number, (band, n), as `imagery.numbers` keeps them;
    `doubt_counts` how many have each sum over `doubt_bands` bands of the numbers of what is drawn or of std,
    `doubt_values` what one such number stands for.
    """
    shown = shown_bands(bands)
    numbers = np.array([[percentile(hr_counts[i], percent) for percent in PERCENTILES] for i in shown])
    limits = (numbers * SCALE + OFFSET).astype(np.float32)
    mean_number = percentile(doubt_counts, 99) / doubt_bands
    doubt_high = float(np.interp(mean_number, np.arange(len(doubt_values)), doubt_values))
    return Stretch(shown, limits[:, 0], np.maximum(limits[:, 1], limits[:, 0] + 1e-4), max(doubt_high, 1e-4))
