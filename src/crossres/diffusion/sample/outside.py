"""How much of an LR scene is ground of a kind that a model has not learnt from."""

import logging

import dask
import numpy as np
import xarray as xr

from crossres.diffusion.model.domain import Domain
from crossres.diffusion.model.standardise import Standard
from crossres.imagery.engine import per_block

log = logging.getLogger(__name__)

BLOCK_PX = 1024
"""Side of what is looked at at once, in LR pixels, about."""
WORTH_SAYING = 0.1
"""Share of a scene outside the training domain above which the log says so."""


def share_outside(scene: xr.Dataset, domain: Domain, standard: Standard) -> float | None:
    """Return the share of an LR scene's windows that lie outside a model's training domain; None without a whole one.

    Windows with a pixel that has no data are not looked at.
    """
    side = min(domain.window_px, *(scene.sizes[name] for name in ("y", "x")))
    block = max(1, BLOCK_PX // side) * side
    pixels = scene.reflectance.data[: domain.bands].rechunk({0: -1, 1: block, 2: block})

    def count(lr: np.ndarray) -> tuple[int, int]:
        rows, cols = (n // side for n in lr.shape[1:])
        if not rows or not cols:
            return 0, 0
        cut = lr[:, : rows * side, : cols * side].reshape(len(lr), rows, side, cols, side)
        windows = cut.transpose(1, 3, 0, 2, 4).reshape(rows * cols, len(lr), side, side)
        windows = windows[np.isfinite(windows).all((1, 2, 3))]
        return int((domain.distances(standard.forward(windows)) > 1).sum()) if len(windows) else 0, len(windows)

    outside, seen = np.sum(dask.compute(*per_block(count, pixels)), axis=0)
    return round(int(outside) / int(seen), 4) if seen else None


def warn_outside(name: str, share: float | None) -> None:
    """Say in the log that a scene lies outside the training domain, if much of it does."""
    if share is not None and share > WORTH_SAYING:
        log.warning(
            "%s: %.0f %% of it is ground of a kind that the model has not learnt from; distrust its detail there",
            name, 100 * share,
        )  # fmt: skip
