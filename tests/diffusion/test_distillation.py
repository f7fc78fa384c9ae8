"""A one-step model: taught by a trained one, closer to its end than its own single step, and used as nothing else."""

import json
from fractions import Fraction

import pytest
import torch
from small_world import write_dataset
from test_scenes import lr_scene, run

from crossres.diffusion.model import checkpoint
from crossres.diffusion.model.upsample import View
from crossres.diffusion.paths import path_of
from crossres.diffusion.paths.path import Chain
from crossres.diffusion.train.data import Split
from crossres.diffusion.train.distillation import distill
from crossres.diffusion.train.from_data import train
from crossres.errors import UserError
from crossres.settings.distill import DistillSettings
from crossres.settings.model import ModelSettings
from crossres.settings.sample import ArmSettings
from crossres.settings.train import TrainSettings

TRAIN = TrainSettings(steps=40, batch=4, crop_px=32, warmup_steps=3, validate_every=60, learning_rate=4e-3, ema=0.9)
DISTILL = DistillSettings(steps=30, warmup_steps=3, learning_rate=2e-3)
TINY = ModelSettings(width=16, embedding=32)


@pytest.fixture(scope="module", params=["residual", "straight"])
def world(tmp_path_factory, request):
    """A dataset, a teacher trained on it and its one-step model."""
    folder = tmp_path_factory.mktemp("distilled")
    dataset = write_dataset(folder, Fraction(4), 16, 8, 2)
    train(TRAIN.model_copy(update={"path": request.param}), TINY, *dataset, folder / "teacher")
    distill(DISTILL, folder / "teacher", *dataset, folder / "student")
    return folder, dataset


@torch.inference_mode()
def test_one_step_of_the_student_comes_closer_to_the_teachers_end_than_one_of_the_teacher(world):
    folder, (dataset, index, _) = world
    teacher, student = (checkpoint.load(folder / name) for name in ("teacher", "student"))
    batch = Split(dataset, index, "val", Fraction(4), teacher.card.standard).batch(torch.arange(2).numpy())
    noise = torch.randn(batch.hr.shape, generator=torch.Generator().manual_seed(0))
    view = View.whole(Fraction(4), *batch.lr.shape[-2:])
    path = path_of(teacher.card.train, teacher.card.residual_rms)

    def end(network, steps):
        levels = network.prior.levels(network.prior(batch.lr))

        def field(x, t, sigma):
            return network(x, batch.y, *(torch.full((2,), v) for v in (t, sigma)), levels, view)

        return path.run(field, batch.y, lambda k: noise, Chain("lr", steps, "euler", teacher.card.sigma, 0.0))

    goal = end(teacher.network, 4)
    errors = [float((end(network, 1) - goal).abs().mean()) for network in (student.network, teacher.network)]
    assert errors[0] < 0.8 * errors[1]


def test_the_card_names_the_teacher_and_the_same_run_gives_the_same_bytes(world, tmp_path):
    folder, dataset = world
    teacher, student = (checkpoint.load_card(folder / name) for name in ("teacher", "student"))
    assert student.teacher_sha256 == teacher.weights_sha256 and student.sigma == teacher.sigma
    assert student.train.steps == DISTILL.steps and student.train.batch == TRAIN.batch
    few = DISTILL.model_copy(update={"steps": 2})
    for name in ("a", "b"):
        distill(few, folder / "teacher", *dataset, tmp_path / name)
    for file in ("model.safetensors", "card.json", "history.csv"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_a_one_step_arm_uses_one_step_and_no_other_arm_uses_the_model(world, tmp_path):
    folder, _ = world
    output = run(tmp_path, lr_scene(16, 16), folder / "student", ArmSettings(start="one-step", samples=2))
    assert json.loads((output / "item.json").read_text())["properties"]["crossres:arm"] == "arm"
    with pytest.raises(UserError, match="is distilled to one step and start lr does not fit it; use start one-step"):
        run(tmp_path, lr_scene(16, 16), folder / "student", ArmSettings())
    with pytest.raises(UserError, match="is not distilled and start one-step does not fit it"):
        run(tmp_path, lr_scene(16, 16), folder / "teacher", ArmSettings(start="one-step"))


def test_a_chain_is_not_distilled_nor_a_student_nor_on_other_patches(world, tmp_path):
    folder, dataset = world
    train(TRAIN.model_copy(update={"path": "vp", "steps": 1}), TINY, *dataset, tmp_path / "vp")
    for name, message in ((tmp_path / "vp", "trained on the path vp"), (folder / "student", "distilled already")):
        with pytest.raises(UserError, match=message):
            distill(DISTILL, name, *dataset, tmp_path / "out")
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(UserError, match="not the patches that"):
        distill(DISTILL, folder / "teacher", *write_dataset(other, Fraction(4), 16, 2, 1, seed=5), tmp_path / "out")
    assert not (tmp_path / "out").exists()
