"""Paths: how an HR image is taken apart towards a start, so that a network learns the way back.

Every path answers two questions: what the network is trained on (`draw`, `example`) and how it is sampled from (`run`).

- `residual`: from a noised LR image, or from pure noise, along a line, learnt as the residual sees it; the product's
  own.
- `straight`: the same line, learnt as the velocity of the image.
- `vp`: the variance-preserving chain of DDPM, from pure noise or, as Miao et al. 2025 do, from the noised LR image at
  an intermediate step.
- `resshift`: the residual shift of Yue et al. 2023, from the LR image with noise.
"""

from crossres.diffusion.paths.path import DiffusionPath
from crossres.diffusion.paths.residual import Residual
from crossres.diffusion.paths.resshift import ResShift
from crossres.diffusion.paths.straight import Straight
from crossres.diffusion.paths.variance_preserving import VariancePreserving
from crossres.settings.train import TrainSettings


def path_of(settings: TrainSettings, residual_rms: float) -> DiffusionPath:
    """Return the path that a model with these settings is trained on.

    `residual_rms` is the RMS of HR - bicubic LR on the training split, in HR standard deviations.
    """
    if settings.path == "residual":
        return Residual(residual_rms)
    if settings.path == "vp":
        return VariancePreserving()
    if settings.path == "resshift":
        return ResShift()
    return Straight(settings.sigma_min, settings.noise_start_share, residual_rms)
