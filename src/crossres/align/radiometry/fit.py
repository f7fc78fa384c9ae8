"""The relation between the radiometries of a pair's images: what makes one of them look as the other's sensor sees."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from crossres.align.radiometry.choice import LEFT_ALONE, METHODS, BandPixels, Choice, choose, fitted
from crossres.align.radiometry.gain_field import GainField, fit_gain_field
from crossres.align.radiometry.irmad import NoChange, find_no_change
from crossres.align.radiometry.relation import Relation, on_one_line
from crossres.align.radiometry.seam import find_seam
from crossres.settings.normalise import NormaliseSettings

BLOCK_PX = 4, 32
"""Least and largest side, in LR pixels, of the blocks of pixels that are drawn or held out together."""
BLOCKS = 64
"""A small scene has about as many."""
FOLDS = 5
"""Invariant pixels are held out of the fit in this many parts, by block."""
MIN_CLEAR = 50
"""With fewer clear LR pixels nothing is fitted."""
MIN_CORRELATION = 0.2
"""With less in every band the images have nothing in common."""


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
        side = int(np.clip((self.shape[0] * self.shape[1] / BLOCKS) ** 0.5, *BLOCK_PX))
        return self.rows // side * (self.shape[1] // side + 1) + self.cols // side


@dataclass(frozen=True)
class PairRadiometry:
    """What was found for a pair, for the image that is to change."""

    adjustment: np.ndarray | None
    """(band, band) spectral band adjustment, applied first; None where the sensors' responses are not known."""
    choices: tuple[Choice, ...]
    """What each band got, and why."""
    field: GainField | None
    """Multiplies what the relations give."""
    no_change: NoChange | None
    """None where it was not looked for."""
    pifs: np.ndarray
    """(n,) pixels of the sample that are invariant: what relations were fitted to, where they hold."""
    held_out: np.ndarray
    """(band, n) what relations fitted without the pixel's block make of it; NaN where it is not invariant."""
    reason: str | None
    """Why the images are left as they are; None when they are not."""
    accepted: bool = True
    """Whether the pair is of use; the reason says why not."""

    def without(self, bands: Collection[int], why: str) -> "PairRadiometry":
        """Return this with some bands left as they are; all, where their relations hang together."""
        if self.adjustment is not None or self.field is not None:
            bands = range(len(self.choices))
        instead = replace(LEFT_ALONE, why=why, doubt=True)
        choices = tuple(instead if k in bands else choice for k, choice in enumerate(self.choices))
        held_out = np.where(np.isin(np.arange(len(choices)), list(bands))[:, None], np.nan, self.held_out)
        return replace(self, choices=choices, held_out=held_out, adjustment=None, field=None)

    @property
    def relations(self) -> tuple[Relation, ...]:
        """One a band."""
        return tuple(choice.relation for choice in self.choices)

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
    none = np.zeros(count, bool)

    def left(reason: str, accepted: bool = True) -> PairRadiometry:
        choices = (LEFT_ALONE,) * bands
        return PairRadiometry(None, choices, None, no_change, none, np.full((bands, count), np.nan), reason, accepted)

    no_change = None
    if not accepted:
        return left("the pair was declined in registration", False)
    if count < MIN_CLEAR:
        return left(f"only {count} clear LR pixels")
    no_change = find_no_change(sample.low.T, sample.high.T)
    if settings.method == "none":
        return left("normalise.method is none")
    if (best := _correlation(sample)) < MIN_CORRELATION:
        return left(
            f"LR and HR have nothing in common: their correlation is {best:.2f} in the best band, below "
            f"{MIN_CORRELATION}; clouds, or other ground (normalise.method: none takes the pair as it is)",
            False,
        )
    if count < settings.min_pifs:
        return left(f"only {count} clear LR pixels, fewer than normalise.min_pifs ({settings.min_pifs}); lower it")

    probability = no_change(sample.low.T, sample.high.T)
    pifs = probability > settings.pif_probability if settings.method == "irmad" else ~none
    unchanged = probability >= settings.change_probability
    before, y = (sample.high, sample.low) if settings.direction == "hr-to-lr" else (sample.low, sample.high)
    if settings.method == "irmad" and pifs.any():
        pifs = on_one_line(before, y, pifs)
    if why := _two_relations(before, y, sample):
        return replace(left(why, False), pifs=pifs)

    def related(x: np.ndarray) -> tuple[list[Choice], GainField | None]:
        """Return what each band gets, and the field: the relations asked for may hold by its help alone."""
        each = [BandPixels(*band, pifs, unchanged, sample.blocks) for band in zip(x, y, before, strict=True)]
        if settings.gain_field_order and pifs.sum() >= settings.min_pifs:
            asked = [fitted(settings.method, band) for band in each]
            if (field := _field(settings, asked, x, y, before, pifs, sample)) is not None:
                return asked, field
        choices = [choose(settings, band) for band in each]
        return choices, _field(settings, choices, x, y, before, pifs, sample)

    x = before if adjustment is None else (adjustment @ before).astype(np.float32)
    choices, field = related(x)
    if adjustment is not None and any(choice.worse for choice in choices):
        adjustment, x = None, before
        choices, field = related(x)
    doubts = [choice.why for choice in choices if choice.doubt]
    if doubts and all(choice.method == "none" for choice in choices):
        return replace(left(f"no relation brings the images closer ({doubts[0]})"), choices=tuple(choices), pifs=pifs)
    order = 0 if field is None else settings.gain_field_order
    held_out = _cross_validated(choices, order, x, y, pifs, sample)
    return PairRadiometry(adjustment, tuple(choices), field, no_change, pifs, held_out, None)


