"""LPIPS where weights are at hand: a distance between the features that a network of photographs sees.

Source: Zhang et al. 2018, version 0.1 with AlexNet.
"""

from collections.abc import Sequence
from pathlib import Path

import dask.array as da
import numpy as np
from dask.delayed import Delayed

from crossres.evaluate.metrics.metric import Metric
from crossres.evaluate.metrics.windows import window_parts, windows

RGB = ("red", "green", "blue")
SMALLEST_PX = 64
"""Side below which the deepest features have next to no pixels."""
MOST_BLOCKS = 256
BATCH = 16


class Lpips:
    """LPIPS of every image of a scene against its HR, over the same clear blocks."""

    def __init__(
        self, weights: Path, bands: tuple[str, ...], side: int, corners: list[tuple[int, int]], peak: float
    ) -> None:
        """Take the bands of images and the corners of clear blocks of `side` pixels.

        Reflectance from 0 to `peak` is what the network sees as black to white. Raises `UserError` when the file does
        not hold AlexNet's weights.
        """
        from crossres.evaluate.metrics.alexnet import FeatureDistance  # torch takes seconds to come

        self._distance = FeatureDistance(weights)
        self._bands = [bands.index(name) for name in RGB]
        usable = corners if side >= SMALLEST_PX else []
        self._corners = np.array(usable[:: max(1, -(-len(usable) // MOST_BLOCKS))], np.int64).reshape(-1, 2)
        self._side, self._peak = side, peak

    def parts(self, image: da.Array) -> list[Delayed]:
        """Return what is compared of each block of an image, (band, row, column) reflectance."""
        return window_parts(image[self._bands], self._side, self._corners)

    def distance(
        self, image: Sequence[tuple[np.ndarray, np.ndarray]], hr: Sequence[tuple[np.ndarray, np.ndarray]]
    ) -> float:
        """Return the mean over blocks, from the parts of both; 0 is the same, NaN is without a block of 64 pixels."""
        of_image, of_hr = windows(image), windows(hr)
        if not len(of_hr):
            return float("nan")
        batches = [slice(start, start + BATCH) for start in range(0, len(of_hr), BATCH)]
        total = sum(self._distance.summed(self._shown(of_image[b]), self._shown(of_hr[b])) for b in batches)
        return total / len(of_hr)

    def _shown(self, blocks: np.ndarray) -> np.ndarray:
        return np.clip(blocks / np.float32(self._peak), 0, 1) * 2 - 1


METRICS = (
    Metric[float](
        key="lpips", label="LPIPS", better="lower", digits=3, place=160,
        meaning="perceptual distance: AlexNet's features of red, green and blue against HR's, 0 to peak",
        value=lambda distance: distance,
    ),
)  # fmt: skip
