"""Solvers: pure functions from a start to an HR image, on any velocity or denoiser."""

import math
from collections.abc import Callable, Sequence

from torch import Tensor

Velocity = Callable[[Tensor, float], Tensor]
"""v(x, t): `x` (batch, band, row, column) and a time, to the shape of `x`."""
Denoiser = Callable[[Tensor, float], Tensor]
"""E[x_0 | x_t] of a variance-preserving chain, from (x_t, t)."""
Schedule = Callable[[float], tuple[float, float]]
"""alpha(t) and sigma(t) of x_t = alpha x_0 + sigma eps."""


def even(steps: int) -> list[float]:
    """Return steps + 1 times from 0 to 1 at equal distances."""
    return [k / steps for k in range(steps + 1)]


def sample_euler(velocity: Velocity, x: Tensor, times: Sequence[float]) -> Tensor:
    """Explicit Euler over ascending times t_k: x_{k+1} = x_k + h_k v(x_k, t_k); first order, exact where v is constant.

    h_k = t_{k+1} - t_k, here and below.
    """
    for t, s in zip(times[:-1], times[1:]):
        x = x + (s - t) * velocity(x, t)
    return x


def sample_midpoint(velocity: Velocity, x: Tensor, times: Sequence[float]) -> Tensor:
    """Explicit midpoint: x_{k+1} = x_k + h_k v(x_k + h_k/2 v(x_k, t_k), t_k + h_k/2).

    Second order, exact where v is linear in t; two evaluations a step.
    """
    for t, s in zip(times[:-1], times[1:]):
        half = x + (s - t) / 2 * velocity(x, t)
        x = x + (s - t) * velocity(half, (t + s) / 2)
    return x


def sample_adams_bashforth(velocity: Velocity, x: Tensor, times: Sequence[float]) -> Tensor:
    """Adams-Bashforth of two steps: x_{k+1} = x_k + h_k (v_k + h_k / (2 h_{k-1}) (v_k - v_{k-1})), first an Euler step.

    Second order at one evaluation a step, since each is used twice (Hairer et al., Solving ODEs I, III.1 and III.5).
    """
    before: Tensor | None = None
    h_before = 0.0
    for t, s in zip(times[:-1], times[1:]):
        v, h = velocity(x, t), s - t
        x = x + h * (v if before is None else v + h / (2 * h_before) * (v - before))
        before, h_before = v, h
    return x


ODE_SOLVERS = {"euler": sample_euler, "midpoint": sample_midpoint, "ab2": sample_adams_bashforth}


def sample_ddim(
    denoise: Denoiser, schedule: Schedule, x: Tensor, times: Sequence[float], eta: float, noise: Callable[[int], Tensor]
) -> Tensor:
    """DDIM (Song et al. 2010.02502, equations 12 and 16), from time t to s over the descending `times`.

    x_s = alpha_s x_0 + sqrt(sigma_s^2 - w^2) eps + w z with eps = (x_t - alpha_t x_0) / sigma_t and
    w = eta sigma_s / sigma_t sqrt(1 - alpha_t^2 / alpha_s^2): an ODE at eta = 0, first order; DDPM's ancestral step at
    eta = 1. `noise(k)` is the z of step k = 1, 2, ...
    """
    for k, (t, s) in enumerate(zip(times[:-1], times[1:]), 1):
        (alpha_t, sigma_t), (alpha_s, sigma_s) = schedule(t), schedule(s)
        clean = denoise(x, t)
        w = eta * sigma_s / sigma_t * math.sqrt(max(0.0, 1 - (alpha_t / alpha_s) ** 2))
        along = (x - alpha_t * clean) / sigma_t
        x = alpha_s * clean + math.sqrt(max(0.0, sigma_s**2 - w**2)) * along
        if w > 0:
            x = x + w * noise(k)
    return x


def sample_dpm_solver_pp_2m(denoise: Denoiser, schedule: Schedule, x: Tensor, times: Sequence[float]) -> Tensor:
    """DPM-Solver++(2M) (Lu et al. 2211.01095, algorithm 2), over the descending `times`; second order.

    With l = log(alpha / sigma), h = l_s - l_t and r = h_before / h: x_s = sigma_s / sigma_t x_t - alpha_s (e^-h - 1) D,
    D = (1 + 1 / 2r) x_0(t) - 1 / 2r x_0(before). The first step, and one that ends without noise, are first order.
    """
    before: Tensor | None = None
    h_before = 0.0
    for t, s in zip(times[:-1], times[1:]):
        (alpha_t, sigma_t), (alpha_s, sigma_s) = schedule(t), schedule(s)
        clean = denoise(x, t)
        if sigma_s <= 0:
            return alpha_s * clean
        h = math.log(alpha_s / sigma_s) - math.log(alpha_t / sigma_t)
        towards = clean
        if before is not None:
            share = h / (2 * h_before)
            towards = (1 + share) * clean - share * before
        x = sigma_s / sigma_t * x - alpha_s * math.expm1(-h) * towards
        before, h_before = clean, h
    return x


def sample_residual_shift(
    denoise: Callable[[Tensor, int], Tensor], x: Tensor, etas: Sequence[float], kappa: float,
    noise: Callable[[int], Tensor],
) -> Tensor:  # fmt: skip
    """ResShift's reverse chain (Yue et al. 2307.12348, equation 7) over descending `etas`, ending at x_0.

    x_s = eta_s / eta_t x_t + (1 - eta_s / eta_t) x_0 + kappa sqrt(eta_s / eta_t (eta_t - eta_s)) z. `denoise(x, k)` is
    E[x_0 | x_t] at etas[k], `noise(k)` the z of step k = 1, 2, ...
    """
    for k, (eta_t, eta_s) in enumerate(zip(etas[:-1], etas[1:])):
        share = eta_s / eta_t
        x = share * x + (1 - share) * denoise(x, k) + kappa * math.sqrt(share * (eta_t - eta_s)) * noise(k + 1)
    return denoise(x, len(etas) - 1)
