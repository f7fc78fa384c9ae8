"""The residual shift of ResShift (Yue et al. 2307.12348): the mean moves from HR to LR while the noise grows.

    q(x_u | x_0, y) = N(x_0 + eta(u) (y - x_0), kappa^2 eta(u) I)                                  (their eq. 2)
    eta(u) = eta_1 (eta_T / eta_1)^(u^p),   u = (t - 1) / (T - 1)                                  (their eq. 14)

with kappa = 2, p = 0.3, eta_T = 0.999 and sqrt(eta_1) = 0.04 / kappa. Their schedule for any number of steps T is one
curve over u in [0, 1], so one training serves every T. The network predicts x_0 from x_u / sqrt(kappa^2 eta + 1),
which has unit variance, and is told 1 - u, so that 1 is the HR image on every path. Here it works on pixels, in the
paper on the codes of a VQ autoencoder.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from crossres.diffusion.paths.path import Chain, Draws, Example, Noise, VectorField
from crossres.diffusion.paths.samplers import sample_residual_shift
from crossres.settings.sample import SOLVERS

KAPPA = 2.0
POWER = 0.3
ETA_FIRST = (0.04 / KAPPA) ** 2
ETA_LAST = 0.999


def eta(u: Tensor) -> Tensor:
    """Return how far the mean has shifted towards LR, (batch,) for u in [0, 1]."""
    return ETA_FIRST * (ETA_LAST / ETA_FIRST) ** (u**POWER)


@dataclass(frozen=True)
class ResShift:
    """The residual shift as training and sampling use it."""

    name = "resshift"
    loss: Literal["l1", "l2"] = "l2"
    starts = ("lr",)
    solvers = SOLVERS["resshift"]
    sigmas = ()
    usual_sigma = 1.0

    def draw(self, shape: torch.Size, generator: torch.Generator) -> Draws:
        """Draw u and noise; the network's sigma is 1 throughout."""
        u = torch.rand(shape[0], generator=generator, device=generator.device)
        return Draws(u, torch.ones_like(u), torch.randn(shape, generator=generator, device=generator.device))

    def example(self, y: Tensor, hr: Tensor, draws: Draws) -> Example:
        """Return x_u, scaled, and x_0."""
        shift = eta(draws.t).reshape(-1, 1, 1, 1)
        x = torch.lerp(hr, y, shift) + KAPPA * shift.sqrt() * draws.noise
        return Example(x / (KAPPA**2 * shift + 1).sqrt(), 1 - draws.t, draws.sigma, hr)

    def usual_eta(self, start: str) -> float:
        """Return 1: the chain is ancestral."""
        return 1.0

    def run(self, field: VectorField, y: Tensor, noise: Noise, chain: Chain) -> Tensor:
        """Go down the chain from y with noise of kappa sqrt(eta_T)."""
        times = [1 - k / max(chain.steps - 1, 1) for k in range(chain.steps)]
        etas = eta(torch.tensor(times, dtype=torch.float64)).tolist()

        def denoise(x: Tensor, k: int) -> Tensor:
            return field(x / math.sqrt(KAPPA**2 * etas[k] + 1), 1 - times[k], 1.0)

        start = y + KAPPA * math.sqrt(etas[0]) * noise(0)
        return sample_residual_shift(denoise, start, etas, KAPPA, noise)
