"""The variance-preserving chain of DDPM in continuous time, with the cosine schedule and v-prediction.

    x_t = alpha(t) x_0 + sigma(t) eps,   alpha = cos(pi t / 2),   sigma = sin(pi t / 2)            (1)
    v = alpha eps - sigma x_0,           x_0 = alpha x_t - sigma v                                 (2)

x_0 is the HR image and t = 1 pure noise (DDPM, Ho et al. 2006.11239; schedule: Nichol and Dhariwal 2102.09672; v:
Salimans and Ho 2202.00512). The network is told 1 - t, so that 1 is the HR image on every path.

A start from the LR image (Miao et al. 2025, doi 10.1109/JSTARS.2025.3590687; CCDF, Chung et al. 2112.05146) takes
x_t0 = alpha(t0) y + sigma(t0) eps as an approximation of the chain's own state, t0 = 2/pi asin(sigma).
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from crossres.diffusion.paths.path import Chain, Draws, Example, Noise, VectorField
from crossres.diffusion.paths.samplers import sample_ddim, sample_dpm_solver_pp_2m
from crossres.settings.sample import SOLVERS

T_MAX = 0.999
"""Where pure noise is taken to be: alpha is 0.0016 there, and the log signal-to-noise ratio still finite."""


def alpha_sigma(t: float) -> tuple[float, float]:
    """Return alpha(t) and sigma(t) of equation 1."""
    return math.cos(math.pi / 2 * t), math.sin(math.pi / 2 * t)


def time_of(sigma: float) -> float:
    """Return the t at which the chain has that sigma, at most T_MAX."""
    return min(2 / math.pi * math.asin(sigma), T_MAX)


@dataclass(frozen=True)
class VariancePreserving:
    """The chain as training and sampling use it."""

    name = "vp"
    loss: Literal["l1", "l2"] = "l2"
    starts = ("lr", "noise")
    solvers = SOLVERS["vp"]
    usual_sigma = math.sin(math.pi / 2 * 0.84)
    sigmas = tuple(math.sin(math.pi / 2 * t0) for t0 in (0.5, 0.65, 0.8, 0.85, 0.9, 0.95))

    def draw(self, shape: torch.Size, generator: torch.Generator) -> Draws:
        """Draw t and noise; the network's sigma is 1 throughout."""
        t = torch.rand(shape[0], generator=generator, device=generator.device)
        return Draws(t, torch.ones_like(t), torch.randn(shape, generator=generator, device=generator.device))

    def example(self, y: Tensor, hr: Tensor, draws: Draws) -> Example:
        """Return x_t and v (equations 1 and 2)."""
        angle = (math.pi / 2 * draws.t).reshape(-1, 1, 1, 1)
        alpha, sigma = angle.cos(), angle.sin()
        x, v = alpha * hr + sigma * draws.noise, alpha * draws.noise - sigma * hr
        return Example(x, 1 - draws.t, draws.sigma, v)

    def usual_eta(self, start: str) -> float:
        """Return 1 for an LR start, whose missing detail only fresh noise brings in, else 0."""
        return 1.0 if start == "lr" else 0.0

    def run(self, field: VectorField, y: Tensor, noise: Noise, chain: Chain) -> Tensor:
        """Go down the chain from t0, or from pure noise, to the HR image."""
        first = time_of(chain.sigma)
        alpha, sigma = alpha_sigma(first)
        start = noise(0) if chain.start == "noise" else alpha * y + sigma * noise(0)

        def denoise(x: Tensor, t: float) -> Tensor:
            a, s = alpha_sigma(t)
            return a * x - s * field(x, 1 - t, 1.0)

        times = even_times(first, chain.steps)
        if chain.solver == "ddim":
            return sample_ddim(denoise, alpha_sigma, start, times, chain.eta, noise)
        return sample_dpm_solver_pp_2m(denoise, alpha_sigma, start, times)


def even_times(first: float, steps: int) -> list[float]:
    """Return steps + 1 times from `first` to 0 at equal distances."""
    return [first * (1 - k / steps) for k in range(steps)] + [0.0]
