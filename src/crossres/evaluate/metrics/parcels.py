"""Whether the NDVI of small parcels is right: of a few LR pixels each, where LR mixes them with their neighbours.

Parcels are HR's: connected pixels of one class (see `land_cover`) between its boundaries, of 4 to 100 LR pixels.
Squares of `SQUARE_PX` pixels are gone through one by one: a parcel that lies across their border counts as several. The
NDVI is that of a parcel's mean red and near infrared.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import dask.array as da
import numpy as np
from dask.delayed import Delayed
from skimage.measure import label

from crossres.evaluate.metrics.fidelity import INDICES, LEAST_SUM, index
from crossres.evaluate.metrics.metric import Metric, known
from crossres.imagery.neighbourhood import Near, Window, per_neighbourhood

SQUARE_PX = 256
LEAST_LR_PX, MOST_LR_PX = 4, 100
"""Area of a small parcel."""
LEAST_PARCELS = 5

Sums = dict[tuple[int, int], np.ndarray]
"""First row and column of a square -> (near infrared or red or count, parcel) of its parcels."""


@dataclass(frozen=True)
class Parcels:
    """What NDVI parcels have, (parcel,)."""

    sr: np.ndarray
    hr: np.ndarray

    @property
    def known(self) -> bool:
        """Whether there are enough of them."""
        return len(self.hr) >= LEAST_PARCELS

    @property
    def rmse(self) -> float:
        """Return the root mean square error."""
        return float(np.sqrt(np.mean(np.square(self.sr - self.hr)))) if self.known else np.nan

    @property
    def bias(self) -> float:
        """Return the mean of SR less HR."""
        return float(np.mean(self.sr - self.hr)) if self.known else np.nan

    @property
    def correlation(self) -> float:
        """Return Pearson's coefficient; NaN where either is the same everywhere."""
        if not self.known or min(self.sr.std(), self.hr.std()) < 1e-9:
            return np.nan
        return float(np.corrcoef(self.sr, self.hr)[0, 1])


def parcel_map(classes: np.ndarray, between: np.ndarray, lr_px: float) -> np.ndarray:
    """Return parcels by number from 1 within each square, (row, column) uint16; 0 is none.

    `classes` is (row, column) uint8 and `between` says which pixels may be of a parcel; `lr_px` is the area of an LR
    pixel in HR pixels.
    """
    found = np.zeros(classes.shape, np.uint16)
    for _, window in _squares((slice(0, classes.shape[0]), slice(0, classes.shape[1]))):
        regions = label(np.where(between[window], classes[window].astype(np.int32) + 1, 0), connectivity=1)
        sizes = np.bincount(regions.ravel())
        small = (sizes >= LEAST_LR_PX * lr_px) & (sizes <= MOST_LR_PX * lr_px)
        small[0] = False
        found[window] = np.where(small, np.cumsum(small), 0)[regions]
    return found


def parcel_parts(image: da.Array, parcels: np.ndarray, bands: tuple[str, ...]) -> list[Delayed]:
    """Return sums over the parcels of each block, for `parcel_sums`; none without red and near infrared."""
    if not set(INDICES["ndvi"]) <= set(bands):
        return []
    of = [bands.index(name) for name in INDICES["ndvi"]]
    return per_neighbourhood(partial(_sums, of=of), 0, image, parcels, with_place=True)


def parcel_sums(parts: Sequence[Sums]) -> Sums:
    """Return the sums over all blocks."""
    total: Sums = {}
    for part in parts:
        for square, sums in part.items():
            if (before := total.get(square)) is None:
                total[square] = sums
                continue
            wider = np.zeros((len(sums), max(sums.shape[1], before.shape[1])))
            for one in (before, sums):
                wider[:, : one.shape[1]] += one
            total[square] = wider
    return total


def parcels_of(sr: Sums, hr: Sums) -> Parcels:
    """Compare parcels of an image with HR's; those so dark in HR that an index is noise are left out."""
    if not hr:
        return Parcels(np.empty(0), np.empty(0))
    order = sorted(hr)
    found, truth = (np.concatenate([sums[square] for square in order], axis=1) for sums in (sr, hr))
    counts = truth[:2].sum(axis=0) > LEAST_SUM * truth[2]
    return Parcels(*(index(nir[counts], red[counts]) for nir, red, _ in (found, truth)))


def _sums(near: Near, image: np.ndarray, parcels: np.ndarray, of: list[int]) -> Sums:
    found: Sums = {}
    top, left = (side.start for side in near.own)
    for square, (rows, cols) in _squares(near.own):
        window = slice(rows.start - top, rows.stop - top), slice(cols.start - left, cols.stop - left)
        number = parcels[window].ravel()
        if number.any():
            weights = [*(image[i][window].ravel() for i in of), None]
            found[square] = np.array([np.bincount(number, weight)[1:] for weight in weights], np.float64)
    return found


def _squares(own: Window) -> Iterator[tuple[tuple[int, int], Window]]:
    """Yield the squares that a window of the scene has a part of, and that part."""
    rows, cols = (
        [(at, slice(max(at, side.start), min(at + SQUARE_PX, side.stop))) for at in _starts(side)] for side in own
    )  # fmt: skip
    for top, of_rows in rows:
        for left, of_cols in cols:
            yield (top, left), (of_rows, of_cols)


def _starts(side: slice) -> range:
    return range(side.start // SQUARE_PX * SQUARE_PX, side.stop, SQUARE_PX)


METRICS = (
    Metric[Parcels](
        key="parcel_ndvi_rmse", label="NDVI of small parcels, RMSE", better="lower", digits=4, place=360,
        meaning="root mean square error of the mean NDVI of parcels of 4 to 100 LR pixels, drawn in HR",
        value=lambda found: known(found.rmse),
    ),
    Metric[Parcels](
        key="parcel_ndvi_bias", label="NDVI of small parcels, bias", better=None, digits=4, place=370,
        meaning="the same, mean of SR less HR", value=lambda found: known(found.bias),
    ),
    Metric[Parcels](
        key="parcel_ndvi_r", label="NDVI of small parcels, correlation", better="higher", digits=3, place=380,
        meaning="the same, Pearson's coefficient over parcels", value=lambda found: known(found.correlation),
    ),
)  # fmt: skip
