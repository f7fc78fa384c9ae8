"""Scenes of two relations are found, wherever the seam runs and with land changed beside it; real pairs are kept."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from align_scenes import landscape, to_lr
from scipy import ndimage

from crossres.align.radiometry.fit import ClearPixels, fit_relations
from crossres.align.radiometry.seam import find_seam
from crossres.settings.normalise import NormaliseSettings

SIDE = 160
SEAMS = ["down", "across", "slanting", "a third", "curved", "stepped"]


def beyond(seam: str, side: int = SIDE) -> np.ndarray:
    """Return the (row, column) mask of one side of a mosaic."""
    v, u = (2 * axis / side - 1 for axis in np.indices((side, side)))
    return {
        "down": u > 0.1,
        "across": v > -0.2,
        "slanting": 0.8 * u - 0.6 * v > 0.1,
        "a third": u > 0.35,
        "curved": u + 0.25 * np.sin(3 * v) > 0,
        "stepped": u + 0.4 * (v > 0) > 0.2,
    }[seam]


def seen(low: np.ndarray, high: np.ndarray) -> ClearPixels:
    """Return all pixels of two (band, row, column) images."""
    rows, cols = (axis.ravel() for axis in np.indices(low.shape[1:]))
    one, other = (image.reshape(len(image), -1).astype(np.float32) for image in (low, high))
    return ClearPixels(one, other, rows, cols, low.shape[1:])


def other_sensor(low: np.ndarray, changed: float = 0.0, filled: float | None = None) -> np.ndarray:
    """Return what HR shows of LR reflectance, with a share of the land changed, into what is elsewhere or one level."""
    rng = np.random.default_rng(4)
    high = low / 1.2 + 0.01
    blobs = ndimage.gaussian_filter(rng.normal(size=low.shape[1:]), 8)
    elsewhere = np.roll(high, (50, 70), axis=(1, 2)) if filled is None else filled
    high = np.where(blobs > np.quantile(blobs, 1 - changed), elsewhere, high) if changed else high
    return high + rng.normal(0, 0.002, low.shape)


@pytest.mark.parametrize("seam", SEAMS)
@pytest.mark.parametrize("changed", [0.0, 0.4])
def test_a_mosaic_is_declined_wherever_its_seam_runs(seam: str, changed: float) -> None:
    low = to_lr(landscape(0, 5 * SIDE))
    high = other_sensor(low, changed)
    high[1] += beyond(seam) * 0.3 * high[1].mean()
    found = fit_relations(NormaliseSettings(), seen(low, high))
    assert not found.accepted and found.reason is not None and "two relations" in found.reason
    assert "band 2" in found.reason


@pytest.mark.parametrize("gain", [1.4, 0.7])
def test_sides_of_two_gains_are_declined(gain: float) -> None:
    low = to_lr(landscape(1, 5 * SIDE))
    high = other_sensor(low) * np.where(beyond("slanting"), gain, 1.0)
    assert not fit_relations(NormaliseSettings(), seen(low, high)).accepted


@pytest.mark.parametrize("changed", [0.3, 0.5])
@pytest.mark.parametrize("level", [None, 0.02, 0.75])
def test_change_water_and_snow_are_no_seam(changed: float, level: float | None) -> None:
    low = to_lr(landscape(2, 5 * SIDE))
    found = fit_relations(NormaliseSettings(), seen(low, other_sensor(low, changed, level)))
    assert "two relations" not in (found.reason or "")


def test_water_that_rose_to_a_straight_shore_is_no_seam() -> None:
    """On its side the images show two lands: nothing there says that a sensor saw it brighter."""
    low = to_lr(landscape(5, 5 * SIDE))
    high = other_sensor(low)
    high[:, beyond("down")] = 0.02 + np.random.default_rng(0).normal(0, 0.002, high[:, beyond("down")].shape)
    assert fit_relations(NormaliseSettings(), seen(low, high)).accepted


def test_a_small_or_flat_scene_has_no_seam() -> None:
    rows, cols = (axis.ravel() for axis in np.indices((7, 9)))
    values = np.random.default_rng(0).uniform(size=rows.size)
    assert find_seam(values, values, rows, cols, (7, 9)) is None
    rows, cols = (axis.ravel() for axis in np.indices((40, 40)))
    assert find_seam(np.full(rows.size, 0.1), np.full(rows.size, 0.2), rows, cols, (40, 40)) is None


def twenty_to_ten(folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return Sentinel-2 bands B8A and B08 of one second at 20 m; numbers."""
    pairs = []
    for path in sorted((folder / "lr").glob("*.tif")):
        with rasterio.open(path) as one, rasterio.open(folder / "hr" / path.name) as two:
            low, high = one.read(1).astype(np.float64), two.read(1).astype(np.float64)
        rows, cols = (min(a, b // 2) for a, b in zip(low.shape, high.shape, strict=True))
        pairs.append((low[:rows, :cols], high[: 2 * rows, : 2 * cols].reshape(rows, 2, cols, 2).mean(axis=(1, 3))))
    return pairs


def test_of_real_pairs_only_those_with_a_step_put_in_have_a_seam(real_data: Path) -> None:
    for low, high in twenty_to_ten(real_data / "s2_20to10"):
        clear = (low > 0) & (high > 0)
        rows, cols = np.nonzero(clear)
        for x, y in ((high, low), (low, high)):
            assert find_seam(x[clear], y[clear], rows, cols, low.shape) is None
        step = high[clear] + 0.3 * high[clear].mean() * (cols > 0.55 * low.shape[1])
        assert find_seam(step, low[clear], rows, cols, low.shape) is not None
