"""How an arm draws samples along the path of its model."""

from typing import Literal

from crossres.diffusion.paths.path import Chain, DiffusionPath
from crossres.errors import UserError
from crossres.settings.sample import ArmSettings


def chain_of(name: str, arm: ArmSettings, path: DiffusionPath, sigma: float, distilled: bool) -> Chain:
    """Return how samples are drawn along the path that a model was trained on, from a start with noise `sigma`.

    Raises `UserError` when the arm's start or solver does not belong to that path, or when just one of the arm and the
    model is for one step (`distilled`).
    """
    if distilled != (arm.start == "one-step"):
        is_one = "is distilled to one step" if distilled else "is not distilled"
        raise UserError(
            f"sample.arms.{name}: model {arm.model!r} {is_one} and start {arm.start} does not fit it; "
            f"{'use start one-step' if distilled else 'distil it, with `crossres distill`'}"
        )
    start: Literal["lr", "noise"] = "noise" if arm.start == "noise" else "lr"
    solver = "euler" if arm.start == "one-step" else arm.solver or path.solvers[0]
    if start not in path.starts:
        raise UserError(
            f"sample.arms.{name}: model {arm.model!r} was trained on the path {path.name}, which has no {start} start; "
            f"use start {' or '.join(path.starts)}, or another model"
        )
    if solver not in path.solvers:
        raise UserError(
            f"sample.arms.{name}: solver {solver} does not fit model {arm.model!r}, trained on the path {path.name}; "
            f"use {' or '.join(path.solvers)}"
        )
    if arm.eta is not None and solver != "ddim":
        raise UserError(f"sample.arms.{name}: eta belongs to solver ddim, not {solver}; leave it out")
    if arm.spacing == "angle" and path.name not in {"residual", "straight"}:
        raise UserError(
            f"sample.arms.{name}: spacing angle belongs to the residual and the straight path, and model {arm.model!r} "
            f"was trained on {path.name}; leave it out"
        )
    eta = path.usual_eta(start) if arm.eta is None else arm.eta
    steps = 1 if arm.start == "one-step" else arm.steps
    return Chain(start, steps, solver, 1.0 if start == "noise" else arm.sigma or sigma, eta, arm.spacing)
