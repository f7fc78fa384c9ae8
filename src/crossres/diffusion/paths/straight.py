"""A straight path from a noised LR image, or from pure noise, to the HR image.

y is the LR image on the HR grid and x_1 the HR image, both standardised; s is the source noise (sigma). The source
state is

    x_s = sqrt(1 - s^2) y + s eps,   eps ~ N(0, I)                                     (1)

and the path x_t = (1 - t) x_s + t x_1 with the velocity v = x_1 - x_s (flow matching, Lipman et al. 2210.02747; a
source that depends on the condition: I2SB, Liu et al. 2302.05872, and ResShift, Yue et al. 2307.12348). At s = 1 the
source is pure noise: the ordinary start from noise is a special case of the same path and the same weights.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from crossres.diffusion.paths.path import Chain, Draws, Example, Noise, VectorField
from crossres.diffusion.paths.samplers import ODE_SOLVERS, Velocity, even
from crossres.settings.sample import SOLVERS

SIGMAS = (0.15, 0.22, 0.32, 0.47, 0.68)


def source_state(y: Tensor, noise: Tensor, sigma: Tensor | float) -> Tensor:
    """Return x_s = sqrt(1 - s^2) y + s eps (equation 1 of this module).

    `y` and `noise` are (batch, band, row, column); `sigma` is one number or a (batch,) tensor in (0, 1].
    """
    s = torch.as_tensor(sigma, dtype=y.dtype, device=y.device).reshape(-1, 1, 1, 1)
    return (1 - s * s).clamp(min=0).sqrt() * y + s * noise


def state(source: Tensor, target: Tensor, t: Tensor) -> Tensor:
    """Return x_t = (1 - t) x_s + t x_1; `t` is (batch,), 0 at the source and 1 at the HR image."""
    return torch.lerp(source, target, t.reshape(-1, 1, 1, 1))


def velocity_target(source: Tensor, target: Tensor) -> Tensor:
    """Return the velocity that a straight path has everywhere, v = x_1 - x_s."""
    return target - source


def draw_sigma(count: int, sigma_min: float, noise_start_share: float, generator: torch.Generator) -> Tensor:
    """Draw source noise for training: log-uniform over [sigma_min, 1], or exactly 1 for a share of the examples."""
    device = generator.device
    sigma = torch.exp(torch.rand(count, generator=generator, device=device) * math.log(sigma_min))
    from_noise = torch.rand(count, generator=generator, device=device) < noise_start_share
    return torch.where(from_noise, torch.ones_like(sigma), sigma)


@dataclass(frozen=True)
class Straight:
    """The straight path as training and sampling use it."""

    sigma_min: float
    """Least source noise in training."""
    noise_start_share: float
    """Share of training examples that start from pure noise."""
    residual_rms: float
    """RMS of HR - y on the training split, in HR standard deviations."""

    name = "straight"
    loss: Literal["l1", "l2"] = "l1"
    starts = ("lr", "noise")
    solvers = SOLVERS["straight"]

    @property
    def sigmas(self) -> tuple[float, ...]:
        """Noises of an LR start that validation tries: those that training has seen."""
        return tuple(s for s in SIGMAS if s >= self.sigma_min) or (self.sigma_min,)

    @property
    def usual_sigma(self) -> float:
        """The residual's own size, a natural guess."""
        return min(max(self.residual_rms, self.sigma_min), 1.0)

    def draw(self, shape: torch.Size, generator: torch.Generator) -> Draws:
        """Draw t, sigma (`draw_sigma`) and noise."""
        t = torch.rand(shape[0], generator=generator, device=generator.device)
        sigma = draw_sigma(shape[0], self.sigma_min, self.noise_start_share, generator)
        return Draws(t, sigma, torch.randn(shape, generator=generator, device=generator.device))

    def example(self, y: Tensor, hr: Tensor, draws: Draws) -> Example:
        """Return x_t and the velocity x_1 - x_s."""
        source = source_state(y, draws.noise, draws.sigma)
        return Example(state(source, hr, draws.t), draws.t, draws.sigma, velocity_target(source, hr), hr)

    def usual_eta(self, start: str) -> float:
        """Return 0: an ODE takes no fresh noise."""
        return 0.0

    def run(self, field: VectorField, y: Tensor, noise: Noise, chain: Chain) -> Tensor:
        """Solve dx/dt = v from x_s at t = 0 to t = 1, in steps that are even in t or in the angle."""
        start = source_state(y, noise(0), chain.sigma)
        times = self.times(chain.steps, chain.sigma) if chain.spacing == "angle" else even(chain.steps)
        return ODE_SOLVERS[chain.solver](lambda x, t: field(x, t, chain.sigma), start, times)

    def times(self, steps: int, sigma: float) -> list[float]:
        """Return the steps + 1 times that are even in the angle a of `residual`, tan(a) = t r / ((1 - t) s)."""
        angles = [math.pi / 2 * share for share in even(steps)[:-1]]
        pairs = [(sigma * math.sin(a), self.residual_rms * math.cos(a)) for a in angles]
        return [done / (done + left) for done, left in pairs] + [1.0]

    def lesson(self, teacher: Velocity, y: Tensor, draws: Draws, steps: int, solver: str) -> Example:
        """Return sources of every noise and the velocities that lead in one step to where the teacher does."""
        start = source_state(y, draws.noise, draws.sigma)
        end = ODE_SOLVERS[solver](teacher, start, even(steps))
        return Example(start, torch.zeros_like(draws.t), draws.sigma, end - start)