def _correlation(sample: ClearPixels) -> float:
    """Return that of the best band over all clear pixels; a band without contrast counts as 0."""
    best = 0.0
    for low, high in zip(sample.low.astype(np.float64), sample.high.astype(np.float64), strict=True):
        if min(low.std(), high.std()) > 1e-9:
            best = max(best, float(np.corrcoef(low, high)[0, 1]))
    return best


def _two_relations(before: np.ndarray, y: np.ndarray, sample: ClearPixels) -> str | None:
    """Say in which band the scene has two relations, and how far apart; None without any."""
    for k, (one, other) in enumerate(zip(before, y, strict=True)):
        step = find_seam(one, other, sample.rows, sample.cols, sample.shape)
        if step is not None:
            return (
                f"the scene has two relations: across a seam the images differ by {abs(step):.4f} in band {k + 1}, "
                f"{abs(step / other.mean()):.0%} of its mean, as the sides of a mosaic do; cut it there "
                "(normalise.method: none takes the pair as it is)"
            )
    return None


def _field(
    settings: NormaliseSettings,
    choices: Sequence[Choice],
    x: np.ndarray,
    y: np.ndarray,
    before: np.ndarray,
    pifs: np.ndarray,
    sample: ClearPixels,
) -> GainField | None:
    """Return the smooth field of gains; None where there is to be none, or it would raise a band's RMSE."""
    if settings.gain_field_order == 0:
        return None
    used = pifs if pifs.sum() >= settings.min_pifs else np.ones(len(pifs), bool)
    related = np.stack([choice.relation(band) for choice, band in zip(choices, x, strict=True)])
    where = sample.rows[used], sample.cols[used]
    field = fit_gain_field(settings.gain_field_order, sample.shape, *where, related[:, used], y[:, used])
    after = related * field.at(sample.rows, sample.cols)
    was, then = (np.square(np.subtract(v, y, dtype=np.float64)).mean(axis=1) for v in (before, after))
    return field if (then <= was).all() else None


def _cross_validated(
    choices: Sequence[Choice], order: int, x: np.ndarray, y: np.ndarray, pifs: np.ndarray, sample: ClearPixels
) -> np.ndarray:
    """Return (band, n) values of invariant pixels by fits that have not seen their block; NaN with one block alone."""
    blocks = sample.blocks
    names, block = np.unique(blocks, return_inverse=True)
    related = np.full(x.shape, np.nan)
    result = np.full(x.shape, np.nan)
    folds = min(FOLDS, len(names))
    if folds < 2:
        return result
    fold = np.random.default_rng(0).permutation(np.arange(len(names)) % folds)[block]
    for k in range(folds):
        out, kept = fold == k, fold != k
        for band, choice in enumerate(choices):
            used = kept & pifs if choice.method == "irmad" else kept
            if used.any():
                related[band] = METHODS[choice.method](x[band, used], y[band, used], blocks[used])(x[band])
        used = kept & pifs
        if order and used.any():
            where = sample.rows[used], sample.cols[used]
            field = fit_gain_field(order, sample.shape, *where, related[:, used], y[:, used])
            related *= field.at(sample.rows, sample.cols)
        result[:, out] = related[:, out]
    result[:, ~pifs] = np.nan
    return result
