"""How true an SR image is, pixel by pixel: RMSE, PSNR, ERGAS, SAM, NDVI and NDWI error. Only clear pixels count.

torchmetrics has PSNR, ERGAS and SAM but knows no mask; here they are over clear pixels, and equal torchmetrics where
all is clear. Images are (band, row, column) reflectance, `clear` is (row, column) bool.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import dask.array as da
import numpy as np
from dask.delayed import Delayed

from crossres.evaluate.metrics.metric import Metric
from crossres.evaluate.metrics.pixels import chosen
from crossres.imagery.neighbourhood import per_neighbourhood

INDICES = {"ndvi": ("nir", "red"), "ndwi": ("green", "nir")}
"""Normalised differences (a - b) / (a + b) by their bands. Source: Rouse et al. 1974; McFeeters 1996."""
STRIP_ROWS = 128
"""Rows that are gone through at a time, so that what is made of them stays in the processor's cache."""
LEAST_SUM = 0.02
"""Reflectance of HR's two bands together below which an index is noise and does not count."""


@dataclass(frozen=True)
class PixelErrors:
    """Sums over clear pixels, a row for each land-cover stratum; what they mean is read by the methods."""

    count: np.ndarray
    """(stratum,) pixels."""
    squares: np.ndarray
    """(stratum, band) squared differences."""
    degrees: np.ndarray
    """(stratum,) spectral angles."""
    index: dict[str, np.ndarray]
    """Name of an index -> (stratum, 2): its absolute differences, and the pixels where it counts."""

    def of(self, stratum: int) -> "PixelErrors":
        """Return one stratum alone."""
        one = slice(stratum, stratum + 1)
        return PixelErrors(
            self.count[one], self.squares[one], self.degrees[one], {k: v[one] for k, v in self.index.items()}
        )

    def rmse(self) -> np.ndarray:
        """Return the root mean square error of each band, (band,), in reflectance."""
        return np.sqrt(_ratio(self.squares.sum(axis=0), self.count.sum()))

    def sam_deg(self) -> float:
        """Return the mean spectral angle in degrees. Source: Kruse et al. 1993."""
        return float(_ratio(self.degrees.sum(), self.count.sum()))

    def index_errors(self) -> dict[str, float]:
        """Return the mean absolute difference of each index."""
        return {name: float(_ratio(*sums.sum(axis=0))) for name, sums in self.index.items()}


def error_parts(
    sr: da.Array, hr: da.Array, strata: np.ndarray, count: int, bands: tuple[str, ...] = ()
) -> list[Delayed]:
    """Return the `pixel_errors` of each block of two lazy images, to be `joined`."""
    return per_neighbourhood(partial(pixel_errors, count=count, bands=bands), 0, sr, hr, strata)


def joined(parts: Sequence[PixelErrors]) -> PixelErrors:
    """Return the sums over all blocks."""
    return PixelErrors(
        np.sum([p.count for p in parts], axis=0),
        np.sum([p.squares for p in parts], axis=0),
        np.sum([p.degrees for p in parts], axis=0),
        {name: np.sum([p.index[name] for p in parts], axis=0) for name in parts[0].index},
    )


def pixel_errors(
    sr: np.ndarray, hr: np.ndarray, strata: np.ndarray, count: int, bands: tuple[str, ...] = ()
) -> PixelErrors:
    """Compare two images pixel by pixel; `strata` is (row, column) uint8, `count` and above where nothing counts.

    Indices are compared when their `bands` are there, where HR's two bands together pass `LEAST_SUM`; SR's index is
    kept within [-1, 1].
    """
    pairs = {
        name: (bands.index(a), bands.index(b)) for name, (a, b) in INDICES.items() if a in bands and b in bands
    }  # fmt: skip

    def sums(rows: slice) -> PixelErrors:
        counted = strata[rows] < count
        label = chosen(strata[None, rows], counted)[0]
        a, b = chosen(sr[:, rows], counted), chosen(hr[:, rows], counted)
        found = {}
        for name, (i, j) in pairs.items():
            counts = b[i] + b[j] > LEAST_SUM
            error = np.abs(index(a[i][counts], a[j][counts]) - index(b[i][counts], b[j][counts]))
            where = label[counts]
            found[name] = np.stack([_by(where, count, error), _by(where, count)], axis=1)
        squares = [_by(label, count, np.square(x - y, dtype=np.float64)) for x, y in zip(a, b)]
        return PixelErrors(
            _by(label, count), np.stack(squares, axis=1), _by(label, count, np.degrees(angles(a, b))), found
        )

    return joined([sums(slice(top, top + STRIP_ROWS)) for top in range(0, len(strata), STRIP_ROWS)])


