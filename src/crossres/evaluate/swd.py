"""Sliced Wasserstein distance between the patches of two images: whether texture is distributed as in HR.

Source: Rabin et al. 2011; over patches of images as in Karras et al. 2018, without their pyramid.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from crossres.evaluate.structure import windows_clear

PATCH_PX = 7
PROJECTIONS = 256
MAX_PATCHES = 8192


class PatchSlices:
    """The same seeded patches and projections for every image of a scene."""

    def __init__(self, hr: np.ndarray, clear: np.ndarray, seed: int) -> None:
        """Draw patches whose pixels are all clear; HR (band, row, column) gives each band's mean and spread."""
        rng = np.random.default_rng([seed, 1])
        centres = np.flatnonzero(windows_clear(clear, PATCH_PX))
        if len(centres) > MAX_PATCHES:
            centres = np.sort(rng.choice(centres, MAX_PATCHES, replace=False))
        half = PATCH_PX // 2
        self._rows, self._cols = (index - half for index in np.unravel_index(centres, clear.shape))
        self._mean = np.array([h[clear].mean() for h in hr], np.float32)[:, None, None]
        self._std = np.array([max(h[clear].std(), 1e-6) for h in hr], np.float32)[:, None, None]
        directions = rng.standard_normal((len(hr) * PATCH_PX**2, PROJECTIONS)).astype(np.float32)
        self._directions = directions / np.linalg.norm(directions, axis=0)

    def project(self, image: np.ndarray) -> np.ndarray:
        """Return the sorted projections of an image's patches, (projection, patch), in standard deviations of HR.

        Products are of doubles and their results rounded: how many threads a busy machine gives does not show.
        """
        windows = sliding_window_view(image, (PATCH_PX, PATCH_PX), axis=(1, 2))
        patches = windows[:, self._rows, self._cols].transpose(1, 0, 2, 3)
        patches = (patches - self._mean) / self._std
        products = patches.reshape(len(patches), -1).astype(np.float64) @ self._directions.astype(np.float64)
        return np.sort(products.astype(np.float32).T, axis=1)


def sliced_wasserstein(a: np.ndarray, b: np.ndarray) -> float:
    """Return the mean 1-Wasserstein distance of sorted projections, in hundredths of HR's standard deviation."""
    return float(100 * np.abs(a - b).mean()) if a.size else float("nan")
