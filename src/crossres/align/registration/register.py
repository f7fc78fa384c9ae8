"""Registration of a pair: a global search, then tie points and field in turn until they agree.

What tie points leave on real pairs is two things. Most is the scatter of single matches, from content that differs
(`matching`). The rest is real: between Sentinel-2 and aerial frames of a hilly valley displacements have a standard
deviation of 0.25 to 0.35 LR pixels of relief that neither orthorectification knew, and decorrelate over 15 to 20 pixels
(covariance at 8, 16, 32 and 64 pixels, of 24-pixel windows: 67, 39, 14 and 5 % of the variance), less than a window. A
field between windows cannot follow that to a twentieth of a pixel, however it is fitted.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from odc.geo.geobox import GeoBox

from crossres.align.matching.tie_points import OUTLIER, TiePoints
from crossres.align.matching.window_shifts import match_whole
from crossres.align.registration.image_pair import ImagePair
from crossres.align.registration.outliers import REJECTIONS, near
from crossres.align.registration.selection import MODELS, fit_to, leading, select
from crossres.align.warping.degrade import Blurred
from crossres.align.warping.displacement import DisplacementField, Extent, Model, zero_field
from crossres.settings.coregister import CoregisterSettings

COMMON_SMOOTHNESS = 10.0
"""Of the spline from which both halves start: it holds no bend too short for their own windows to put right."""

FEW_WINDOWS = 30
"""Of fewer windows it is their size and step that leave too few, and not what the scene shows."""
SIGN = "how far east and north of the LR image HR content lay; it was moved by as much the other way"
TAKEN_AS_ALIGNED = "taken as aligned already (coregister.model: none): nothing was measured or moved"


@dataclass(frozen=True)
class Registration:
    """What was found for a pair."""

    field: DisplacementField
    """The displacement to apply; zero when the pair is declined."""
    model: Model
    tie_points: TiePoints
    residual: np.ndarray
    """(n, 2) held-out residual in LR pixels of the check window around each window; NaN where there is none."""
    check_windows: int
    """Check windows that matched; those without a residual were outliers."""
    standard_error: np.ndarray
    """(n, 2) half the difference, at each window, of two fields from disjoint pixels: the field's standard error."""
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

    @property
    def held_out(self) -> np.ndarray:
        """(m,) length in LR pixels of the held-out residuals that are no outliers."""
        length = np.hypot(*self.residual.T)
        return length[np.isfinite(length)]

    def _ce90_m(self, pixel_m: tuple[float, float]) -> float | None:
        """Return the radius in metres that holds 90 % of the held-out residuals that are no outliers."""
        metres = np.hypot(*(self.residual * pixel_m[::-1]).T)
        return float(np.percentile(metres[np.isfinite(metres)], 90)) if np.isfinite(metres).any() else None

    def report(self, pixel_m: tuple[float, float]) -> dict[str, Any]:
        """Return the figures of the registration; `pixel_m` is the LR grid's step in metres along columns and rows."""
        if self.model.kind == "none":
            return {"accepted": True, "reason": None, "model": "none", "statement": TAKEN_AS_ALIGNED}
        points = self.tie_points
        length = self.held_out
        shift = _mean_shift(self.field, points)
        usable = int(points.usable.sum())
        return {
            "accepted": self.accepted,
            "reason": self.reason,
            "model": self.model.kind,
            "smoothness": self.model.smoothness if self.model.kind == "spline" else None,
            "shift_sign": SIGN,
            "shift_m": [float(shift[1] * pixel_m[0]), float(shift[0] * pixel_m[1])],
            "coarse_shift_m": [float(self.coarse[1] * pixel_m[0]), float(self.coarse[0] * pixel_m[1])],
            "rmse_held_out_px": _rms(length),
            "p90_held_out_px": float(np.percentile(length, 90)) if length.size else None,
            "ce90_m": self._ce90_m(pixel_m),
            "held_out_windows": length.size,
            "rmse_held_out_by_model_px": self.scores,
            "field_standard_error_px": _rms(np.hypot(*self.standard_error[points.kept].T)),
            "check_windows": self.check_windows,
            "rejected_check_share": 1 - length.size / self.check_windows if self.check_windows else None,
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
    models = [m for m in MODELS if settings.model in {"auto", m.kind}]
    images = ImagePair(settings, lr, grid, origin, hr)
    extent = images.extent
    field = zero_field(extent)
    whole = match_whole(images.first, images.moved(field)[0], search_px)
    coarse = np.array([whole.rows[0], whole.cols[0]])
    field.linear[0] = coarse
    points = images.rounds(field, models, extent)
    model, scores = models[0], dict[str, float]()
    nothing = np.full(points.displacement.shape, np.nan)
    residual, check_windows, error = nothing, 0, nothing
    if points.kept.sum() >= settings.min_tie_points:
        start = fit_to(leading(models, points, COMMON_SMOOTHNESS), extent, points)
        white, black = images.halves(start, models, extent)
        block = images.check_blocks()
        model, scores = select(models, extent, (white, black), block, settings.max_residual_px)
        points = _reject(settings, model, extent, points)
        if scores:
            residual, check_windows = images.residuals(model, extent, (white, black))
            fields = [half.field(model, extent).at(*points.points.T) for half in (white, black)]
            error = (fields[0] - fields[1]) / 2
    reason = _reason_to_decline(settings, images, points, check_windows, _rms(np.hypot(*error[points.kept].T)))
    field = fit_to(model, extent, points) if reason is None else zero_field(extent)
    seen = points.clear_share > 0
    return Registration(
        field, model, points.only(seen), residual[seen], check_windows, error[seen], reason, coarse, scores
    )


def taken_as_aligned(shape: tuple[int, int], origin: tuple[int, int]) -> Registration:
    """Return the registration of a pair whose images are said to lie on each other: nothing is looked for or moved.

    `shape` and `origin` are those of the part of the LR scene, rows and columns.
    """
    nowhere, nothing = np.zeros((0, 2)), np.zeros(0)
    points = TiePoints(nowhere, nowhere, nothing, nothing, nothing.astype(str))
    field = zero_field(Extent(*origin, *shape, min(shape)))
    return Registration(field, Model("none"), points, nowhere, 0, nowhere, None, np.zeros(2), {})


def _reject(settings: CoregisterSettings, model: Model, extent: Extent, points: TiePoints) -> TiePoints:
    """Decline tie points off the field that was fitted to all of them."""
    for _ in range(REJECTIONS):
        kept = points.kept
        if kept.sum() < settings.min_tie_points:
            break
        length = np.hypot(*(points.displacement - fit_to(model, extent, points).at(*points.points.T)).T)
        off = kept & ~near(length, kept, settings.max_residual_px)
        if not off.any():
            break
        points = points.decline(off, OUTLIER)
    return points


def _reason_to_decline(
    settings: CoregisterSettings, images: ImagePair, points: TiePoints, check_windows: int, standard_error: float | None
) -> str | None:
    usable, kept = int(points.usable.sum()), int(points.kept.sum())
    if usable < settings.min_tie_points:
        windows = f"only {usable} windows have clear pixels and texture, fewer than coregister.min_tie_points"
        if len(points.reason) >= FEW_WINDOWS:
            return windows
        rows, cols = images.clear.shape
        return (
            f"{windows}: of {images.windows.side} pixels every {images.stride_px}, {rows} x {cols} LR pixels have but "
            f"{len(points.reason)}; set coregister.window_px and stride_px smaller, or null"
        )
    if kept < settings.min_tie_points:
        return f"only {kept} of {usable} windows match, fewer than coregister.min_tie_points"
    if kept < settings.min_kept_share * usable:
        return f"only {kept} of {usable} windows agree on a field, a share below coregister.min_kept_share"
    if kept < (off := int((points.reason == OUTLIER).sum())):
        return f"only {kept} of {kept + off} windows that match agree on a field, no majority"
    if not check_windows:
        return "no check window matches on pixels that are held out"
    if standard_error is not None and standard_error > settings.max_field_error_px:
        return f"the field is uncertain by {standard_error:.2f} LR pixels, more than coregister.max_field_error_px"
    return None


def _rms(length: np.ndarray) -> float | None:
    """Return the root mean square of what is finite; None where nothing is."""
    known = length[np.isfinite(length)]
    return float(np.sqrt((known**2).mean())) if known.size else None


def _mean_shift(field: DisplacementField, points: TiePoints) -> np.ndarray:
    chosen = points.points[points.kept]
    return field.at(*chosen.T).mean(axis=0) if len(chosen) else np.zeros(2)
