"""The contact sheet: some patches of every split, LR beside HR, as a person would want to see them first."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from crossres.drawing import DPI, INK, caption, image, rgb_bands
from crossres.imagery.numbers import to_reflectance

COLUMNS = 4


def contact_sheet(patches: Sequence[dict[str, np.ndarray]], titles: Sequence[str], bands: Sequence[str]) -> Figure:
    """Draw patches (`lr` and `hr` (C, y, x) uint16 DN), four couples a row, each under its title."""
    rows = max(1, -(-len(patches) // COLUMNS))
    figure = Figure(figsize=(2.9 * COLUMNS, 1.72 * rows + 0.35), layout="constrained", dpi=DPI)
    cells = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes in cells:
        image(axes)
    ranges = [np.ptp(np.nanpercentile(_rgb(patch["lr"], bands), (1, 99), axis=(1, 2)), axis=0) for patch in patches]
    least = np.median(ranges, axis=0)
    for axes, patch, title in zip(cells, patches, titles, strict=False):
        lr, hr = _rgb(patch["lr"], bands), _rgb(patch["hr"], bands)
        low, high = _limits(np.concatenate([lr.reshape(3, -1), hr.reshape(3, -1)], axis=1), least)
        gap = np.ones((hr.shape[1], max(1, hr.shape[1] // 40), 3))
        axes.imshow(
            np.concatenate([_picture(_enlarged(lr, hr.shape[1]), low, high), gap, _picture(hr, low, high)], axis=1),
            interpolation="antialiased",
        )
        axes.set_title(title, fontsize=7.5, loc="left", color=INK, pad=3)
    caption(figure, "LR | HR")
    return figure


def _rgb(dn: np.ndarray, bands: Sequence[str]) -> np.ndarray:
    return to_reflectance(dn[rgb_bands(bands)])


def _limits(values: np.ndarray, least: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a couple's stretch by colour: its percentiles, but no narrower than `least`, which would blow up noise."""
    low, high = np.nanpercentile(values, (1, 99), axis=1)
    spare = np.maximum(least - (high - low), 0) / 2
    return low - spare, high + spare


def _enlarged(image: np.ndarray, side: int) -> np.ndarray:
    """Return the image with each pixel as a block, on `side` pixels."""
    index = (np.arange(side) * image.shape[1]) // side
    return image[:, index][:, :, index]


def _picture(image: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    scaled = (image - low[:, None, None]) / np.maximum(high - low, 1e-3)[:, None, None]
    return np.nan_to_num(np.clip(0.04 + 0.88 * scaled, 0, 1), nan=1.0).transpose(1, 2, 0)
