"""Sliced Wasserstein distance between the patches of two images: whether texture is distributed as in HR.

Source: Rabin et al. 2011; over patches of images as in Karras et al. 2018, without their pyramid.
"""

from collections.abc import Sequence

import dask.array as da
import numpy as np
from dask.delayed import Delayed

from crossres.evaluate.metrics.local_indices import windows_clear
from crossres.evaluate.metrics.metric import Metric
from crossres.evaluate.metrics.windows import window_parts, windows

PATCH_PX = 7
PROJECTIONS = 256
MAX_PATCHES = 8192


class PatchSlices:
    """The same seeded patches and projections for every image of a scene."""

    def __init__(self, clear: np.ndarray, means: np.ndarray, stds: np.ndarray, seed: int) -> None:
        """Draw patches whose pixels are all clear; (band,) means and standard deviations are those of HR there."""
        rng = np.random.default_rng([seed, 1])
        centres = np.flatnonzero(windows_clear(clear, PATCH_PX))
        if len(centres) > MAX_PATCHES:
            centres = np.sort(rng.choice(centres, MAX_PATCHES, replace=False))
        self._corners = np.stack(np.unravel_index(centres, clear.shape), axis=1) - PATCH_PX // 2
        self._mean, self._std = (np.asarray(x, np.float32)[:, None, None] for x in (means, np.maximum(stds, 1e-6)))
        directions = rng.standard_normal((len(means) * PATCH_PX**2, PROJECTIONS)).astype(np.float32)
        self._directions = directions / np.linalg.norm(directions, axis=0)

    def parts(self, image: da.Array) -> list[Delayed]:
        """Return the patches of each block of an image (band, row, column), for `project`."""
        return window_parts(image, PATCH_PX, self._corners)

    def project(self, parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """Return the sorted projections of an image's patches, (projection, patch), in standard deviations of HR.

        Products are of doubles and their results rounded: how many threads a busy machine gives does not show.
        """
        patches = (windows(parts) - self._mean) / self._std
        products = patches.reshape(len(patches), -1).astype(np.float64) @ self._directions.astype(np.float64)
        return np.sort(products.astype(np.float32).T, axis=1)


def sliced_wasserstein(a: np.ndarray, b: np.ndarray) -> float:
    """Return the mean 1-Wasserstein distance of sorted projections, in hundredths of HR's standard deviation."""
    return float(100 * np.abs(a - b).mean()) if a.size else float("nan")


METRICS = (
    Metric[float](
        key="swd", label="SWD", unit="% of HR std", better="lower", digits=2, place=150,
        meaning="sliced Wasserstein distance: how unlike HR's the texture of 7 × 7 patches is",
        value=lambda distance: distance,
    ),
)  # fmt: skip
