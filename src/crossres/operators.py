"""Where LR and HR meet: what the pixels of one grid are, seen from the other, on grids that share their corners.

The factor f is the number of fine pixels along an LR pixel, any rational number. The centre of fine pixel i lies at LR
coordinate (i + 1/2) / f - 1/2, that of LR pixel 0 at 0. Every operator is separable: weights along rows and weights
along columns, and it looks no further than its `reach`. Numpy takes them as sparse matrices, torch as dense ones.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from scipy import sparse

Kernel = Literal["bicubic", "bilinear"]

CUT_SIGMAS = 4
"""Where the Gaussian of an MTF is cut off: 3e-4 of its peak is left there."""
SEEN_SHARE = 0.9
"""Share of an LR pixel's weight that must lie on pixels with data."""


def mtf_sigma(mtf: float) -> float:
    """Return the standard deviation, in pixels, of the Gaussian whose MTF at the Nyquist frequency is `mtf`.

    exp(-2 pi^2 sigma^2 f^2) at f = 1/2 cycle per pixel. A measured MTF holds the whole camera, detector included, so
    nothing is averaged over the pixel after it.
    """
    return math.sqrt(-2 * math.log(mtf)) / math.pi


def reach_lr_px(kind: Kernel | Literal["area", "nearest"] | float) -> float:
    """Return how far from a pixel's centre an operator looks, in LR pixels; a number is the MTF of one."""
    if isinstance(kind, float):
        return CUT_SIGMAS * mtf_sigma(kind)
    return {"area": 0.5, "nearest": 0.5, "bilinear": 1.0, "bicubic": 2.0}[kind]


@dataclass(frozen=True)
class Weights:
    """What each of n pixels of one axis takes of k pixels of another; (..., n, k) for several axes of one length."""

    at: np.ndarray
    """(..., n, k) whole numbers: which pixels; one may stand there twice."""
    values: np.ndarray
    """(..., n, k) float64."""
    width: int
    """How many pixels the other axis has."""

    def dense(self) -> np.ndarray:
        """Return the (..., n, width) float32 matrix."""
        matrix = np.zeros((*self.at.shape[:-1], self.width), np.float64)
        for tap in range(self.at.shape[-1]):
            at = self.at[..., tap, None]
            np.put_along_axis(matrix, at, np.take_along_axis(matrix, at, -1) + self.values[..., tap, None], -1)
        return matrix.astype(np.float32)

    def sparse(self) -> sparse.csr_matrix:
        """Return the (n, width) float32 matrix of one axis."""
        count, taps = self.at.shape
        where = np.repeat(np.arange(count), taps), self.at.ravel()
        return sparse.csr_matrix((self.values.ravel().astype(np.float32), where), (count, self.width))


def keys(u: Any, a: float = -0.5) -> Any:
    """Return the cubic convolution kernel of Keys 1981 (equation 15 for a = -1/2) at distances: array or tensor."""
    u = abs(u)
    near = (a + 2) * u**3 - (a + 3) * u**2 + 1
    far = a * u**3 - 5 * a * u**2 + 8 * a * u - 4 * a
    return near * (u <= 1) + far * ((u > 1) & (u < 2))


def triangle(u: Any) -> Any:
    """Return the kernel of linear interpolation at distances: array or tensor."""
    return (1 - abs(u)) * (abs(u) < 1)


TAPS: dict[Kernel, tuple[tuple[int, ...], Callable[[Any], Any]]] = {
    "bicubic": ((-1, 0, 1, 2), keys),
    "bilinear": ((0, 1), triangle),
}
"""Which LR pixels a fine pixel is made of, counted from the last whose centre is not past it, and by which kernel."""


def gaussian_taps(sigma_px: float) -> np.ndarray:
    """Return a sampled Gaussian, cut off where that of an MTF is; its taps sum to 1."""
    radius = max(1, math.ceil(CUT_SIGMAS * sigma_px))
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / max(sigma_px, 1e-6)) ** 2)
    return taps / taps.sum()


def antialias_taps(ratio: float) -> np.ndarray:
    """Return the low-pass that goes before sampling every `ratio` pixels: Keys' kernel stretched by it, of sum 1.

    One tap (no filter) for a ratio up to 1. There is little loss below the new Nyquist frequency, and little aliasing
    from above it.
    """
    if ratio <= 1:
        return np.ones(1)
    radius = math.ceil(2 * ratio)
    taps = keys(np.arange(-radius, radius + 1) / ratio)
    return taps / taps.sum()


def interpolation(
    lr_count: int,
    factor: Fraction,
    start: int,
    count: int,
    kernel: Kernel,
    stride: int = 1,
) -> Weights:
    """Return fine pixels start .. start + count - 1 from `lr_count` LR pixels, of which the first and last repeat.

    With a `stride` row i stands for the fine pixels start + i * stride .. start + (i + 1) * stride - 1 taken as one
    pixel.
    """
    u = (start + (np.arange(count) + 0.5) * stride) / float(factor) - 0.5
    taps, function = TAPS[kernel]
    taken = np.floor(u)[..., None] + np.array(taps)
    return Weights(np.clip(taken, 0, lr_count - 1).astype(np.int64), function(u[..., None] - taken), lr_count)


