"""The process and its solvers keep what their equations promise."""

import math

import pytest
import torch

from crossres.diffusion.paths.samplers import even, sample_adams_bashforth, sample_euler, sample_midpoint
from crossres.diffusion.paths.straight import draw_sigma, source_state, state, velocity_target


def images(seed: int) -> torch.Tensor:
    return torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(seed))


def test_the_path_starts_at_the_source_and_ends_at_the_hr_image():
    source, target = images(0), images(1)
    assert torch.equal(state(source, target, torch.zeros(3)), source)
    assert torch.allclose(state(source, target, torch.ones(3)), target, atol=1e-6)


def test_a_source_of_full_noise_forgets_the_lr_image_and_one_without_noise_is_the_lr_image():
    y, noise = images(0), images(1)
    assert torch.equal(source_state(y, noise, 1.0), noise)
    assert torch.allclose(source_state(y, noise, 1e-6), y, atol=1e-4)


def test_the_source_keeps_unit_variance_at_any_sigma():
    y, noise = (torch.randn(1, 1, 400, 400, generator=torch.Generator().manual_seed(k)) for k in (0, 1))
    for sigma in (0.1, 0.33, 0.8):
        assert source_state(y, noise, sigma).std() == pytest.approx(1.0, abs=0.01)


def test_one_euler_step_along_the_true_velocity_arrives():
    source, target = images(0), images(1)
    v = velocity_target(source, target)
    assert torch.allclose(sample_euler(lambda x, t: v, source, even(1)), target, atol=1e-5)


def test_midpoint_is_exact_on_a_velocity_linear_in_time_where_euler_is_not():
    start = torch.zeros(1, 1, 1, 1, dtype=torch.float64)
    exact = 0.5  # the integral of t over [0, 1]
    assert sample_midpoint(lambda x, t: torch.full_like(x, t), start, even(3)).item() == pytest.approx(exact, abs=1e-12)
    assert sample_euler(lambda x, t: torch.full_like(x, t), start, even(4)).item() == pytest.approx(exact - 1 / 8)


@pytest.mark.parametrize(("solver", "order"), [(sample_euler, 1), (sample_midpoint, 2), (sample_adams_bashforth, 2)])
def test_solvers_converge_on_a_linear_ode_at_their_order(solver, order):
    start = torch.ones(1, 1, 1, 1, dtype=torch.float64)
    errors = [abs(solver(lambda x, t: -x, start, even(n)).item() - math.exp(-1)) for n in (64, 128)]
    assert errors[0] / errors[1] == pytest.approx(2**order, rel=0.05)


@pytest.mark.parametrize(("solver", "order"), [(sample_midpoint, 2), (sample_adams_bashforth, 2)])
def test_solvers_keep_their_order_over_uneven_times(solver, order):
    start = torch.ones(1, 1, 1, 1, dtype=torch.float64)
    errors = [abs(solver(lambda x, t: -x, start, [t**1.5 for t in even(n)]).item() - math.exp(-1)) for n in (32, 64)]
    assert errors[0] / errors[1] == pytest.approx(2**order, rel=0.1)


def test_adams_bashforth_evaluates_once_a_step():
    asked = []
    sample_adams_bashforth(lambda x, t: asked.append(t) or -x, torch.ones(1), [0.0, 0.2, 0.7, 1.0])
    assert asked == [0.0, 0.2, 0.7]


def test_training_draws_pure_noise_at_the_asked_share_and_log_uniform_sigma_elsewhere():
    sigma = draw_sigma(20000, 0.1, 0.25, torch.Generator().manual_seed(0))
    assert (sigma == 1).float().mean().item() == pytest.approx(0.25, abs=0.01)
    rest = sigma[sigma < 1].log10()
    assert rest.min() >= -1.0001 and rest.mean().item() == pytest.approx(-0.5, abs=0.01)
