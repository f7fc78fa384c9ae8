"""Tie points: windows of the LR image, each with the place where HR has the same content, or a reason why not."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
from scipy import fft

from crossres.align.matching import match_windows
from crossres.align.sampling import Displacement

MIN_CLEAR_SHARE = 0.5
"""Least share of a window, weighted with its taper, that is clear in both images."""

FLAT = 0.05
"""A clear pixel with the typical gradient has texture 0.5; a window with less than this on average is flat."""

FIRST_SEARCH_PX = 8
NEXT_SEARCH_PX = 3

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

    def decline(self, where: np.ndarray, reason: str) -> "TiePoints":
        """Return the tie points with this reason for kept windows `where` is true."""
        return replace(self, reason=np.where(self.kept & where, reason, self.reason))


def window_corners(shape: tuple[int, int], window_px: int, stride_px: int) -> np.ndarray:
    """Return (n, 2) row and column of the first pixel of each window over an image; windows may overhang it by half."""
    pad = window_px // 2
    return np.array([(r - pad, c - pad) for r in _starts(shape[0] + 2 * pad, window_px, stride_px)
                     for c in _starts(shape[1] + 2 * pad, window_px, stride_px)])  # fmt: skip


def find(
    first: np.ndarray,
    second: np.ndarray,
    clear: np.ndarray,
    origin: tuple[int, int],
    prior: Callable[[np.ndarray, np.ndarray], np.ndarray],
    corners: np.ndarray,
    window_px: int,
    search_px: int,
    min_reliability: float,
    min_clear_share: float = MIN_CLEAR_SHARE,
) -> TiePoints:
    """Match windows, given by `corners`, of the (band, row, column) orientations of two images on one grid.

    `clear` (row, column) is where both are to be seen; each orientation is 0 only where its own image is not, since a
    gap that both had in common would draw the match to zero. `origin` is the LR scene's row and column of the first
    pixel; `prior(rows, cols)` is the (n, 2) displacement with which the second image was already sampled, to which the
    matches are added.
    """
    pad = window_px // 2
    padding = [(0, 0), (pad, pad), (pad, pad)]
    first, second = np.pad(first, padding), np.pad(second, padding)
    corners, clear = corners + pad, np.pad(clear, pad)
    taper = np.outer(*[np.hanning(window_px + 2)[1:-1]] * 2)
    share, row, col = _moments(clear.astype(np.float64), taper, corners)
    texture = np.minimum(*(_moments((abs(o) ** 2).mean(axis=0) * clear, taper, corners)[0] for o in (first, second)))
    points = np.stack([row, col], axis=1) + np.array(origin) - pad

    reason = np.where(share < min_clear_share, UNCLEAR, np.where(texture < FLAT * share, FLAT_TEXTURE, ""))
    reason = reason.astype("U40")
    todo = reason == ""
    displacement = np.full(points.shape, np.nan)
    reliability = np.zeros(len(points))
    shifts = match_windows(first, second, corners[todo], window_px, search_px)
    displacement[todo] = prior(*points[todo].T) + np.stack([shifts.rows, shifts.cols], axis=1)
    reliability[todo] = shifts.reliability
    found = TiePoints(points, displacement, reliability, share, reason)
    return found.decline(reliability == 0, AT_BORDER).decline(reliability < min_reliability, UNRELIABLE)


def window_means(field: Displacement, clear: np.ndarray, corners: np.ndarray, window_px: int) -> np.ndarray:
    """Return the (n, 2) mean displacement that windows show: over clear pixels, tapered; NaN if there are none."""
    pad = window_px // 2
    taper = np.outer(*[np.hanning(window_px + 2)[1:-1]] * 2)
    parts = [np.pad(part, pad) for part in (clear, field.rows, field.cols)]
    result = np.full((len(corners), 2), np.nan)
    for mean, (r, c) in zip(result, corners + pad, strict=True):
        here = slice(r, r + window_px), slice(c, c + window_px)
        weight = taper * parts[0][here]
        if weight.any():
            mean[:] = [(weight * part[here]).sum() / weight.sum() for part in parts[1:]]
    return result


def _starts(length: int, window_px: int, stride_px: int) -> np.ndarray:
    """Return window starts every `stride_px`, the whole set centred on the image."""
    count = (length - window_px) // stride_px + 1
    return (length - window_px - (count - 1) * stride_px) // 2 + stride_px * np.arange(count)


def _moments(image: np.ndarray, taper: np.ndarray, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the tapered mean of each window, and the row and column of its centroid."""
    side = taper.shape[0]
    along = np.arange(side)
    kernels = (taper, taper * along[:, None], taper * along[None, :])
    shape = [fft.next_fast_len(n + side, real=True) for n in image.shape]
    spectrum = fft.rfft2(image, shape)
    sums = [fft.irfft2(spectrum * np.conj(fft.rfft2(k, shape)), shape)[tuple(corners.T)] for k in kernels]
    mass = np.where(sums[0] > 1e-6 * taper.sum(), sums[0], 0.0)
    safe = np.where(mass > 0, mass, 1.0)
    return mass / taper.sum(), corners[:, 0] + sums[1] / safe, corners[:, 1] + sums[2] / safe
