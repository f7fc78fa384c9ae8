"""Both images of a pair, and the windows in which they are compared: matched, moved by the field, and matched again."""

from collections.abc import Sequence

import numpy as np
from odc.geo.geobox import GeoBox
from scipy import ndimage

from crossres.align.matching.breaks import BREAK, at_breaks
from crossres.align.matching.tie_points import (
    FIRST_SEARCH_PX,
    MIN_CLEAR_SHARE,
    NEXT_SEARCH_PX,
    TiePoints,
    find,
    find_at_half,
    regular_windows,
    window_means,
)
from crossres.align.matching.window_shifts import PixelWindows, orientation
from crossres.align.matching.window_sums import Windows
from crossres.align.registration.outliers import near
from crossres.align.registration.selection import CHECK_WINDOWS, Half, chessboard, fit_to, held_out_residuals, leading
from crossres.align.warping.degrade import Blurred, on_lr_grid
from crossres.align.warping.displacement import DisplacementField, Extent, Model
from crossres.settings.coregister import CoregisterSettings

ROUNDS = 4
"""Matches between images already moved by the field so far: a window shows the mean of what bends within it, and each
round recovers more of the bend."""

STILL_PX = 0.02
"""Rounds end before when the field moves no tie point by more than this many LR pixels."""

PRELIMINARY_SMOOTHNESS = 0.001
"""Of the splines that lead from round to round, before the held-out check windows choose one."""

HALF_CLEAR_SHARE = 0.15
"""Least clear share of a window on half the pixels; a fully clear one has 0.28."""

CHECK_STRIDE = 2
"""A check window at every so many windows a side."""


