"""Solvers of dx/dt = v(x, t) from t = 0 (the source) to t = 1 (the HR image); pure functions on any velocity."""

from collections.abc import Callable
from typing import Literal

from torch import Tensor

Velocity = Callable[[Tensor, float], Tensor]
"""v(x, t): `x` (batch, band, row, column) and 0 <= t < 1, to the shape of `x`."""

EVALUATIONS = {"euler": 1, "midpoint": 2}
"""Network evaluations per step (NFE = steps x this)."""


def sample_euler(velocity: Velocity, x: Tensor, steps: int) -> Tensor:
    """Explicit Euler: x_{k+1} = x_k + h v(x_k, k h), h = 1 / steps; first order, exact where v is constant."""
    h = 1 / steps
    for k in range(steps):
        x = x + h * velocity(x, k * h)
    return x


def sample_midpoint(velocity: Velocity, x: Tensor, steps: int) -> Tensor:
    """Explicit midpoint: x_{k+1} = x_k + h v(x_k + h/2 v(x_k, k h), (k + 1/2) h).

    Second order, exact where v is linear in t.
    """
    h = 1 / steps
    for k in range(steps):
        half = x + h / 2 * velocity(x, k * h)
        x = x + h * velocity(half, (k + 0.5) * h)
    return x


def sample(solver: Literal["euler", "midpoint"], velocity: Velocity, x: Tensor, steps: int) -> Tensor:
    """Run the named solver."""
    return {"euler": sample_euler, "midpoint": sample_midpoint}[solver](velocity, x, steps)
