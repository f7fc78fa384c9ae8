"""The kind of ground that a training split shows, for the model's card."""

import numpy as np

from crossres.diffusion.model.domain import Domain, features, fit
from crossres.diffusion.model.gaps import fill_nearest
from crossres.diffusion.train.data import Split
from crossres.imagery.numbers import to_reflectance

MOST_PATCHES = 2048
AT_A_TIME = 64


def training_domain(split: Split) -> Domain:
    """Return the statistics of a split's LR patches, of the bands that HR has.

    Of more than MOST_PATCHES, of as many evenly spaced ones.
    """
    seen = min(len(split), MOST_PATCHES)
    chosen = np.arange(seen) * len(split) // seen
    found = [
        features(np.stack([_standardised(split, lr[: split.bands]) for lr in split.read("lr", patches)]))
        for patches in np.array_split(chosen, -(-seen // AT_A_TIME))
    ]
    return fit(np.concatenate(found), min(split.lr_shape))


def _standardised(split: Split, lr: np.ndarray) -> np.ndarray:
    return fill_nearest(split.standard.forward(to_reflectance(lr)))