def _by(label: np.ndarray, count: int, weight: np.ndarray | None = None) -> np.ndarray:
    return np.bincount(label, weight, minlength=count).astype(np.float64)


def _ratio(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    return total / count if count else np.full_like(total, np.nan, dtype=np.float64)


def index(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the normalised difference (a - b) / (a + b), within [-1, 1]."""
    return np.clip((a - b) / np.maximum(a + b, 1e-6), -1, 1)


def rmse(sr: np.ndarray, hr: np.ndarray, clear: np.ndarray) -> np.ndarray:
    """Return the root mean square error of each band, (band,), in reflectance."""
    return pixel_errors(sr, hr, (~clear).astype(np.uint8), 1).rmse()


def psnr(error: np.ndarray | float, peak: float) -> np.ndarray:
    """Return the peak signal-to-noise ratio in dB of root mean square errors; no error gives infinity."""
    with np.errstate(divide="ignore"):
        return 20 * np.log10(peak / np.asarray(error, np.float64))


def together(error: np.ndarray) -> float:
    """Return the root mean square error over all bands from that of each."""
    return float(np.sqrt(np.mean(np.square(error))))


def ergas(error: np.ndarray, means: np.ndarray, factor: float) -> float:
    """Return ERGAS in percent, from the root mean square error and HR's mean of each band.

    Source: Wald 2002, with h/l = 1 / factor.
    """
    return float(100 / factor * np.sqrt(np.mean((error / means) ** 2)))


def sam_deg(x: np.ndarray, y: np.ndarray, clear: np.ndarray) -> float:
    """Return the mean spectral angle between two images, in degrees. Source: Kruse et al. 1993."""
    return pixel_errors(x, y, (~clear).astype(np.uint8), 1).sam_deg()


def angles(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the spectral angle of each pixel in radians; both are (band, pixel)."""
    a, b = x.astype(np.float64), y.astype(np.float64)
    norms = np.sqrt((a * a).sum(0) * (b * b).sum(0))
    cosine = (a * b).sum(0) / np.maximum(norms, np.finfo(np.float64).tiny)
    return np.arccos(np.clip(cosine, -1, 1))


@dataclass(frozen=True)
class Fidelity:
    """The errors of an image, and what PSNR and ERGAS set them against."""

    errors: PixelErrors
    peak: float
    """Reflectance."""
    means: np.ndarray
    """(band,) HR's."""
    factor: float
    """LR pixel / HR pixel."""

    def of(self, stratum: int) -> "Fidelity":
        """Return one stratum alone."""
        return replace(self, errors=self.errors.of(stratum))


METRICS = (
    Metric[Fidelity](
        key="psnr_db", label="PSNR", unit="dB", better="higher", digits=2, place=10, in_strata=True,
        meaning="peak signal-to-noise ratio, pixel by pixel against HR",
        value=lambda found: float(psnr(together(found.errors.rmse()), found.peak)),
        by_band=lambda found: psnr(found.errors.rmse(), found.peak),
    ),
    Metric[Fidelity](
        key="rmse", label="RMSE", unit="reflectance", better="lower", digits=4, place=70, in_strata=True,
        meaning="root mean square error",
        value=lambda found: together(found.errors.rmse()), by_band=lambda found: found.errors.rmse(),
    ),
    Metric[Fidelity](
        key="ergas", label="ERGAS", unit="%", better="lower", digits=2, place=80,
        meaning="relative dimensionless global error: RMSE relative to each band's mean, together",
        value=lambda found: ergas(found.errors.rmse(), found.means, found.factor),
    ),
    Metric[Fidelity](
        key="sam_deg", label="SAM", unit="°", better="lower", digits=2, place=90, in_strata=True,
        meaning="spectral angle: mean angle between the spectra of SR and HR",
        value=lambda found: found.errors.sam_deg(),
    ),
    Metric[Fidelity](
        key="ndvi_error", label="NDVI error", better="lower", digits=3, place=100, in_strata=True,
        meaning="mean absolute difference of the vegetation index from HR's",
        value=lambda found: found.errors.index_errors().get("ndvi"),
    ),
    Metric[Fidelity](
        key="ndwi_error", label="NDWI error", better="lower", digits=3, place=110, in_strata=True,
        meaning="mean absolute difference of the water index from HR's",
        value=lambda found: found.errors.index_errors().get("ndwi"),
    ),
)  # fmt: skip
