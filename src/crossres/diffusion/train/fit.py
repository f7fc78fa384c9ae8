"""The optimiser's loop: batches, steps, averaged weights, validation and saves."""

import logging
import math
import sys

import torch
from torch import Tensor, nn
from tqdm import tqdm

from crossres.diffusion.train.batches import batches, on_device
from crossres.diffusion.train.ema import Ema
from crossres.diffusion.train.events import open_events
from crossres.diffusion.train.learning_rate import learning_rate
from crossres.diffusion.train.learning_step import CPU_CROPS, LearningStep
from crossres.diffusion.train.state import Bound, Run, Saver, restore
from crossres.diffusion.train.stopping import asked
from crossres.diffusion.train.training import Training
from crossres.errors import UserError
from crossres.requeue import queue_again
from crossres.settings.train import TrainSettings

log = logging.getLogger(__name__)

BETAS = (0.9, 0.99)
LOADERS = 4
"""Threads that make batches for a GPU; beside a network on the CPU they would only take its cores."""
READ_EVERY = {"cuda": 20, "cpu": 1}
"""Steps after which losses are read: a GPU that is asked for each waits until it is told of the next step."""


def fit(settings: TrainSettings, training: Training) -> Run:
    """Run the optimiser and return where it ended, with one row of history per step.

    Raises `UserError` when the loss stops being a number, and when SIGTERM stopped the run, which has been saved.
    """
    data, group, validation = training.material.data, training.group, training.validation
    device = group.device
    network = training.network.to(device).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(network.parameters(), settings.learning_rate, betas=BETAS, fused=True)
    generator = torch.Generator(device).manual_seed(settings.seed)
    at_once = settings.batch if device.type == "cuda" else CPU_CROPS
    learn = LearningStep(
        settings, network, training.path, training.example, data.preparation(device), generator, group,
        settings.micro_batch or at_once,
    )  # fmt: skip
    run = Run(network, Ema(network, settings.ema), optimiser, generator, [], "bfloat16" if learn.half else "float32")
    bound = Bound(training.bound, settings.steps, f"{training.code}, torch {torch.__version__}")
    learn.micro = restore(training.state, bound, run, group) or learn.micro

    first = len(run.history)
    cuda = device.type == "cuda"
    workers = (LOADERS if cuda else 0) if settings.loaders is None else settings.loaders
    source = batches(
        data, settings.batch, settings.steps, settings.crop_px, settings.max_shift_px, settings.seed, workers, first,
        group.part(settings.batch), pin=cuda,
    )  # fmt: skip
    hidden = not (group.first and sys.stderr.isatty())
    every = max(1, settings.steps // 10)
    unread: list[Tensor] = []
    bar = tqdm(on_device(source, device), "train", settings.steps, initial=first, disable=hidden)
    with (
        open_events(training.events if group.first else None) as events,
        Saver(training.state, bound, settings.save_minutes) as saver,
        asked() as signals,
    ):
        for step, batch in enumerate(bar, first + 1):
            for parameters in optimiser.param_groups:
                parameters["lr"] = learning_rate(step - 1, settings)
            unread.append(learn.gradients(batch))
            nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
            optimiser.step()
            run.ema.update(network)
            validates = step % settings.validate_every == 0 or step == settings.steps
            if step % READ_EVERY[device.type] and not validates:
                continue
            rows = _read(unread, step, settings)
            if validates and validation and group.first:
                rows[-1] |= validation.network(run.ema.network, training.sigma)
                if validation.chooses:
                    run.validated(rows[-1])
            run.history += rows
            bar.set_postfix(loss=f"{rows[-1]['loss']:.3f}", refresh=False)
            stop, save = group.any(signals.stop), group.any(signals.save)
            signals.save = False
            if group.first:
                for row in rows:
                    events.write(row)
                    if row["step"] % every == 0:
                        _say(row, settings.steps)
                if stop or save or (saver.due and step < settings.steps):
                    saver.save(run, learn.micro)
                if save and not stop and step < settings.steps:
                    saver.wait()
                    queue_again()
            if stop:
                saver.wait()
                group.wait()
                raise UserError(f"stopped by SIGTERM at step {step}; goes on from there when started again")
    return run


def _read(unread: list[Tensor], last: int, settings: TrainSettings) -> list[dict[str, float]]:
    """Take the losses of the steps up to the last off the device; `UserError` where one is not a number."""
    rows: list[dict[str, float]] = []
    for step, loss in enumerate(torch.stack(unread).tolist(), last + 1 - len(unread)):
        if not math.isfinite(loss):
            raise UserError(f"train: the loss is not a number at step {step}; lower train.learning_rate or train.clip")
        rows.append({"step": step, "loss": loss, "learning_rate": learning_rate(step - 1, settings)})
    unread.clear()
    return rows


def _say(row: dict[str, float], steps: int) -> None:
    log.info("step %d of %d: %s", row["step"], steps, ", ".join(f"{k} {v:.4g}" for k, v in row.items()))
