"""From a model that samples in some steps to one that samples in one.

The student learns where the teacher's ODE ends (Luhman and Luhman 2101.02388; for super-resolution SinSR, Wang et al.
2311.14760): its answer at the start is trained so that one Euler step arrives there (`lesson` of the path). OFTSR
(2412.09465) distils the same noise-augmented start along the whole trajectory. The student starts as a copy of the
teacher.
"""

from fractions import Fraction
from pathlib import Path

import torch

from crossres.code_version import code_version
from crossres.diffusion.model import checkpoint
from crossres.diffusion.model.network import Network
from crossres.diffusion.model.upsample import View
from crossres.diffusion.paths import path_of
from crossres.diffusion.paths.path import Distillable, Draws, Example
from crossres.diffusion.train.material import read_material
from crossres.diffusion.train.model_folder import write_model
from crossres.diffusion.train.prepare import Batch
from crossres.diffusion.train.processes import processes
from crossres.diffusion.train.state import state_file, what_is_learnt
from crossres.diffusion.train.training import Training
from crossres.diffusion.train.validation import Validation
from crossres.errors import UserError
from crossres.settings.distill import DistillSettings


def distill(
    settings: DistillSettings, teacher: Path, dataset: Path, index: Path, summary: Path, output: Path,
    events: Path | None = None,
) -> None:  # fmt: skip
    """Distil a model folder into a one-step one, on the patches it was trained on; whole or not at all.

    Writes the same files as `train`; the card names its teacher. What `settings` does not say is the teacher's own.
    Raises `UserError` when the teacher was trained on a chain, is itself distilled, or saw other data.
    """
    loaded = checkpoint.load(teacher)
    card = loaded.card
    path = path_of(card.train, card.residual_rms)
    if not isinstance(path, Distillable) or card.teacher_sha256:
        what = "is distilled already" if card.teacher_sha256 else f"was trained on the path {card.train.path}"
        raise UserError(f"{teacher}: {what}; only a model of the residual or the straight path can be distilled")
    # The student is shown where its teacher's solver ends: nothing lies off.
    own = settings.model_dump(exclude={"teacher_steps", "solver"}) | {"shift_tolerance_px": 0}
    train = card.train.model_copy(update=own)
    with processes() as group:
        material = read_material(dataset, index, summary, train.target, card.lr_dates)
        if material.sha256 != card.data_sha256:
            raise UserError(f"{dataset}: not the patches that {teacher} learnt from; distil on those, or train again")
        held_out = material.held_out
        validation = Validation(held_out, path, train, group.device, one_step=True) if len(held_out) else None
        code = code_version(__name__)
        lessons = settings.model_dump(include={"teacher_steps", "solver"}) | {"teacher": card.weights_sha256}
        bound = what_is_learnt(train, group) | {"data": material.sha256} | lessons
        student = checkpoint.new_network(card)
        student.load_state_dict(loaded.network.state_dict())
        solver = settings.solver or path.solvers[0]
        lesson = Lesson(path, settings.teacher_steps, solver, loaded.network.to(group.device), card.scale)
        training = Training(
            student, path, material, lesson, validation, card.sigma, lambda _: card.sigma, group, state_file(output),
            bound, code, events, card.weights_sha256,
        )  # fmt: skip
        write_model(train, card.model, training, output)


class Lesson:
    """What the teacher shows: the way from a start straight to where its ODE ends."""

    def __init__(self, path: Distillable, steps: int, solver: str, teacher: Network, factor: Fraction) -> None:
        self.path, self.steps, self.solver, self.teacher, self.factor = path, steps, solver, teacher, factor

    @torch.no_grad()
    def __call__(self, batch: Batch, draws: Draws) -> Example:
        """Return the start and what leads from there to the end in one step."""
        teacher = self.teacher
        view = View.whole(self.factor, *batch.lr.shape[-2:])
        levels = teacher.prior.levels(teacher.prior(batch.lr)) if teacher.prior else None

        def velocity(x: torch.Tensor, t: float) -> torch.Tensor:
            time = torch.full_like(draws.sigma, t)
            return teacher(x, batch.y, time, draws.sigma, levels, view, batch.shift)

        return self.path.lesson(velocity, batch.y, draws, self.steps, self.solver)
