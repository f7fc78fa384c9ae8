"""What normalisation did to a pair, and what is left between its images, in numbers and in words."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import ndimage

from crossres.align.radiometry.fit import ClearPixels, PairRadiometry
from crossres.align.radiometry.gain_field import KERNEL_PX
from crossres.imagery.numbers import NODATA
from crossres.settings.normalise import NormaliseSettings

BRIGHTNESS_BINS = 5
DONE = {
    "regression": "the line of all clear pixels",
    "offset": "an offset alone",
    "none": "been left as it is",
}


def statement(
    settings: NormaliseSettings,
    bands: Sequence[str],
    found: PairRadiometry,
    sample: ClearPixels,
    unchanged: np.ndarray,
    clear_pixels: int,
    changed_share: float,
) -> dict[str, Any]:
    """Return the report of a pair; `unchanged` (n,) are the pixels of the sample outside of changed areas.

    `before` and `after` are over clear, unchanged pixels: RMSE, bias (HR - LR) and correlation. `held_out` is over
    invariant pixels, each by a fit that has not seen its block of the image; invariant pixels are those that agree
    best, so it says how well the relation is known, and `after` what is left between the images. `rest` is the median
    and the robust standard deviation of LR - HR after.
    """
    to_lr = settings.direction == "hr-to-lr"
    low, high = sample.low, sample.high
    moved = found.apply_to(high if to_lr else low, sample.rows, sample.cols)
    low_after, high_after = (low, moved) if to_lr else (moved, high)
    target = low if to_lr else high
    rows: dict[str, Any] = {}
    for k, band in enumerate(bands):
        x, y, gain = found.relations[k].x, found.relations[k].y, found.relations[k].gain
        known = np.isfinite(found.held_out[k])
        rest = (found.held_out[k] - target[k])[known]
        choice = found.choices[k]
        rows[band] = {
            "method": choice.method,
            "why": choice.why,
            "gain": gain,
            "offset": float(y[0] - gain * x[0]) if len(x) == 2 else None,
            "gain_standard_error": choice.errors[0],
            "offset_standard_error": choice.errors[1],
            "before": _agreement(low[k][unchanged], high[k][unchanged]),
            "after": _agreement(low_after[k][unchanged], high_after[k][unchanged]),
            "held_out": {
                "pixels": int(known.sum()),
                "rmse": float(np.sqrt((rest**2).mean())) if rest.size else None,
                "bias": float(rest.mean()) if rest.size else None,
            },
            "rest": _rest(low_after[k][unchanged], high_after[k][unchanged]),
            "bias_by_brightness": _bias_by_brightness(low_after[k][unchanged], high_after[k][unchanged]),
        }
    fitted = found.reason is None
    rmse = {when: np.mean([band[when]["rmse"] or 0.0 for band in rows.values()]) for when in ("before", "after")}
    share = float(found.pifs.mean()) if found.pifs.size else 0.0
    return {
        "method": settings.method,
        "direction": settings.direction,
        "accepted": found.accepted,
        "normalised": fitted,
        "reason": found.reason,
        "doubt": _doubt(bands, found),
        "spectral_adjustment": None if found.adjustment is None else found.adjustment,
        "gain_field": _field(found),
        "sampled_pixels": sample.low.shape[1],
        "pifs": int(found.pifs.sum()),
        "pif_share": share,
        "clear_pixels": clear_pixels,
        "changed_share": changed_share,
        "bands": rows,
        "summary": (
            f"RMSE {rmse['before']:.4f} before, {rmse['after']:.4f} after over {clear_pixels} clear LR pixels, "
            f"{share:.0%} invariant, {changed_share:.1%} changed" + _others_in_words(bands, found)
            if fitted
            else f"{'left as it is' if found.accepted else 'declined'}: {found.reason}"
        ),
        "left": _in_words(rows) if fitted else f"Nothing was changed: {found.reason}.",
    }


def worse_bands(report: dict[str, Any]) -> list[int]:
    """Return the numbers of the bands whose RMSE grew."""
    pairs = [(band["before"]["rmse"], band["after"]["rmse"]) for band in report["bands"].values()]
    return [k for k, (before, after) in enumerate(pairs) if before is not None and after > before]


def _doubt(bands: Sequence[str], found: PairRadiometry) -> str | None:
    """Say which bands have another relation than was asked for, because that was wrong; None without any."""
    parts = [
        f"{band} has {DONE[choice.method]} ({choice.why})"
        for band, choice in zip(bands, found.choices, strict=True)
        if choice.doubt
    ]
    return "; ".join(parts) or None


def _rest(low: np.ndarray, high: np.ndarray) -> dict[str, float | None]:
    """Return the median and the robust standard deviation of LR - HR."""
    if low.size < 2:
        return {"median": None, "scale": None}
    rest = low.astype(np.float64) - high
    median = float(np.median(rest))
    return {"median": median, "scale": float(1.4826 * np.median(np.abs(rest - median)))}


def _field(found: PairRadiometry) -> dict[str, Any] | None:
    if found.field is None:
        return None
    rows, cols = (np.linspace(0, side - 1, 33) for side in found.field.shape)
    gains = found.field(rows, cols)
    return {
        "order": found.field.order,
        "shortest_wave_px": KERNEL_PX,
        "gain_range": [[float(band.min()), float(band.max())] for band in gains],
    }


def _others_in_words(bands: Sequence[str], found: PairRadiometry) -> str:
    """Say in a few words which bands fell back."""
    other = {band: choice.method for band, choice in zip(bands, found.choices, strict=True) if choice.why}
    return "".join(f"; {band}: {DONE[method].removeprefix('been ')}" for band, method in other.items())


def _in_words(rows: dict[str, Any]) -> str:
    """Say in a sentence what is left between the images."""
    parts = []
    for band, row in rows.items():
        worst = max((abs(b["bias"]) for b in row["bias_by_brightness"]), default=0.0)
        after, held = row["after"], row["held_out"]["rmse"]
        known = f" ({held:.4f} over held-out invariant pixels)" if held is not None else ""
        parts.append(f"{band} {after['rmse']:.4f}{known}, bias up to {worst:.4f} by brightness")
    return "Left between the images at LR scale, RMSE in reflectance: " + "; ".join(parts) + "."


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


def _bias_by_brightness(low: np.ndarray, high: np.ndarray) -> list[dict[str, float]]:
    """Return the mean difference HR - LR in fifths of the pixels, from dark to bright by the mean of the two images.

    By either image alone its noise would pose as a bias.
    """
    if low.size < 10 * BRIGHTNESS_BINS:
        return []
    x, y = low.astype(np.float64), high.astype(np.float64)
    order = np.argsort(x + y, kind="stable")
    return [
        {"brightness": float((x[part] + y[part]).mean() / 2), "bias": float((y[part] - x[part]).mean())}
        for part in np.array_split(order, BRIGHTNESS_BINS)
    ]


def detail_correlation(before: np.ndarray, after: np.ndarray, factor: float) -> float | None:
    """Return the mean band correlation of what (band, row, column) DN show beyond an LR pixel, before and after.

    None when the images have no detail. One when the image kept its own detail.
    """
    size = 2 * round(factor / 2) + 1
    result = []
    for a, b in zip(before, after, strict=True):
        valid = ndimage.minimum_filter(a, size) > NODATA
        high = [(v := i.astype(np.float64)) - ndimage.uniform_filter(v, size) for i in (a, b)]
        if valid.sum() > 2 and min(h[valid].std() for h in high) > 0:
            result.append(np.corrcoef(high[0][valid], high[1][valid])[0, 1])
    return float(np.mean(result)) if result else None
