"""The optimiser's loop: batches, steps, averaged weights, validation and saves."""

import logging
import math
import sys

import torch
from torch import nn
from tqdm import tqdm

from crossres.diffusion.train.batches import batches
from crossres.diffusion.train.ema import Ema
from crossres.diffusion.train.events import open_events
from crossres.diffusion.train.learning_rate import learning_rate
from crossres.diffusion.train.learning_step import CPU_CROPS, LearningStep
from crossres.diffusion.train.state import Run, restore, save
from crossres.diffusion.train.training import Training
from crossres.errors import UserError
from crossres.settings.train import TrainSettings

log = logging.getLogger(__name__)

BETAS = (0.9, 0.99)
LOADERS = 4
"""Threads that make batches for a GPU; beside a network on the CPU they would only take its cores."""


def fit(settings: TrainSettings, training: Training) -> Run:
    """Run the optimiser and return where it ended, with one row of history per step.

    Raises `UserError` when the loss stops being a number.
    """
    data, group, validation = training.material.data, training.group, training.validation
    device = group.device
    network = training.network.to(device).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    ema = Ema(network, settings.ema)
    optimiser = torch.optim.AdamW(network.parameters(), settings.learning_rate, betas=BETAS, fused=True)
    generator = torch.Generator(device).manual_seed(settings.seed)
    run = Run(network, ema, optimiser, generator, [])
    if settings.compile is True or (settings.compile == "auto" and device.type == "cuda"):
        network.velocity = torch.compile(network.velocity)
    half = settings.precision == "bfloat16" or (
        settings.precision == "auto" and device.type == "cuda" and torch.cuda.is_bf16_supported()
    )
    at_once = settings.batch if device.type == "cuda" else CPU_CROPS
    micro = restore(training.state, training.key, run) or settings.micro_batch or at_once
    learn = LearningStep(
        settings, network, training.path, training.example, data.factor, data.standard, generator, group, half, micro
    )

    first = len(run.history)
    if first:
        log.info("going on after step %d of %d", first, settings.steps)
    workers = LOADERS if device.type == "cuda" else 0
    crops = (settings.crop_px, settings.max_shift_px)
    source = batches(
        data, settings.batch, settings.steps, *crops, settings.seed, workers, first, group.part(settings.batch)
    )
    hidden = not (group.first and sys.stderr.isatty())
    every = max(1, settings.steps // 10)
    bar = tqdm(source, "train", settings.steps, initial=first, disable=hidden)
    with open_events(training.events if group.first else None) as events:
        for step, batch in enumerate(bar, first + 1):
            rate = learning_rate(step - 1, settings)
            for parameters in optimiser.param_groups:
                parameters["lr"] = rate
            row: dict[str, float] = {"step": step, "loss": learn.gradients(batch), "learning_rate": rate}
            nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
            optimiser.step()
            ema.update(network)
            if not math.isfinite(row["loss"]):
                raise UserError(
                    f"train: the loss is not a number at step {step}; lower train.learning_rate or train.clip"
                )
            if validation and group.first and (step % settings.validate_every == 0 or step == settings.steps):
                row |= validation.network(ema.network, training.sigma)
                run.validated(row)
            run.history.append(row)
            bar.set_postfix(loss=f"{row['loss']:.3f}", refresh=False)
            if not group.first:
                continue
            events.write(row)
            if step % every == 0:
                log.info("step %d of %d: %s", step, settings.steps, ", ".join(f"{k} {v:.4g}" for k, v in row.items()))
            if step % settings.save_every == 0 and step < settings.steps:
                save(training.state, training.key, run, learn.micro)
    return run