def nearest(lr_count: int, factor: Fraction, start: int, count: int) -> np.ndarray:
    """Return the LR pixel, (count,), that the centre of each fine pixel start .. start + count - 1 lies in."""
    # In whole numbers, since a centre may lie exactly on an LR border: it then belongs to the later pixel.
    centre = (2 * (start + np.arange(count)) + 1) * factor.denominator
    return np.clip(centre // (2 * factor.numerator), 0, lr_count - 1)


def area(lr_count: int, factor: Fraction) -> Weights:
    """Return LR pixels as means over their areas, from the lr_count * factor fine pixels; weights sum to 1."""
    fine = int(lr_count * factor)
    first = np.arange(lr_count) * factor.numerator // factor.denominator
    at = first[:, None] + np.arange(math.ceil(factor) + 1)
    left, right = ((at + side) / float(factor) - np.arange(lr_count)[:, None] for side in (0, 1))
    return Weights(np.clip(at, 0, fine - 1), np.clip(np.minimum(right, 1) - np.maximum(left, 0), 0, None), fine)


def through_mtf(lr_count: int, factor: Fraction, start: int, count: int, mtf: float) -> Weights:
    """Return LR pixels as a sensor with this MTF at its Nyquist frequency sees fine pixels start .. start + count - 1.

    A Gaussian sampled at the centres of fine pixels. Weights sum to 1, or are 0 for LR pixels that no centre of these
    fine pixels lies in.
    """
    sigma = mtf_sigma(mtf)
    centre = (np.arange(lr_count) + 0.5) * float(factor) - 0.5 - start
    reach = math.ceil(CUT_SIGMAS * sigma * float(factor))
    at = np.floor(centre).astype(np.int64)[:, None] + np.arange(-reach, reach + 2)
    distance = (at - centre[:, None]) / float(factor)
    inside = (at >= 0) & (at < count)
    seen = (inside & (np.abs(distance) <= 0.5)).any(1, keepdims=True)
    values = np.where(
        inside & seen & (np.abs(distance) < CUT_SIGMAS * sigma), np.exp(-0.5 * (distance / sigma) ** 2), 0
    )
    return Weights(np.clip(at, 0, count - 1), values / np.maximum(values.sum(1, keepdims=True), 1e-12), count)


def to_lr(image: np.ndarray, factor: Fraction, mtf: Sequence[float]) -> np.ndarray:
    """Return a (band, row, column) fine image as the LR sensor sees it, with one MTF a band; float32.

    An LR pixel is NaN where less than nine tenths of its weight lies on pixels that have data in all bands.
    """
    lr_rows, lr_cols = (int(n / factor) for n in image.shape[1:])
    finite = np.isfinite(image).all(axis=0)
    low = np.empty((len(image), lr_rows, lr_cols), np.float32)
    for band, own in enumerate(mtf):
        rows, cols = (
            through_mtf(count, factor, 0, fine, own).sparse()
            for count, fine in zip((lr_rows, lr_cols), image.shape[1:])
        )
        weight = np.float32(1) if finite.all() else rows @ finite.astype(np.float32) @ cols.T
        with np.errstate(invalid="ignore", divide="ignore"):
            seen = rows @ np.where(finite, image[band], np.float32(0)) @ cols.T / weight
        low[band] = np.where(weight > SEEN_SHARE, seen, np.float32(np.nan))
    return low


def enlarged(image: np.ndarray, factor: Fraction) -> np.ndarray:
    """Return a (band, row, column) LR image on the fine grid by Keys' cubic; float32.

    A fine pixel is NaN where the LR pixel it lies in has no data in some band; elsewhere gaps count as the band's mean.
    """
    shape = [int(n * factor) for n in image.shape[1:]]
    rows, cols = (
        interpolation(n, factor, 0, fine, "bicubic").sparse() for n, fine in zip(image.shape[1:], shape)
    )  # fmt: skip
    finite = np.isfinite(image).all(axis=0)
    unseen = ~on_fine(finite, factor)
    fine = np.empty((len(image), *shape), np.float32)
    for band, values in enumerate(image):
        mean = values[finite].mean() if finite.any() else 0.0
        fine[band] = rows @ np.where(finite, values, np.float32(mean)) @ cols.T
        fine[band][unseen] = np.nan
    return fine


def on_fine(image: np.ndarray, factor: Fraction) -> np.ndarray:
    """Return a (..., row, column) LR image on the fine grid: fine pixels have the value of the LR pixel they lie in."""
    rows, cols = (nearest(n, factor, 0, int(n * factor)) for n in image.shape[-2:])
    return image[..., rows[:, None], cols]
