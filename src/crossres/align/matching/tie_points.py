"""Tie points: windows of the LR image, each with the place where HR has the same content, or a reason why not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from crossres.align.matching.window_shifts import PixelWindows, match_views
from crossres.align.matching.window_sums import Windows
from crossres.align.warping.sampling import Displacement

MIN_CLEAR_SHARE = 0.5
"""Least share of a window, weighted with its taper, that is clear in both images."""

FLAT = 0.05
"""A clear pixel with the typical gradient has texture 0.5; a window with less than this on average is flat."""

FIRST_SEARCH_PX = 8
NEXT_SEARCH_PX = 2

UNCLEAR = "too few clear pixels"
FLAT_TEXTURE = "flat texture"
AT_BORDER = "peak at the border of the search"
UNRELIABLE = "unreliable match"
OUTLIER = "off the field"


@dataclass(frozen=True)
class TiePoints:
    """All windows of a pair, matched or declined."""

    points: np.ndarray
    """(n, 2) row and column index in the LR scene of the centroid of what the window shows."""
    displacement: np.ndarray
    """(n, 2) how far HR content lies from there, along rows and columns, in LR pixels; NaN when not matched."""
    reliability: np.ndarray
    """(n,) reliability of the match, 0 to 1."""
    clear_share: np.ndarray
    """(n,) tapered share of the window that is clear in both images."""
    reason: np.ndarray
    """(n,) why the window is declined; empty when it is kept."""

    @property
    def kept(self) -> np.ndarray:
        """(n,) whether the window is a tie point."""
        return self.reason == ""

    @property
    def usable(self) -> np.ndarray:
        """(n,) whether the window had enough clear pixels and texture to be matched at all."""
        return (self.reason != UNCLEAR) & (self.reason != FLAT_TEXTURE)

    @property
    def weights(self) -> np.ndarray:
        """(n,) weight in a fit."""
        return self.clear_share * self.reliability

    def only(self, where: np.ndarray) -> "TiePoints":
        """Return the windows `where` is true."""
        return TiePoints(*(getattr(self, f.name)[where] for f in fields(self)))

    def after(self, moved: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> "TiePoints":
        """Return what these matches mean when HR was `moved` before: `moved(rows, cols)` is (n, 2) in LR pixels."""
        return replace(self, displacement=self.displacement + moved(*self.points.T))

    def decline(self, where: np.ndarray, reason: str) -> "TiePoints":
        """Return the tie points with this reason for kept windows `where` is true."""
        return replace(self, reason=np.where(self.kept & where, reason, self.reason))


def regular_windows(shape: tuple[int, int], window_px: int, stride_px: int) -> Windows:
    """Return the windows over an image; they may overhang it by half."""
    pad = window_px // 2
    rows, cols = (_starts(n + 2 * pad, window_px, stride_px) - pad for n in shape)
    return Windows(rows, cols, window_px)


def find(
    first: np.ndarray,
    second: np.ndarray,
    clear: np.ndarray,
    origin: tuple[int, int],
    views: Sequence[PixelWindows],
    search_px: int,
    min_reliability: float,
    min_clear_share: float,
) -> list[TiePoints]:
    """Match the windows of each view of the orientations of two images on one grid.

    `clear` (row, column) is where both are to be seen; each orientation is 0 only where its own image is not, since a
    gap that both had in common would draw the match to zero. `origin` is the LR scene's row and column of the first
    pixel.
    """
    texture = [np.einsum("cij,cij->ij", o, o) * (clear / (len(o) // 2)) for o in (first, second)]
    found = []
    for view, shifts in zip(views, match_views(first, second, views, search_px), strict=True):
        windows = view.windows
        share, row, col = _moments(view.over(clear.astype(np.float64)), windows)
        rough = np.minimum(*(windows.means(view.over(t)) for t in texture))
        reason = np.where(share < min_clear_share, UNCLEAR, np.where(rough < FLAT * share, FLAT_TEXTURE, ""))
        reason = reason.astype("U40")
        todo = reason == ""
        points = np.stack([row, col], axis=1) + np.array(origin)
        displacement = np.where(todo[:, None], np.stack([shifts.rows, shifts.cols], axis=1), np.nan)
        reliability = np.where(todo, shifts.reliability, 0.0)
        these = TiePoints(points, displacement, reliability, share, reason)
        found.append(these.decline(reliability == 0, AT_BORDER).decline(reliability < min_reliability, UNRELIABLE))
    return found


def find_at_half(
    first: np.ndarray,
    second: np.ndarray,
    clear: np.ndarray,
    origin: tuple[int, int],
    windows: Windows,
    search_px: int,
    min_reliability: float,
    min_clear_share: float,
) -> TiePoints:
    """Match windows as `find` does, with orientations averaged over 2 x 2 pixels: a sixteenth of the work."""
    one, other, seen = (_halved(image) for image in (first, second, clear.astype(np.float32)))
    half = Windows(windows.rows // 2, windows.cols // 2, windows.side // 2)
    (found,) = find(
        one, other, seen == 1, (0, 0), [PixelWindows(half)], search_px // 2, min_reliability, min_clear_share
    )
    return replace(found, points=2 * found.points + 0.5 + np.array(origin), displacement=2 * found.displacement)


def _halved(image: np.ndarray) -> np.ndarray:
    """Return the means over 2 x 2 pixels of a (..., row, column) image; an odd last row or column is left out."""
    height, width = (n // 2 for n in image.shape[-2:])
    blocks = image[..., : 2 * height, : 2 * width].reshape(*image.shape[:-2], height, 2, width, 2)
    return blocks.mean(axis=(-3, -1))


def window_means(field: Displacement, seen: np.ndarray, windows: Windows) -> np.ndarray:
    """Return the (n, 2) mean displacement that windows show: over pixels `seen`, tapered; NaN if there are none."""
    weight = windows.means(seen)
    weight[weight < 1e-6] = np.nan
    return np.stack([windows.means(seen * part) / weight for part in (field.rows, field.cols)], axis=1)


def _starts(length: int, window_px: int, stride_px: int) -> np.ndarray:
    """Return window starts every `stride_px`, the whole set centred on the image."""
    count = (length - window_px) // stride_px + 1
    return (length - window_px - (count - 1) * stride_px) // 2 + stride_px * np.arange(count)


def _moments(image: np.ndarray, windows: Windows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the tapered mean of each window, and the row and column of its centroid."""
    taper = windows.taper
    turned = taper * np.arange(windows.side)
    total, down, across = (windows.sums(image, *k) for k in ((taper, taper), (turned, taper), (taper, turned)))
    whole = taper.sum() ** 2
    mass = np.where(total > 1e-6 * whole, total, 0.0)
    safe = np.where(mass > 0, mass, 1.0)
    corners = windows.corners
    return mass / whole, corners[:, 0] + down / safe, corners[:, 1] + across / safe
