"""The relation of one band that holds: the one asked for, or the simpler one that leaves least, and why."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from crossres.align.radiometry.relation import Relation, drawn_line, quantile_curve, standard_errors, straight
from crossres.settings.normalise import NormaliseSettings

SLACK = 1.33
"""A gain may lie this factor outside of what regressions in either direction over all clear pixels allow."""
MAX_ERROR = 0.2
"""Standard error of a gain that is known, in parts of it."""
DOUBTFUL = 1.05
"""A relation that raises a band's RMSE by more than this factor is wrong; by less, the band was matched already."""


@dataclass(frozen=True)
class BandPixels:
    """One band's clear pixels; all (n,)."""

    x: np.ndarray
    """Reflectance that is to change."""
    y: np.ndarray
    """What it should become."""
    before: np.ndarray
    """`x` before the spectral band adjustment."""
    pifs: np.ndarray
    unchanged: np.ndarray
    """Which have not surely changed."""
    blocks: np.ndarray


@dataclass(frozen=True)
class Choice:
    """What one band gets."""

    method: str
    """`irmad`, `regression`, `histogram`, `offset` or `none`."""
    relation: Relation
    errors: tuple[float, float]
    """Standard errors of the gain and offset that the pixels say, before the prior; NaN where it is no such line."""
    why: str | None = None
    """Why it is not the method asked for."""
    doubt: bool = False
    """Whether that is because the relation asked for is wrong."""
    worse: bool = False
    """Whether even this one leaves more than there was, which a spectral band adjustment may."""


NOTHING = float("nan"), float("nan")
IDENTITY = straight(1.0, 0.0)
LEFT_ALONE = Choice("none", IDENTITY, NOTHING)


def _line(x: np.ndarray, y: np.ndarray, blocks: np.ndarray) -> Relation:
    return straight(*drawn_line(x, y, standard_errors(x, y, blocks)[0]))


METHODS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], Relation]] = {
    "irmad": _line,
    "regression": _line,
    "histogram": lambda x, y, _: quantile_curve(x, y),
    "offset": lambda x, y, _: straight(1.0, float(np.median(y.astype(np.float64) - x))),
    "none": lambda *_: IDENTITY,
}
"""The relation of x and y (n,) in blocks (n,)."""
SIMPLER = {"irmad": ("regression", "offset", "none")}
"""What is tried instead of a method that fails; of others, the offset."""


def choose(settings: NormaliseSettings, band: BandPixels) -> Choice:
    """Return the relation by `normalise.method` where it holds, else the simpler one that leaves the smallest RMSE.

    A relation holds when the RMSE over invariant and over unchanged pixels does not grow, and that over all clear ones
    does not or their median error falls; and when its gain is known, and one that all clear pixels allow.
    """
    asked, few = settings.method, int(band.pifs.sum())
    why, doubt = None, False
    if few < settings.min_pifs:
        why = f"only {few} invariant pixels, fewer than normalise.min_pifs ({settings.min_pifs})"
    else:
        first = fitted(asked, band)
        why = _refused(first, band)
        if why is None:
            return first
        doubt = _rms(first.relation(band.x), band.y) > DOUBTFUL * _rms(band.before, band.y) or "gain" in why
    others = [fitted(name, band) for name in SIMPLER.get(asked, ("offset", "none"))]
    held = [other for other in others if _refused(other, band) is None] or others[-1:]
    best = min(held, key=lambda other: _rms(other.relation(band.x), band.y))
    worse = _refused(best, band) is not None
    return replace(best, why=f"{asked}: {why}", doubt=doubt, worse=worse)


def fitted(name: str, band: BandPixels) -> Choice:
    """Return the relation by one method, whether it holds or not."""
    pixels = band.pifs if name == "irmad" else np.ones(len(band.x), bool)
    given = band.x[pixels], band.y[pixels], band.blocks[pixels]
    errors = standard_errors(*given) if METHODS[name] is _line else NOTHING
    return Choice(name, METHODS[name](*given), errors)


def _refused(choice: Choice, band: BandPixels) -> str | None:
    """Say why a relation does not hold over all clear pixels; None when it does."""
    x, y = band.x.astype(np.float64), band.y.astype(np.float64)
    if METHODS[choice.method] is _line:
        low, high = _allowed(x, y)
        gain, error = choice.relation.gain, choice.errors[0]
        if not low <= gain <= high:
            return f"a gain of {gain:.2f}, where all clear pixels allow {low:.2f} to {high:.2f}"
        if error > MAX_ERROR * gain:
            return f"a gain of {gain:.2f} with a standard error of {error:.2f}"
    after, there = choice.relation(band.x), band.unchanged
    for what, part in (("invariant pixels", band.pifs), ("what did not change", there), ("all", np.ones_like(there))):
        was, then = (_rms(values[part], y[part]) if part.any() else 0.0 for values in (band.before, after))
        if then > was and (part is there or part is band.pifs or not _calmer(after, band.before, y)):
            return f"RMSE over {what} would grow from {was:.4f} to {then:.4f}"
    return None


def _calmer(after: np.ndarray, before: np.ndarray, y: np.ndarray) -> bool:
    """Say whether the median error falls: where land changed a lot, RMSE may grow although it does."""
    return bool(np.median(np.abs(after - y)) < np.median(np.abs(before - y)))


def _allowed(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return the least and the largest gain: the regressions of y on x and of x on y, widened by SLACK."""
    sxx, syy, sxy = x.var(), y.var(), ((x - x.mean()) * (y - y.mean())).mean()
    if sxy <= 1e-12:
        return 1.0, 1.0
    return float(sxy / sxx / SLACK), float(syy / sxy * SLACK)


def _rms(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.sqrt(np.square(np.subtract(one, other, dtype=np.float64)).mean()))
