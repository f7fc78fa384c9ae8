"""Two relations in one scene: a straight line across which the difference of the images jumps, as in a mosaic."""

import numpy as np

ANGLES = np.radians(np.arange(0, 180, 15))
BLOCKS = 12
"""Along a side of the scene, about; a block has MIN_BLOCK_PX to MAX_BLOCK_PX."""
MIN_BLOCK_PX, MAX_BLOCK_PX = 4, 32
MIN_BLOCKS = 16
MIN_SIDE = 0.15
"""Share of the blocks on either side of a seam, at least."""
EXPLAINED = 0.7
"""Share of the blocks' variance that a seam explains, at least; real pairs without one reach 0.68."""
SMOOTHER = 0.65
"""A seam leaves at most this share of what a smooth surface leaves; real pairs without one: 0.7 and more."""
MIN_STEP = 0.1
"""Of the band's mean, at least."""


def find_seam(
    rest: np.ndarray, values: np.ndarray, rows: np.ndarray, cols: np.ndarray, shape: tuple[int, int]
) -> float | None:
    """Return the step, in reflectance, of what is left, `rest` (n,), after the relation to `values`; None without one.

    The step must be there between pixels alike in brightness, too: land differs from water for other reasons.
    """
    side = int(np.clip((shape[0] * shape[1]) ** 0.5 / BLOCKS, MIN_BLOCK_PX, MAX_BLOCK_PX))
    number = rows // side * (shape[1] // side + 1) + cols // side
    _, block, count = np.unique(number, return_inverse=True, return_counts=True)
    parts = np.split(np.argsort(block, kind="stable"), np.cumsum(count)[:-1])
    parts = [part for part in parts if len(part) >= max(8, count.max() / 8)]
    medians = np.array([np.median(rest[part]) for part in parts])
    if len(parts) < MIN_BLOCKS or medians.std() < 1e-6:
        return None
    at = np.stack([2 * cols / shape[1] - 1, 2 * rows / shape[0] - 1])
    u, v = centres = np.array([at[:, part].mean(axis=1) for part in parts]).T
    surface = np.stack([np.ones(len(u)), u, v, u * u, u * v, v * v], axis=1)
    smooth = float(((medians - surface @ np.linalg.lstsq(surface, medians, rcond=None)[0]) ** 2).sum())
    total = float(((medians - medians.mean()) ** 2).sum())
    splits = [(*_split(medians, _across(a) @ centres), a) for a in ANGLES]
    explained, level, angle = max(splits)
    if explained < EXPLAINED * total or total - explained > SMOOTHER * smooth:
        return None
    return _step(rest, values, _across(angle) @ at > level)


def _across(angle: float) -> np.ndarray:
    return np.array([np.cos(angle), np.sin(angle)])


def _split(medians: np.ndarray, position: np.ndarray) -> tuple[float, float]:
    """Return how much of the blocks' sum of squares their best split by position explains, and where that is."""
    order = np.argsort(position, kind="stable")
    sums, n = np.cumsum(medians[order] - medians.mean())[:-1], len(medians)
    left = np.arange(1, n)
    explained = np.where(np.minimum(left, n - left) < MIN_SIDE * n, 0, sums**2 * (1 / left + 1 / (n - left)))
    best = int(explained.argmax())
    return float(explained[best]), float(position[order[best : best + 2]].mean())


def _step(rest: np.ndarray, values: np.ndarray, beyond: np.ndarray) -> float | None:
    """Return the step between the two sides' pixels of equal brightness; None when small, or when there are few."""
    quarters = np.array([np.percentile(values[there], (25, 75)) for there in (beyond, ~beyond)])
    low, high = quarters[:, 0].max(), quarters[:, 1].min()
    alike = (values >= low) & (values <= high)
    sides = [rest[alike & there] for there in (beyond, ~beyond)]
    if min(len(part) for part in sides) < 0.1 * min(beyond.sum(), (~beyond).sum()):
        return None
    step = float(np.median(sides[0]) - np.median(sides[1]))
    return step if abs(step) > MIN_STEP * abs(float(values.mean())) else None
