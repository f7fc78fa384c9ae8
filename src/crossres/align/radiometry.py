"""The relation between the radiometries of a pair's images, band by band, and how well they agree before and after."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from crossres.align.irmad import no_change_probability
from crossres.align.relation import Relation, orthogonal_line, quantile_curve, standard_errors, straight
from crossres.rasters import NODATA, Mask
from crossres.settings.normalise import NormaliseSettings

JACKKNIFE_BLOCK_PX = 32
DETAIL_CROP_PX = 1024
MIN_CLEAR = 50
"""With fewer clear LR pixels nothing is fitted."""


@dataclass(frozen=True)
class Radiometry:
    """What was found for a pair."""

    relations: tuple[Relation, ...]
    """One a band, of reflectance before to reflectance after, for the image that is to change."""
    errors: tuple[tuple[float, float], ...]
    """Standard errors of gain and offset, a band; NaN where the relation is no fitted line."""
    no_change: np.ndarray
    """(row, column) probability of no change; NaN where it was not looked for."""
    pifs: np.ndarray
    """(row, column) pixels that the relations were fitted to."""
    reason: str | None
    """Why the images are left as they are; None when they are not."""

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Return (band, ...) reflectance after the relations."""
        return np.stack([relation(band) for relation, band in zip(self.relations, values, strict=True)])


def fit_relations(
    settings: NormaliseSettings, low: np.ndarray, high: np.ndarray, clear: np.ndarray, accepted: bool
) -> Radiometry:
    """Relate (band, row, column) LR reflectance and HR reflectance brought to the LR grid, over clear pixels.

    Never raises: where there is nothing to fit, the relations are the identity and the reason says so.
    """
    bands = len(low)
    identity = tuple(straight(1.0, 0.0) for _ in range(bands))
    unknown = ((float("nan"),) * 2,) * bands
    no_change, none = np.full(clear.shape, np.nan), np.zeros(clear.shape, bool)
    if not accepted:
        return Radiometry(identity, unknown, no_change, none, "the pair was declined in registration")
    if clear.sum() < MIN_CLEAR:
        return Radiometry(identity, unknown, no_change, none, f"only {int(clear.sum())} clear LR pixels")
    no_change[clear] = no_change_probability(low[:, clear].T, high[:, clear].T)
    if settings.method == "none":
        return Radiometry(identity, unknown, no_change, none, "normalise.method is none")
    with np.errstate(invalid="ignore"):
        pifs = no_change > settings.pif_probability if settings.method == "irmad" else clear
    if pifs.sum() < settings.min_pifs:
        reason = f"only {int(pifs.sum())} invariant pixels, fewer than normalise.min_pifs"
        return Radiometry(identity, unknown, no_change, pifs, reason)
    source, target = (high, low) if settings.direction == "hr-to-lr" else (low, high)
    pixels = [(s[pifs].astype(np.float64), t[pifs].astype(np.float64)) for s, t in zip(source, target, strict=True)]
    if settings.method == "histogram":
        return Radiometry(tuple(quantile_curve(x, y) for x, y in pixels), unknown, no_change, pifs, None)
    row, col = np.nonzero(pifs)
    groups = row // JACKKNIFE_BLOCK_PX * (clear.shape[1] // JACKKNIFE_BLOCK_PX + 1) + col // JACKKNIFE_BLOCK_PX
    return Radiometry(
        tuple(straight(*orthogonal_line(x, y)) for x, y in pixels),
        tuple(standard_errors(x, y, groups) for x, y in pixels),
        no_change,
        pifs,
        None,
    )


def statement(
    settings: NormaliseSettings,
    bands: Sequence[str],
    found: Radiometry,
    before: tuple[np.ndarray, np.ndarray],
    after: tuple[np.ndarray, np.ndarray],
    mask: np.ndarray,
) -> dict[str, Any]:
    """Say what was done and what is left: `before` and `after` are (LR, HR on the LR grid) reflectance.

    RMSE, bias (HR - LR) and correlation are over clear, unchanged LR pixels.
    """
    clear = mask == Mask.CLEAR
    agreement = [[_agreement(x[clear], y[clear]) for x, y in zip(*pair, strict=True)] for pair in (before, after)]
    rows = {}
    for k, band in enumerate(bands):
        x, y = found.relations[k].x, found.relations[k].y
        gain = float((y[-1] - y[0]) / (x[-1] - x[0]))
        rows[band] = {
            "gain": gain,
            "offset": float(y[0] - gain * x[0]) if len(x) == 2 else None,
            "gain_standard_error": found.errors[k][0],
            "offset_standard_error": found.errors[k][1],
            "before": agreement[0][k],
            "after": agreement[1][k],
        }
    seen = int((mask != Mask.NODATA).sum())
    changed = float((mask == Mask.CHANGED).sum() / seen) if seen else 0.0
    fitted = found.reason is None
    rmse = [np.mean([band["rmse"] or 0.0 for band in state]) for state in agreement]
    return {
        "method": settings.method,
        "direction": settings.direction,
        "normalised": fitted,
        "reason": found.reason,
        "pifs": int(found.pifs.sum()),
        "clear_pixels": int(clear.sum()),
        "changed_share": changed,
        "bands": rows,
        "summary": (
            f"RMSE {rmse[0]:.4f} before, {rmse[1]:.4f} after over {int(clear.sum())} clear LR pixels, "
            f"{int(found.pifs.sum())} invariant, {changed:.1%} changed"
            if fitted
            else f"left as it is: {found.reason}"
        ),
    }


def _agreement(low: np.ndarray, high: np.ndarray) -> dict[str, float | None]:
    if low.size < 2:
        return {"rmse": None, "bias": None, "correlation": None}
    x, y = low.astype(np.float64), high.astype(np.float64)
    flat = min(x.std(), y.std()) < 1e-9
    return {
        "rmse": float(np.sqrt(((y - x) ** 2).mean())),
        "bias": float((y - x).mean()),
        "correlation": None if flat else float(np.corrcoef(x, y)[0, 1]),
    }


def detail_correlation(before: np.ndarray, after: np.ndarray, factor: float) -> float | None:
    """Return the mean band correlation of what (band, row, column) DN show beyond an LR pixel, before and after.

    Over the middle of the image; None when it has no detail. One when the image kept its own detail.
    """
    rows, cols = (slice(max(0, (n - DETAIL_CROP_PX) // 2), (n + DETAIL_CROP_PX) // 2) for n in before.shape[1:])
    size = 2 * round(factor / 2) + 1
    result = []
    for a, b in zip(before[:, rows, cols], after[:, rows, cols], strict=True):
        valid = ndimage.minimum_filter(a, size) > NODATA
        high = [(v := i.astype(np.float64)) - ndimage.uniform_filter(v, size) for i in (a, b)]
        if valid.sum() > 2 and min(h[valid].std() for h in high) > 0:
            result.append(np.corrcoef(high[0][valid], high[1][valid])[0, 1])
    return float(np.mean(result)) if result else None
