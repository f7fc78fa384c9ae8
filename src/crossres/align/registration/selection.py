"""Which displacement field the tie points justify: the simplest one that predicts held-out matches well.

Windows overlap, so a window that is left out of a fit is still seen by its neighbours: they share most of its pixels
and so most of its error, and would confirm any noise. Here pixels are held out instead of windows. The LR image is
cut like a chessboard into squares of `TILE_PX`; a field is found from the squares of either colour alone, and judged
by check windows matched on the other colour alone. No gradient reaches across a square's border, so what is fitted
and what judges it have no LR pixel in common; yet both sample the same places, so real bends count as such. Check
windows are `CHECK_WINDOWS` times as wide as those of tie points, for on half the pixels they then see about as many
as a tie point does. What a check window finds is a mean over what it shows, and is held against the same mean of the
field.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field

import numpy as np

from crossres.align.matching.tie_points import TiePoints
from crossres.align.registration.outliers import outlier_limit
from crossres.align.warping.displacement import DisplacementField, Extent, Model, fit

MODELS = (Model("shift"), Model("affine"), Model("spline", 0.01))
"""From simple to flexible. One smoothness will do: from 0.001 to 1, what held-out pixels leave on real pairs changes by
0.01 pixels, and a rougher one follows bends better."""

TILE_PX = 16
"""Side of the squares of the chessboard; 12 pixels of it remain when gradients end at its border."""

WORTH_PX = 0.01
"""A simpler model that predicts held-out points worse by less than this RMSE in LR pixels is as good."""

CHECK_WINDOWS = 1.5

MIN_POINTS = {"shift": 1, "affine": 6, "spline": 16}
MIN_CHECKS = 6
"""Fewer matched check windows of a half than this prove no slope or bend: it would run on where nothing was seen."""


def chessboard(shape: tuple[int, int], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the (row, column) pixels of either colour of a chessboard whose corner is drawn by `seed`."""
    row, col = np.random.default_rng([seed, 1]).integers(0, TILE_PX, 2)
    r, c = np.indices(shape)
    white = ((r + row) // TILE_PX + (c + col) // TILE_PX) % 2 == 0
    return white, ~white


@dataclass(frozen=True)
class Half:
    """What was found on the squares of one colour."""

    points: TiePoints
    """Tie points for a fit."""
    check: np.ndarray
    """(n, 2) mean displacement in LR pixels that check windows show; NaN where not matched."""
    means: Callable[[DisplacementField], np.ndarray]
    """The (n, 2) mean displacement that a field has in the same windows, over the same pixels."""
    fields: dict[tuple[Model, Extent], DisplacementField] = dataclass_field(default_factory=dict)
    """Those that were fitted before."""

    def field(self, model: Model, extent: Extent) -> DisplacementField:
        """Return the field through the tie points."""
        if (model, extent) not in self.fields:
            self.fields[model, extent] = fit_to(model, extent, self.points)
        return self.fields[model, extent]


def fit_to(model: Model, extent: Extent, points: TiePoints) -> DisplacementField:
    """Fit a field to the tie points that are kept."""
    kept = points.kept
    return fit(model, extent, points.points[kept], points.displacement[kept], points.weights[kept])


def leading(models: Sequence[Model], points: TiePoints, smoothness: float) -> Model:
    """Return the most flexible model that the tie points allow, no rougher than a spline of this smoothness."""
    count = points.kept.sum()
    able = [m for m in models if count >= MIN_POINTS[m.kind]]
    if able and able[-1].kind == "spline":
        return Model("spline", smoothness)
    return able[-1] if able else models[0]


def held_out_residuals(model: Model, extent: Extent, halves: tuple[Half, Half]) -> np.ndarray:
    """Return (2, n, 2) displacement of each half's check windows minus the other half's field, in LR pixels."""
    fields = [half.field(model, extent) for half in halves]
    return np.stack([half.check - half.means(field) for half, field in zip(halves, fields[::-1], strict=True)])


def select(
    models: Sequence[Model], extent: Extent, halves: tuple[Half, Half], block: np.ndarray, cap_px: float
) -> tuple[Model, dict[str, float]]:
    """Return the simplest of `models` (simple ones first) that is as good as the best, and the RMSE of all.

    A score is the RMSE in LR pixels at check windows, each counted as at most the limit of outliers off: a field need
    not follow content that changed. The RMSE that is returned counts them as at most `cap_px` off. As good is:
    within one standard error of the difference over blocks (Breiman et al. 1984, the one-standard-error rule,
    paired), or within `WORTH_PX`. `block` (n,) numbers check windows that are near each other: they share some of
    their error.
    """
    smallest = min(int(h.points.kept.sum()) for h in halves)
    known = np.stack([np.isfinite(h.check).all(axis=1) for h in halves])
    able = [m for m in models if smallest >= MIN_POINTS[m.kind]]
    if known.sum(axis=1).min() < MIN_CHECKS:
        able = able[:1]
    if not able or not known.any():
        return models[0], {}
    _, group = np.unique(np.broadcast_to(block, known.shape)[known], return_inverse=True)
    length = {m: np.hypot(*held_out_residuals(m, extent, halves)[known].T) for m in able}
    cap = outlier_limit(min(length.values(), key=np.median), cap_px)
    loss = {m: np.bincount(group, np.minimum(r, cap) ** 2) / np.bincount(group) for m, r in length.items()}
    score = {m: float(np.sqrt(loss[m].mean())) for m in able}
    best = min(able, key=lambda m: score[m])
    shown = {str(m): float(np.sqrt((np.minimum(r, cap_px) ** 2).mean())) for m, r in length.items()}
    for model in able:
        difference = loss[model] - loss[best]
        spread = difference.std(ddof=1) if len(difference) > 1 else 0.0
        near = difference.mean() <= spread / np.sqrt(len(difference))
        if near or score[model] - score[best] < WORTH_PX:
            return model, shown
    return best, shown
