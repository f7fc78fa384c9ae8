"""The relation between the radiometries of a pair's images: what makes one of them look as the other's sensor sees."""

from dataclasses import dataclass

import numpy as np

from crossres.align.radiometry.gain_field import GainField, fit_gain_field
from crossres.align.radiometry.irmad import NoChange, find_no_change
from crossres.align.radiometry.relation import Relation, orthogonal_line, quantile_curve, standard_errors, straight
from crossres.settings.normalise import NormaliseSettings

BLOCK_PX = 32
"""Side, in LR pixels, of the blocks of pixels that are drawn or held out together."""
FOLDS = 5
"""Invariant pixels are held out of the fit in this many parts, by block."""
MIN_CLEAR = 50
"""With fewer clear LR pixels nothing is fitted."""


@dataclass(frozen=True)
class ClearPixels:
    """Clear LR pixels of a pair: all of them, or evenly spaced ones of a large scene."""

    low: np.ndarray
    """(band, n) LR reflectance."""
    high: np.ndarray
    """(band, n) HR reflectance brought to the LR grid."""
    rows: np.ndarray
    cols: np.ndarray
    """(n,) where they are, in LR pixels."""
    shape: tuple[int, int]
    """Rows and columns of the scene, in LR pixels."""

    @property
    def blocks(self) -> np.ndarray:
        """(n,) number of the block each pixel is in."""
        return self.rows // BLOCK_PX * (self.shape[1] // BLOCK_PX + 1) + self.cols // BLOCK_PX


@dataclass(frozen=True)
class PairRadiometry:
    """What was found for a pair, for the image that is to change."""

    adjustment: np.ndarray | None
    """(band, band) spectral band adjustment, applied first; None where the sensors' responses are not known."""
    relations: tuple[Relation, ...]
    """One a band, of reflectance before (adjusted) to reflectance after."""
    field: GainField | None
    """Multiplies what the relations give."""
    errors: tuple[tuple[float, float], ...]
    """Standard errors of gain and offset, a band; NaN where the relation is no fitted line."""
    no_change: NoChange | None
    """None where it was not looked for."""
    pifs: np.ndarray
    """(n,) pixels of the sample that the relations were fitted to."""
    held_out: np.ndarray
    """(band, n) what relations fitted without the pixel's block make of it; NaN where it is not invariant."""
    reason: str | None
    """Why the images are left as they are; None when they are not."""

    def adjusted(self, values: np.ndarray) -> np.ndarray:
        """Return (band, ...) reflectance after the spectral adjustment alone."""
        if self.adjustment is None:
            return values
        return np.tensordot(self.adjustment.astype(np.float32), values, axes=1)

    def apply(self, values: np.ndarray, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        """Return (band, n, m) float32 reflectance after all, at LR rows (n,) and columns (m,); NaN stays NaN."""
        result = self._related(values)
        return result if self.field is None else (result * self.field(rows, cols)).astype(np.float32)

    def apply_to(self, values: np.ndarray, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        """Return (band, n) float32 reflectance after all, of n pixels."""
        result = self._related(values)
        return result if self.field is None else (result * self.field.at(rows, cols)).astype(np.float32)

    def _related(self, values: np.ndarray) -> np.ndarray:
        if self.reason is not None:
            return values
        adjusted = self.adjusted(values)
        return np.stack([relation(band) for relation, band in zip(self.relations, adjusted, strict=True)])


def fit_relations(
    settings: NormaliseSettings, sample: ClearPixels, adjustment: np.ndarray | None = None, accepted: bool = True
) -> PairRadiometry:
    """Relate LR and HR reflectance over a sample of clear pixels; `adjustment` is for the image that changes.

    Never raises: where there is nothing to fit, the images are left as they are and the reason says so.
    """
    bands, count = sample.low.shape
    identity = tuple(straight(1.0, 0.0) for _ in range(bands))
    unknown = ((float("nan"),) * 2,) * bands
    nothing = np.full((bands, count), np.nan)

    def left_alone(reason: str, no_change: NoChange | None = None, pifs: np.ndarray | None = None) -> PairRadiometry:
        pifs = np.zeros(count, bool) if pifs is None else pifs
        return PairRadiometry(None, identity, None, unknown, no_change, pifs, nothing, reason)

    if not accepted:
        return left_alone("the pair was declined in registration")
    if count < MIN_CLEAR:
        return left_alone(f"only {count} clear LR pixels")
    no_change = find_no_change(sample.low.T, sample.high.T)
    if settings.method == "none":
        return left_alone("normalise.method is none", no_change)
    pifs = np.ones(count, bool)
    if settings.method == "irmad":
        pifs = no_change(sample.low.T, sample.high.T) > settings.pif_probability
    if pifs.sum() < settings.min_pifs:
        reason = f"only {int(pifs.sum())} invariant pixels, fewer than normalise.min_pifs"
        return left_alone(reason, no_change, pifs)

    source, target = (sample.high, sample.low) if settings.direction == "hr-to-lr" else (sample.low, sample.high)
    source = source if adjustment is None else adjustment @ source
    x, y = source[:, pifs].astype(np.float64), target[:, pifs].astype(np.float64)
    rows, cols, blocks = sample.rows[pifs], sample.cols[pifs], sample.blocks[pifs]

    def fit(chosen: np.ndarray) -> tuple[tuple[Relation, ...], GainField | None]:
        curve = quantile_curve if settings.method == "histogram" else lambda a, b: straight(*orthogonal_line(a, b))
        relations = tuple(curve(a[chosen], b[chosen]) for a, b in zip(x, y, strict=True))
        if settings.gain_field_order == 0:
            return relations, None
        related = np.stack([relation(a[chosen]) for relation, a in zip(relations, x, strict=True)])
        where = rows[chosen], cols[chosen]
        return relations, fit_gain_field(settings.gain_field_order, sample.shape, *where, related, y[:, chosen])

    relations, field = fit(np.ones(len(rows), bool))
    held_out = nothing.copy()
    held_out[:, pifs] = _cross_validated(fit, x, rows, cols, blocks)
    lines = settings.method != "histogram"
    errors = tuple(standard_errors(a, b, blocks) for a, b in zip(x, y, strict=True)) if lines else unknown
    return PairRadiometry(adjustment, relations, field, errors, no_change, pifs, held_out, None)


def _cross_validated(fit, x: np.ndarray, rows: np.ndarray, cols: np.ndarray, blocks: np.ndarray) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Return (band, n) values of invariant pixels by fits that have not seen their block; NaN with one block alone."""
    names, block = np.unique(blocks, return_inverse=True)
    result = np.full(x.shape, np.nan)
    folds = min(FOLDS, len(names))
    if folds < 2:
        return result
    fold = np.random.default_rng(0).permutation(np.arange(len(names)) % folds)[block]
    for k in range(folds):
        out = fold == k
        relations, field = fit(~out)
        result[:, out] = np.stack([relation(a[out]) for relation, a in zip(relations, x, strict=True)])
        if field is not None:
            result[:, out] *= field.at(rows[out], cols[out])
    return result
