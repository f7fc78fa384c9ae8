"""The straight path as its residual sees it: what the network is shown and asked has one size at every noise and step.

y is the LR image on the HR grid, x_1 the HR image, both standardised, r the RMS of x_1 - y over the training split and
n = (x_1 - y) / r. On the straight path from a source with noise s (equation 1 of `straight`) the state is

    x_t = m(t) + (1 - t) s eps + t r n,   m(t) = ((1 - t) sqrt(1 - s^2) + t) y                     (1)

of which m is known. Less m and divided by the size D(t) = sqrt((1 - t)^2 s^2 + t^2 r^2) of the rest, it is

    z(a) = cos(a) eps + sin(a) n,   tan(a) = t r / ((1 - t) s),   dz/da = cos(a) n - sin(a) eps    (2)

whatever s is: sources of every noise, pure noise included, lie on one ODE from a = 0 to a = pi/2, where
x_1 = y + r z. The network learns dz/da from z, y and a. It need not cancel noise whose size is known (preconditioning,
Karras et al. 2206.00364; the circle of equation 2: Lu and Song 2410.11081), and is not told s, which has no meaning
left but one: where even steps in t fall. From pure noise (s = 1) they crowd near the noise and leave most of the way to
the last, the more so the smaller r is; from the LR image with noise of the residual's own size (s = r) they are nearly
even in a.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from crossres.diffusion.paths.path import Chain, Draws, Example, Noise, VectorField
from crossres.diffusion.paths.samplers import ODE_SOLVERS, Velocity, even
from crossres.settings.sample import SOLVERS

LAST = math.pi / 2
"""The angle of the HR image."""


@dataclass(frozen=True)
class Residual:
    """The path of the residual as training and sampling use it."""

    residual_rms: float
    """r: RMS of HR - y on the training split, in HR standard deviations."""

    name = "residual"
    loss: Literal["l1", "l2"] = "l1"
    starts = ("lr", "noise")
    solvers = SOLVERS["residual"]
    sigmas = ()

    @property
    def usual_sigma(self) -> float:
        """The residual's own size: the noise of an LR start."""
        return min(self.residual_rms, 1.0)

    def draw(self, shape: torch.Size, generator: torch.Generator) -> Draws:
        """Draw the angle, as a share of a right one, and noise; the network's sigma is 1 throughout."""
        share = torch.rand(shape[0], generator=generator, device=generator.device)
        return Draws(share, torch.ones_like(share), torch.randn(shape, generator=generator, device=generator.device))

    def example(self, y: Tensor, hr: Tensor, draws: Draws) -> Example:
        """Return z and dz/da (equation 2)."""
        angle = (LAST * draws.t).reshape(-1, 1, 1, 1)
        cos, sin, n = angle.cos(), angle.sin(), (hr - y) / self.residual_rms
        z, slope = cos * draws.noise + sin * n, cos * n - sin * draws.noise
        return Example(z, draws.t, draws.sigma, slope, cos / self.residual_rms * hr)

    def usual_eta(self, start: str) -> float:
        """Return 0: an ODE takes no fresh noise."""
        return 0.0

    def run(self, field: VectorField, y: Tensor, noise: Noise, chain: Chain) -> Tensor:
        """Solve dz/da from noise at a = 0 to a = pi/2.

        Steps are even in a, or in the t of a source with that sigma.
        """
        by_angle = chain.spacing == "angle"
        angles = [LAST * share for share in even(chain.steps)] if by_angle else self.angles(chain.steps, chain.sigma)
        return y + self.residual_rms * _end(lambda z, t: field(z, t, 1.0), noise(0), angles, chain.solver)

    def lesson(self, teacher: Velocity, y: Tensor, draws: Draws, steps: int, solver: str) -> Example:
        """Return the start and the slope that leads in one step to where the teacher does, from the LR image."""
        end = _end(teacher, draws.noise, self.angles(steps, self.usual_sigma), solver)
        return Example(draws.noise, torch.zeros_like(draws.t), draws.sigma, (end - draws.noise) / LAST)

    def angles(self, steps: int, sigma: float) -> list[float]:
        """Return the steps + 1 angles of even steps in t from a source with that noise (equation 2)."""
        return [math.atan2(t * self.residual_rms, (1 - t) * sigma) for t in even(steps)]


def _end(slope: Velocity, start: Tensor, angles: Sequence[float], solver: str) -> Tensor:
    """Return z at the last of the angles; `slope` is told the angle as a share of a right one."""
    return ODE_SOLVERS[solver](lambda z, angle: slope(z, angle / LAST), start, angles)
