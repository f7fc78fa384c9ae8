"""Registration of a pair: a global search, then tie points and field in turn until they agree."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from odc.geo.geobox import GeoBox

from crossres.align.degrade import Blurred, on_lr_grid
from crossres.align.field import Extent, Field, Model, fit, robust_scale, zero_field
from crossres.align.matching import match_whole, orientation
from crossres.align.selection import MODELS, block_folds, held_out_residuals, select
from crossres.align.tie_points import FIRST_SEARCH_PX, NEXT_SEARCH_PX, OUTLIER, TiePoints, find
from crossres.settings.coregister import CoregisterSettings

ROUNDS = 4
"""Matches between images already moved by the field so far: a window shows the mean of what bends within it, and each
round recovers more of the bend."""

REJECTIONS = 3
OUTLIER_SIGMA = 6.0
"""Measured on real pairs: windows off by less show real terrain, and leaving them out makes the images agree less."""

MIN_OUTLIER_PX = 0.15
"""Tie points this near to the field are never outliers: a window's match scatters as much by itself."""


@dataclass(frozen=True)
class Registration:
    """What was found for a pair."""

    field: Field
    """The displacement to apply; zero when the pair is declined."""
    model: Model
    tie_points: TiePoints
    residual: np.ndarray
    """(n, 2) held-out residual of each tie point in LR pixels; NaN for declined windows."""
    reason: str | None
    """Why the pair is declined; None when it is accepted."""
    coarse: np.ndarray
    """(2,) row and column shift in LR pixels that the global search found."""
    scores: dict[str, float]
    """RMSE of held-out tie points in LR pixels, by model."""

    @property
    def accepted(self) -> bool:
        """Whether the pair is registered."""
        return self.reason is None

    def report(self, pixel_m: tuple[float, float]) -> dict[str, Any]:
        """Return the figures of the registration; `pixel_m` is the LR grid's step in metres along columns and rows."""
        points = self.tie_points
        length = np.hypot(*self.residual[points.kept].T)
        shift = _mean_shift(self.field, points)
        usable = int(points.usable.sum())
        return {
            "accepted": self.accepted,
            "reason": self.reason,
            "model": self.model.kind,
            "smoothness": self.model.smoothness if self.model.kind == "spline" else None,
            "shift_m": [float(shift[1] * pixel_m[0]), float(shift[0] * pixel_m[1])],
            "coarse_shift_m": [float(self.coarse[1] * pixel_m[0]), float(self.coarse[0] * pixel_m[1])],
            "rmse_held_out_px": float(np.sqrt((length**2).mean())) if length.size else None,
            "p90_held_out_px": float(np.percentile(length, 90)) if length.size else None,
            "rmse_held_out_by_model_px": self.scores,
            "windows": len(points.reason),
            "usable_windows": usable,
            "tie_points": int(points.kept.sum()),
            "kept_share": float(points.kept.sum() / usable) if usable else 0.0,
            "declined_windows": dict(sorted(Counter(points.reason[~points.kept].tolist()).items())),
        }


def register(
    settings: CoregisterSettings,
    lr: np.ndarray,
    grid: GeoBox,
    origin: tuple[int, int],
    hr: Blurred,
    search_px: int,
) -> Registration:
    """Find the field that leads from LR indices to the HR content that belongs there.

    `lr` is (band, row, column) reflectance of a part of the LR scene, NaN where not clear, whose first pixel has the
    row and column `origin` in the scene's `grid`. Never raises for a bad pair: it is declined, with a reason.
    """
    rows, cols = (o + np.arange(n) for o, n in zip(origin, lr.shape[1:], strict=True))
    extent = Extent(origin[0], origin[1], lr.shape[1], lr.shape[2], settings.stride_px)
    field = zero_field(extent)
    found = match_whole(orientation(lr), orientation(on_lr_grid(hr, grid, rows, cols)), search_px)
    coarse = np.array([found.rows[0], found.cols[0]])
    field.linear[0] = coarse
    window = min(settings.window_px, *(n // 2 * 2 for n in lr.shape[1:]))
    models = [m for m in MODELS if settings.model in {"auto", m.kind}]
    model, scores = models[0], dict[str, float]()
    for search in (FIRST_SEARCH_PX, *[NEXT_SEARCH_PX] * (ROUNDS - 1)):
        warped = on_lr_grid(hr, grid, rows, cols, field.on_grid(rows, cols))
        points = find(lr, warped, origin, field.at, window, settings.stride_px, search, settings.min_reliability)
        if points.kept.sum() < settings.min_tie_points:
            break
        kept = points.kept
        data = points.points[kept], points.displacement[kept], points.weights[kept]
        model, scores = select(models, extent, *data, window / 2, settings.max_residual_px, settings.seed)
        field = fit(model, extent, *data)
    points, residual = _reject(settings, model, extent, points, window / 2)
    reason = _reason_to_decline(settings, points)
    kept = points.kept
    if reason is None:
        field = fit(model, extent, points.points[kept], points.displacement[kept], points.weights[kept])
    else:
        field = zero_field(extent)
    return Registration(field, model, points, residual, reason, coarse, scores)


def _reject(
    settings: CoregisterSettings, model: Model, extent: Extent, points: TiePoints, block_px: float
) -> tuple[TiePoints, np.ndarray]:
    """Decline tie points that the others, without their block, do not confirm; return also all held-out residuals."""
    residual = np.full(points.displacement.shape, np.nan)
    for _ in range(REJECTIONS):
        kept = points.kept
        if kept.sum() < settings.min_tie_points:
            return points, residual
        data = points.points[kept], points.displacement[kept], points.weights[kept]
        residual[:] = np.nan
        residual[kept] = held_out_residuals(model, extent, *data, block_folds(data[0], block_px, settings.seed)[0])
        length = np.hypot(*residual.T)
        limit = max(OUTLIER_SIGMA * robust_scale(length[kept]), MIN_OUTLIER_PX)
        off = kept & (length > min(limit, settings.max_residual_px))
        points = points.decline(off, OUTLIER)
        residual[off] = np.nan
        if not off.any():
            break
    return points, residual


def _reason_to_decline(settings: CoregisterSettings, points: TiePoints) -> str | None:
    usable, kept = int(points.usable.sum()), int(points.kept.sum())
    if usable < settings.min_tie_points:
        return f"only {usable} windows have clear pixels and texture, fewer than coregister.min_tie_points"
    if kept < settings.min_tie_points:
        return f"only {kept} of {usable} windows match, fewer than coregister.min_tie_points"
    if kept < settings.min_kept_share * usable:
        return f"only {kept} of {usable} windows agree on a field, a share below coregister.min_kept_share"
    return None


def _mean_shift(field: Field, points: TiePoints) -> np.ndarray:
    chosen = points.points[points.kept]
    return field.at(*chosen.T).mean(axis=0) if len(chosen) else np.zeros(2)