class ImagePair:
    """The LR image, the HR image brought to its grid, and regular windows over both."""

    def __init__(
        self, settings: CoregisterSettings, lr: np.ndarray, grid: GeoBox, origin: tuple[int, int], hr: Blurred
    ) -> None:
        self.settings, self.lr, self.grid, self.origin, self.hr = settings, lr, grid, origin, hr
        self.rows, self.cols = (o + np.arange(n) for o, n in zip(origin, lr.shape[1:], strict=True))
        self.first, self.clear = orientation(lr), np.isfinite(lr).all(axis=0)
        shape = lr.shape[1], lr.shape[2]
        window_px, self.stride_px = settings.windows(min(*shape, *(n / hr.lr_px for n in hr.grid.shape)))
        self.windows = regular_windows(shape, min(window_px, *(n // 2 * 2 for n in shape)), self.stride_px)
        side = round(CHECK_WINDOWS * self.windows.side / 2) * 2
        wider = (side - self.windows.side) // 2
        rows, cols = self.windows.rows, self.windows.cols
        self.check_windows = Windows(rows[::CHECK_STRIDE] - wider, cols[::CHECK_STRIDE] - wider, side)
        self.extent = Extent(*origin, *shape, self.stride_px)
        """Of the fields."""
        number = np.arange(rows.size * cols.size).reshape(rows.size, cols.size)
        self.checked = number[::CHECK_STRIDE, ::CHECK_STRIDE].reshape(-1)
        """Which windows have a check window around them."""

    def moved(self, field: DisplacementField) -> tuple[np.ndarray, np.ndarray]:
        """Return the orientation of HR moved by a field, and where it is clear."""
        image = on_lr_grid(self.hr, self.grid, self.rows, self.cols, field.on_grid(self.rows, self.cols))
        return orientation(image), np.isfinite(image).all(axis=0)

    def matches(
        self, field: DisplacementField, views: Sequence[PixelWindows], search_px: int, min_clear_share: float
    ) -> tuple[list[TiePoints], np.ndarray]:
        """Match HR moved by a field; return what each view shows of what is left, and where both images are clear."""
        second, hr_clear = self.moved(field)
        clear = self.clear & hr_clear
        reliability = self.settings.min_reliability
        return find(self.first, second, clear, self.origin, views, search_px, reliability, min_clear_share), clear

    def declined(self, points: TiePoints) -> TiePoints:
        """Decline windows on both sides of a break, which no field comes near on both."""
        shape = len(self.windows.rows), len(self.windows.cols)
        return points.decline(at_breaks(points, shape, 2 * self.settings.max_residual_px), BREAK)

    def rounds(self, field: DisplacementField, models: Sequence[Model], extent: Extent) -> TiePoints:
        """Match, fit, move and match again; return the last tie points."""
        points = self.rough(field)
        for number in range(1, ROUNDS):
            if points.kept.sum() < self.settings.min_tie_points:
                break
            before = field
            field = fit_to(leading(models, points, PRELIMINARY_SMOOTHNESS), extent, points)
            seen = points.only(points.kept).points.T
            if number > 1 and np.abs(field.at(*seen) - before.at(*seen)).max() < STILL_PX:
                break
            (points,), _ = self.matches(field, [PixelWindows(self.windows)], NEXT_SEARCH_PX, MIN_CLEAR_SHARE)
            points = self.declined(points.after(field.at))
        return points

    def rough(self, field: DisplacementField) -> TiePoints:
        """Match HR moved by a field at half the resolution, which leads to within `NEXT_SEARCH_PX`."""
        second, hr_clear = self.moved(field)
        clear, reliability = self.clear & hr_clear, self.settings.min_reliability
        points = find_at_half(
            self.first, second, clear, self.origin, self.windows, FIRST_SEARCH_PX, reliability, MIN_CLEAR_SHARE
        )
        return self.declined(points.after(field.at))

    def halves(self, start: DisplacementField, models: Sequence[Model], extent: Extent) -> tuple[Half, Half]:
        """Register either colour of the chessboard by itself, from a common start, and match its check windows."""
        inner = [
            ndimage.binary_erosion(part, np.ones((5, 5)), border_value=1) & self.first.any(axis=0)
            for part in chessboard(self.clear.shape, self.settings.seed)
        ]
        parts = [part.astype(np.float32) for part in inner]
        first, _ = self.matches(
            start, [PixelWindows(self.windows, part) for part in parts], NEXT_SEARCH_PX, HALF_CLEAR_SHARE
        )
        white, black = (
            self.half(part, self.declined(points.after(start.at)), start, models, extent)
            for part, points in zip(parts, first, strict=True)
        )
        return white, black

    def half(
        self, part: np.ndarray, points: TiePoints, start: DisplacementField, models: Sequence[Model], extent: Extent
    ) -> Half:
        """Match one colour's windows again, and its check windows, after what a first match from `start` has found."""
        field = start
        if points.kept.sum() >= self.settings.min_tie_points:
            field = fit_to(leading(models, points, PRELIMINARY_SMOOTHNESS), extent, points)
        views = [PixelWindows(windows, part) for windows in (self.windows, self.check_windows)]
        (points, check), clear = self.matches(field, views, NEXT_SEARCH_PX, HALF_CLEAR_SHARE)
        seen = clear * part

        def means(of: DisplacementField) -> np.ndarray:
            return window_means(of.on_grid(self.rows, self.cols), seen, self.check_windows)

        shift = np.where(check.kept[:, None], check.displacement, np.nan)
        return Half(self.declined(points.after(field.at)), means(field) + shift, means)

    def check_blocks(self) -> np.ndarray:
        """Return a number for each check window that those of the same square of the window's side share."""
        square = self.check_windows.corners // self.check_windows.side
        return np.unique(square, axis=0, return_inverse=True)[1].reshape(-1)

    def residuals(self, model: Model, extent: Extent, halves: tuple[Half, Half]) -> tuple[np.ndarray, int]:
        """Return the (n, 2) held-out residual of all windows, NaN for outliers and without a check, and their number.

        Which half of a check window's pixels is held out is drawn by the seed.
        """
        both = held_out_residuals(model, extent, halves)
        drawn = np.random.default_rng([self.settings.seed, 2]).integers(0, 2, len(self.checked))
        chosen = both[drawn, np.arange(len(drawn))]
        length = np.hypot(*chosen.T)
        matched = np.isfinite(length)
        chosen[~near(length, matched, self.settings.max_residual_px)] = np.nan
        residual = np.full((len(self.windows.corners), 2), np.nan)
        residual[self.checked] = chosen
        return residual, int(matched.sum())
