"""Refinement of an RPC from tie points with a reference image: what its attitude and orbit got wrong, in the image.

The error of a good RPC is nearly a shift of the image, at most an affine map (Grodecki and Dial, PE&RS 2003): that is
what is fitted, and the affine map only where held-out tie points say that it is much better than the shift.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.rpc import RPC

from crossres.acquire.chip_matches import Chip, match_chips
from crossres.acquire.orthorectification.rpc import mapped, project, shifted
from crossres.acquire.orthorectification.terrain import Terrain
from crossres.acquire.regions import LON_LAT, crs_of

SIDE_PX = 64
"""Side of a chip, in pixels of the reference."""
FIRST_SIDE_PX = 384
"""Side of the chips of the first search, which must be larger than the error."""
SEARCH_PX = 6
ROUNDS = 2
"""Matches with the refined RPC: the first chips show other ground where the error is large."""
MOST_A_SIDE = 16
MIN_RELIABILITY = 0.3
MIN_TIE_POINTS = 8
MIN_FOR_AFFINE = 40
BETTER = 0.7
"""An affine map must leave less than this share of the shift's held-out residual."""
WORTH = 0.8
"""A refinement must leave less than this share of the distances as delivered: else it is the matches' own scatter."""
LEAST_PX = 0.5
"""Distances below this are left alone: interpolation moves fine patterns by as much."""
OUTLIER_SIGMA = 3.5
FOLDS = 4
MARGIN_M = 100.0
"""Heights around the terrain's own over which an affine map is fitted into the RPC."""


@dataclass(frozen=True)
class Refinement:
    """What to add to where an RPC puts a ground point."""

    model: Literal["none", "shift", "affine"]
    affine: np.ndarray
    """(2, 3): (row, column) shift in pixels = affine @ (1, row, column), rows and columns from the outer corner."""
    tie_points: int
    before_px: float
    """Root mean square of the tie points' distances from the RPC as delivered, in pixels of the image."""
    after_px: float
    """The same after refinement, each tie point left out of the fit that it judges."""

    def applied(self, rpc: RPC, shape: tuple[int, int], terrain: Terrain, scale: float = 1.0) -> RPC:
        """Return the refined RPC of an image of this shape, `scale` times as fine as the one that was matched."""
        if self.model == "none":
            return rpc
        affine = self.affine * (scale, 1.0, 1.0)
        if self.model == "shift":
            return shifted(rpc, -affine[0, 0], -affine[1, 0])
        return mapped(rpc, affine, shape, (terrain.lowest_m - MARGIN_M, terrain.highest_m + MARGIN_M))


def refine_rpc(
    rpc: RPC, shape: tuple[int, int], image: Callable[[RPC], Chip], reference: Chip, grid: GeoBox, terrain: Terrain
) -> Refinement:
    """Find how far an RPC is off.

    `image(rpc)` gives chips of the image (`shape` rows, columns) over an RPC, `reference` chips of what is right; both
    are matched on `grid`, whose pixels should not be finer than either's. With fewer than 8 tie points, or when they
    lie within half a pixel of where the RPC puts them, the refinement is "none".
    """
    found = Refinement("none", np.zeros((2, 3)), 0, np.nan, np.nan)
    for number in range(1 + ROUNDS):
        now = found.applied(rpc, shape, terrain)
        first = number == 0
        side = min(FIRST_SIDE_PX, *grid.shape) if first else min(SIDE_PX, *grid.shape)
        ties = match_chips(
            image(now), reference, grid, side, side // 3 if first else SEARCH_PX, 3 if first else MOST_A_SIDE
        )
        good = ties.reliability >= MIN_RELIABILITY
        if first:
            if not good.any():
                return found
            # A few large chips: the median of those that agree with the most reliable one.
            best = ties.shifts[np.argmax(ties.reliability)]
            good &= np.hypot(*(ties.shifts - best).T) < SEARCH_PX
        at, miss = _in_image(now, rpc, grid, terrain, ties.points[good], ties.shifts[good])
        if first:
            shift = np.median(miss, axis=0)
            found = Refinement("shift", np.stack([shift, [0, 0], [0, 0]], axis=1), 0, np.nan, np.nan)
            continue
        result = _fit(at, miss)
        if result is None:
            return Refinement("none", np.zeros((2, 3)), len(at), np.nan, np.nan)
        found = result
    if found.before_px < LEAST_PX or found.after_px > WORTH * found.before_px:
        return replace(found, model="none", affine=np.zeros((2, 3)))
    return found


def _in_image(
    now: RPC, delivered: RPC, grid: GeoBox, terrain: Terrain, points: np.ndarray, shifts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return where the delivered RPC puts the tie points, (n, 2), and how far they truly lie from there, (n, 2)."""
    to_degrees = Transformer.from_crs(crs_of(grid), LON_LAT, always_xy=True)
    a = grid.affine

    def seen(rpc: RPC, at: np.ndarray) -> np.ndarray:
        x, y = a.a * at[:, 1] + a.b * at[:, 0] + a.c, a.d * at[:, 1] + a.e * at[:, 0] + a.f
        lon, lat = to_degrees.transform(x, y)
        image = project(rpc, lon, lat, terrain.height_m(lon, lat))
        return np.stack([image.row, image.col], axis=1)

    at = seen(delivered, points)
    return at, seen(now, points + shifts) - at


def _fit(at: np.ndarray, miss: np.ndarray) -> Refinement | None:
    """Fit a shift, or an affine map if that is better, without outliers."""
    kept = np.ones(len(at), bool)
    for _ in range(5):
        if kept.sum() < MIN_TIE_POINTS:
            return None
        model: Literal["shift", "affine"] = "affine" if kept.sum() >= MIN_FOR_AFFINE else "shift"
        left = np.hypot(*(miss - _terms(at, model) @ _solve(at[kept], miss[kept], model)).T)
        # The median length of a two-dimensional normal residual is 1.18 sigma.
        now = left < OUTLIER_SIGMA * max(np.median(left[kept]) / 1.18, 0.02)
        if (now == kept).all():
            break
        kept = now
    at, miss = at[kept], miss[kept]
    if len(at) < MIN_TIE_POINTS:
        return None
    models: list[Literal["shift", "affine"]] = ["shift", "affine"] if len(at) >= MIN_FOR_AFFINE else ["shift"]
    left_out = {model: _held_out(at, miss, model) for model in models}
    best = models[-1] if left_out[models[-1]] < BETTER * left_out["shift"] else "shift"
    affine = np.zeros((3, 2))
    solved = _solve(at, miss, best)
    affine[: len(solved)] = solved
    return Refinement(best, affine.T, len(at), float(np.sqrt((miss**2).sum(axis=1).mean())), left_out[best])


def _held_out(at: np.ndarray, miss: np.ndarray, model: str) -> float:
    """Return the RMS residual of tie points that the fit has not seen; neighbours are left out together."""
    order = np.argsort(at[:, 0], kind="stable")
    left = np.empty(len(at))
    for fold in np.array_split(order, FOLDS):
        rest = np.setdiff1d(order, fold)
        off = miss[fold] - _terms(at[fold], model) @ _solve(at[rest], miss[rest], model)
        left[fold] = np.hypot(*off.T)
    return float(np.sqrt((left**2).mean()))


def _terms(at: np.ndarray, model: str) -> np.ndarray:
    one = np.ones((len(at), 1))
    return np.hstack([one, at]) if model == "affine" else one


def _solve(at: np.ndarray, miss: np.ndarray, model: str) -> np.ndarray:
    return np.linalg.lstsq(_terms(at, model), miss, rcond=None)[0]
