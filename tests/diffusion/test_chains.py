"""Chains on data whose every posterior is known: what the solvers draw has the data's mean and variance.

The data are one Gaussian pixel, HR ~ N(m, c^2), whose LR image is y = m + d in all examples.
"""

import math
from dataclasses import replace

import pytest
import torch

from crossres.diffusion.paths import path_of
from crossres.diffusion.paths.path import Chain
from crossres.diffusion.paths.residual import Residual
from crossres.diffusion.paths.resshift import ETA_FIRST, ETA_LAST, KAPPA, ResShift, eta
from crossres.diffusion.paths.samplers import sample_ddim, sample_dpm_solver_pp_2m
from crossres.diffusion.paths.straight import Straight
from crossres.diffusion.paths.variance_preserving import T_MAX, VariancePreserving, alpha_sigma, even_times, time_of
from crossres.settings.train import TrainSettings

MEAN, SPREAD = 0.4, 0.6
COUNT = 40_000


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(k: int) -> torch.Tensor:
    return torch.randn(1, 1, 200, COUNT // 200, generator=generator(k), dtype=torch.float64)


def posterior_mean(x: torch.Tensor, a: float, b: float, s: float) -> torch.Tensor:
    """E[x_0 | x] for x = a x_0 + b + s eps."""
    return MEAN + a * SPREAD**2 / (a * a * SPREAD**2 + s * s) * (x - a * MEAN - b)


def vp_denoise(x: torch.Tensor, t: float) -> torch.Tensor:
    a, s = alpha_sigma(t)
    return posterior_mean(x, a, 0.0, s)


def vp_field(x: torch.Tensor, told: float, sigma: float) -> torch.Tensor:
    """v = (alpha x - x_0) / sigma, from equation 2 of the path's module."""
    a, s = alpha_sigma(1 - told)
    return (a * x - vp_denoise(x, 1 - told)) / s


def has_the_datas_law(x: torch.Tensor, tolerance: float = 0.02) -> None:
    assert x.mean().item() == pytest.approx(MEAN, abs=tolerance)
    assert x.std().item() == pytest.approx(SPREAD, abs=tolerance)


@pytest.mark.parametrize(("solver", "eta", "steps"), [("ddim", 0.0, 100), ("ddim", 0.5, 100), ("ddim", 1.0, 200),
                                                     ("dpm++2m", 0.0, 20)])  # fmt: skip
def test_the_vp_chain_draws_the_data_from_noise(solver, eta, steps):
    chain = Chain("noise", steps, solver, 1.0, eta)
    has_the_datas_law(VariancePreserving().run(vp_field, torch.zeros(1), noise, chain))


def test_fresh_noise_lets_the_vp_chain_forget_an_lr_start_that_is_off_and_an_ode_keeps_the_error():
    y = torch.full((1, 1, 200, COUNT // 200), MEAN + 1.0, dtype=torch.float64)
    errors = {}
    for share in (0.0, 1.0):
        chain = Chain("lr", 100, "ddim", math.sin(math.pi / 2 * 0.8), share)
        errors[share] = abs(VariancePreserving().run(vp_field, y, noise, chain).mean().item() - MEAN)
    assert errors[1.0] < 0.5 * errors[0.0]


def test_ddim_without_fresh_noise_is_the_ode_whose_solution_is_known():
    start = noise(0)
    a, s = alpha_sigma(T_MAX)
    exact = MEAN + SPREAD * (start - a * MEAN) / math.sqrt(a * a * SPREAD**2 + s * s)
    times = even_times(T_MAX, 400)
    assert torch.allclose(sample_ddim(vp_denoise, alpha_sigma, start, times, 0.0, noise), exact, atol=0.01)


@pytest.mark.parametrize(("solver", "order"), [("ddim", 1), ("dpm++2m", 2)])
def test_solvers_of_the_vp_chain_converge_at_their_order(solver, order):
    # To a time before 0, where log(alpha / sigma) is finite and its steps shrink with their number.
    first, last = 0.9, 0.2
    start = torch.full((1, 1, 1, 1), 1.3, dtype=torch.float64)
    (a, s), (b, r) = alpha_sigma(first), alpha_sigma(last)
    ratio = math.sqrt((b * b * SPREAD**2 + r * r) / (a * a * SPREAD**2 + s * s))
    exact = b * MEAN + (1.3 - a * MEAN) * ratio

    def error(steps: int) -> float:
        times = [first + (last - first) * k / steps for k in range(steps + 1)]
        if solver == "ddim":
            return abs(sample_ddim(vp_denoise, alpha_sigma, start, times, 0.0, noise).item() - exact)
        return abs(sample_dpm_solver_pp_2m(vp_denoise, alpha_sigma, start, times).item() - exact)

    assert error(40) / error(80) == pytest.approx(2**order, rel=0.12)


def test_the_straight_path_draws_the_data_from_noise_and_from_lr():
    y = torch.full((1, 1, 200, COUNT // 200), MEAN + 0.3, dtype=torch.float64)

    def field(x: torch.Tensor, t: float, sigma: float) -> torch.Tensor:
        # x_t = t x_1 + (1 - t) (sqrt(1 - s^2) y + s eps), so v = (E[x_1 | x_t] - x_t) / (1 - t).
        b = (1 - t) * math.sqrt(1 - sigma**2) * (MEAN + 0.3)
        return (posterior_mean(x, t, b, (1 - t) * sigma) - x) / (1 - t)

    for start, sigma in (("noise", 1.0), ("lr", 0.3)):
        has_the_datas_law(Straight(0.1, 0.25, 0.5).run(field, y, noise, Chain(start, 60, "midpoint", sigma, 0.0)))


def test_steps_even_in_the_angle_are_those_of_the_residual_path_and_draw_the_data():
    straight, residual = Straight(0.1, 0.25, 0.2), Residual(0.2)
    for sigma in (1.0, 0.3):
        times = straight.times(8, sigma)
        angles = [math.atan2(t * 0.2, (1 - t) * sigma) for t in times]
        assert angles == pytest.approx([math.pi / 2 * k / 8 for k in range(9)])
    assert residual.angles(8, 0.2) == pytest.approx([math.atan2(k, 8 - k) for k in range(9)])
    y = torch.full((1, 1, 200, COUNT // 200), MEAN + 0.3, dtype=torch.float64)

    def field(x: torch.Tensor, t: float, sigma: float) -> torch.Tensor:
        return (posterior_mean(x, t, 0.0, 1 - t) - x) / (1 - t)

    for solver in ("midpoint", "ab2"):
        chain = Chain("noise", 120, solver, 1.0, 0.0, "angle")
        has_the_datas_law(Straight(0.1, 1.0, 0.5).run(field, y, noise, chain))
    even = Chain("noise", 4, "ab2", 1.0, 0.0)
    seen: list[float] = []
    residual.run(lambda z, told, s: seen.append(told) or z, y, noise, replace(even, spacing="angle"))
    assert seen == pytest.approx([0.0, 0.25, 0.5, 0.75])


def residual_slope(z: torch.Tensor, told: float, spread: float) -> torch.Tensor:
    """dz/da = cos(a) n - sin(a) eps for z = cos(a) eps + sin(a) n and n ~ N(0, spread^2)."""
    a = math.pi / 2 * told
    return math.cos(a) * math.sin(a) * (spread**2 - 1) / (math.cos(a) ** 2 + (math.sin(a) * spread) ** 2) * z


@pytest.mark.parametrize("solver", ["ab2", "midpoint", "euler"])
@pytest.mark.parametrize(("start", "sigma"), [("noise", 1.0), ("lr", 0.3), ("lr", 0.1)])
def test_the_residual_path_draws_the_data_from_every_start(solver, start, sigma):
    y = torch.full((1, 1, 200, COUNT // 200), MEAN, dtype=torch.float64)
    r = SPREAD / 1.5  # the residual of this image is larger than what is usual in training

    def field(z: torch.Tensor, told: float, sigma: float) -> torch.Tensor:
        return residual_slope(z, told, 1.5)

    has_the_datas_law(Residual(r).run(field, y, noise, Chain(start, 200, solver, sigma, 0.0)))


def test_a_gaussian_residual_of_the_usual_size_is_drawn_exactly_in_one_step():
    y = torch.full((1, 1, 200, COUNT // 200), MEAN, dtype=torch.float64)
    field = lambda z, told, sigma: residual_slope(z, told, 1.0)  # noqa: E731
    has_the_datas_law(Residual(SPREAD).run(field, y, noise, Chain("lr", 1, "ab2", SPREAD, 0.0)))


@pytest.mark.parametrize("sigma", [1.0, 0.3])
def test_the_residual_path_is_the_straight_one_in_other_coordinates(sigma):
    """The velocity that a slope stands for, followed along the straight path, ends at the same image."""
    r, y = 0.4, noise(9) * 0.5
    path = Residual(r)

    def field(z: torch.Tensor, told: float, _: float) -> torch.Tensor:
        return torch.tanh(z + y) * (1 + told)  # any function will do

    def velocity(x: torch.Tensor, t: float, s: float) -> torch.Tensor:
        # x_t = m + D z with D^2 = (1 - t)^2 s^2 + t^2 r^2, so v = m' + D' z + D dz/da da/dt and da/dt = r s / D^2.
        keep = math.sqrt(1 - s * s)
        d = math.hypot((1 - t) * s, t * r)
        z = (x - ((1 - t) * keep + t) * y) / d
        a = math.atan2(t * r, (1 - t) * s)
        return (1 - keep) * y + (t * r * r - (1 - t) * s * s) / d * z + r * s / d * field(z, a / (math.pi / 2), 1.0)

    chain = Chain("noise" if sigma == 1 else "lr", 400, "midpoint", sigma, 0.0)
    ours, straight = path.run(field, y, noise, chain), Straight(0.1, 0.25, r).run(velocity, y, noise, chain)
    assert torch.allclose(ours, straight, atol=2e-4)
    assert (ours - y).std() > 0.1


def test_even_steps_from_lr_are_nearly_even_in_angle_and_from_noise_the_last_is_most_of_the_way():
    path = Residual(0.2)
    lr, pure = (torch.tensor(path.angles(4, sigma)).diff() for sigma in (path.usual_sigma, 1.0))
    assert lr.max() / lr.min() < 1.5 and torch.allclose(lr.sum(), torch.tensor(math.pi / 2))
    assert pure[-1] > 0.6 * math.pi / 2


def test_the_residual_shift_draws_the_data():
    y = torch.full((1, 1, 200, COUNT // 200), MEAN + 0.3, dtype=torch.float64)

    def field(x: torch.Tensor, told: float, sigma: float) -> torch.Tensor:
        e = eta(torch.tensor(1 - told, dtype=torch.float64)).item()
        x = x * math.sqrt(KAPPA**2 * e + 1)
        return posterior_mean(x, 1 - e, e * (MEAN + 0.3), KAPPA * math.sqrt(e))

    # The last state is a posterior mean at noise of 0.04: its spread is that much short of the data's, and no more.
    has_the_datas_law(ResShift().run(field, y, noise, Chain("lr", 200, "ancestral", 1.0, 1.0)), 0.03)


def test_the_residual_shift_keeps_its_marginals_from_step_to_step():
    """When x_0 is known, every state of the reverse chain follows the paper's equation 2."""
    y, hr, seen = torch.full((1, 1, 200, COUNT // 200), 0.9, dtype=torch.float64), 0.2, []

    def field(x: torch.Tensor, told: float, sigma: float) -> torch.Tensor:
        e = eta(torch.tensor(1 - told, dtype=torch.float64)).item()
        seen.append((e, x * math.sqrt(KAPPA**2 * e + 1)))
        return torch.full_like(x, hr)

    ResShift().run(field, y, noise, Chain("lr", 5, "ancestral", 1.0, 1.0))
    assert seen[0][0] == pytest.approx(ETA_LAST) and seen[-1][0] == pytest.approx(ETA_FIRST)
    for e, x in seen:
        expected = hr + e * (0.9 - hr)
        if e == seen[0][0]:
            expected = 0.9  # the chain starts at y itself, as the paper does
        assert x.mean().item() == pytest.approx(expected, abs=0.03)
        assert x.std().item() == pytest.approx(KAPPA * math.sqrt(e), rel=0.02)


def test_resshifts_schedule_is_the_papers_for_any_number_of_steps():
    steps, power = 15, 0.3
    b0 = math.exp(math.log(ETA_LAST / ETA_FIRST) / (2 * (steps - 1)))
    beta = [((t - 1) / (steps - 1)) ** power * (steps - 1) for t in range(1, steps + 1)]
    papers = [math.sqrt(ETA_FIRST) * b0**b for b in beta]
    ours = eta(torch.linspace(0, 1, steps, dtype=torch.float64)).sqrt()
    assert torch.allclose(ours, torch.tensor(papers, dtype=torch.float64), rtol=1e-9)


@pytest.mark.parametrize("path", ["residual", "straight", "vp", "resshift"])
def test_what_training_shows_the_network_has_unit_variance_and_its_answer_gives_back_the_image(path):
    process = path_of(TrainSettings(path=path), 0.5)
    y, hr = (torch.randn(2000, 1, 8, 8, generator=generator(k)) for k in (0, 1))
    if path == "resshift":
        y = hr  # between an image and another the variance is less than one, as on the straight path
    if path == "residual":
        hr = y + 0.5 * hr
    draws = process.draw(hr.shape, generator(2))
    example = process.example(y, hr, draws)
    t = draws.t.reshape(-1, 1, 1, 1)
    if path == "straight":
        assert torch.allclose(example.x + (1 - t) * example.target, hr, atol=1e-5)
        return  # halfway along a line between independent images the variance is less than one
    assert example.x.std().item() == pytest.approx(1, abs=0.02)
    if path == "residual":
        cos, sin = (torch.pi / 2 * t).cos(), (torch.pi / 2 * t).sin()
        assert example.target.std().item() == pytest.approx(1, abs=0.02)
        assert torch.allclose(y + 0.5 * (sin * example.x + cos * example.target), hr, atol=1e-5)
        assert torch.allclose(cos * example.x - sin * example.target, draws.noise, atol=1e-5)
    elif path == "vp":
        alpha, sigma = (torch.pi / 2 * t).cos(), (torch.pi / 2 * t).sin()
        assert torch.allclose(alpha * example.x - sigma * example.target, hr, atol=1e-5)
        assert torch.allclose(sigma * example.x + alpha * example.target, draws.noise, atol=1e-5)
    else:
        assert torch.equal(example.target, hr)


def test_the_start_of_an_lr_start_is_named_by_its_noise_or_its_time():
    assert math.sin(math.pi / 2 * time_of(0.9)) == pytest.approx(0.9)
    assert time_of(1.0) == T_MAX
