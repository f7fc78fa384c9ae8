"""Which displacement field the tie points justify: the simplest one that predicts held-out tie points well."""

from collections.abc import Sequence

import numpy as np

from crossres.align.field import Extent, Model, fit

MODELS = (Model("shift"), Model("affine"), *(Model("spline", s) for s in (1.0, 0.1, 0.01, 0.001)))
"""From simple to flexible."""

FOLDS = 5
WORTH_PX = 0.01
"""A simpler model that predicts held-out points worse by less than this RMSE in LR pixels is as good."""

MIN_POINTS = {"shift": 1, "affine": 6, "spline": 16}


def held_out_residuals(
    model: Model,
    extent: Extent,
    points: np.ndarray,
    displacement: np.ndarray,
    weights: np.ndarray,
    folds: np.ndarray,
) -> np.ndarray:
    """Return (n, 2) displacement minus the field fitted without the point's own fold, in LR pixels."""
    result = np.empty_like(displacement)
    for fold in np.unique(folds):
        out = folds == fold
        field = fit(model, extent, points[~out], displacement[~out], weights[~out])
        result[out] = displacement[out] - field.at(*points[out].T)
    return result


def block_folds(points: np.ndarray, block_px: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the fold of each point, and its block: points of one square of `block_px` LR pixels share both.

    Neighbouring windows overlap; held out one by one they would be predicted by their own pixels.
    """
    _, block = np.unique(np.floor(points / block_px), axis=0, return_inverse=True)
    block = block.reshape(-1)
    count = int(block.max()) + 1
    order = np.random.default_rng([seed, 1]).permutation(count)
    return (order % min(FOLDS, count))[block], block


def select(
    models: Sequence[Model],
    extent: Extent,
    points: np.ndarray,
    displacement: np.ndarray,
    weights: np.ndarray,
    block_px: float,
    cap_px: float,
    seed: int,
) -> tuple[Model, dict[str, float]]:
    """Return the simplest of `models` (simple ones first) that is as good as the best, and all their scores.

    A score is the RMSE in LR pixels of held-out points, each counted as at most `cap_px` off. As good is: within one
    standard error of the difference over blocks (Breiman et al. 1984, the one-standard-error rule, paired), or within
    `WORTH_PX`, since neighbouring windows share pixels and so some of their error.
    """
    folds, block = block_folds(points, block_px, seed)
    smallest = min((folds != f).sum() for f in np.unique(folds))
    able = [m for m in models if smallest >= MIN_POINTS[m.kind] and folds.max() > 0]
    if not able:
        return models[0], {}
    loss = {}
    for model in able:
        residual = held_out_residuals(model, extent, points, displacement, weights, folds)
        squared = np.minimum((residual**2).sum(axis=1), cap_px**2)
        loss[model] = np.bincount(block, squared) / np.bincount(block)
    best = min(able, key=lambda m: loss[m].mean())
    scores = {str(m): float(np.sqrt(loss[m].mean())) for m in able}
    for model in able:
        difference = loss[model] - loss[best]
        near = difference.mean() <= difference.std(ddof=1) / np.sqrt(len(difference))
        if near or scores[str(model)] - scores[str(best)] < WORTH_PX:
            return model, scores
    return best, scores
