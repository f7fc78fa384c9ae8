"""From a patch dataset to a model folder."""

import hashlib
import logging
import math
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from crossres.code_version import code_version
from crossres.diffusion import checkpoint, paths
from crossres.diffusion.curves import draw_curves, write_history
from crossres.diffusion.data import Split, batches, residual_rms
from crossres.diffusion.ema import Ema
from crossres.diffusion.events import Events, open_events
from crossres.diffusion.learning_step import LearningStep
from crossres.diffusion.network import Network
from crossres.diffusion.processes import Processes, processes
from crossres.diffusion.schedule import learning_rate
from crossres.diffusion.standardise import Standard
from crossres.diffusion.training_state import Run, restore, run_key, save, state_file
from crossres.diffusion.validation import Validation
from crossres.errors import UserError
from crossres.files import read_json, whole
from crossres.settings.model import ModelSettings
from crossres.settings.train import TrainSettings

log = logging.getLogger(__name__)

BETAS = (0.9, 0.99)
LOADERS = 4
"""Threads that make batches for a GPU; beside a network on the CPU they would only take its cores."""
VALIDATION_SIGMA = 0.97
"""Noise of the LR start that training is watched with on the vp path, t0 = 0.84."""


def train(
    settings: TrainSettings,
    model: ModelSettings,
    dataset: Path,
    index: Path,
    summary: Path,
    output: Path,
    log_folder: Path | None = None,
) -> None:
    """Train a network on the training split and write a model folder, whole or not at all.

    The folder has `model.safetensors` (averaged weights), `card.json`, `history.csv` and `curves.png`. On a CPU the
    same inputs, settings and library versions give the same bytes, also when the run was stopped and started again.
    Uses CUDA where it is there, and every process that torchrun starts. `log_folder` takes TensorBoard's event files.
    Raises `UserError` when the training split is empty or has no clear pixel.
    """
    torch.set_num_threads(settings.threads)
    with processes() as group:
        if settings.batch < group.count:
            raise UserError(f"train.batch: {settings.batch} crops do not go round {group.count} processes; raise it")
        _train(settings, model, (dataset, index, summary), output, group, log_folder if group.first else None)
        group.wait()


def _train(
    settings: TrainSettings,
    model: ModelSettings,
    inputs: tuple[Path, Path, Path],
    output: Path,
    group: Processes,
    log_folder: Path | None,
) -> None:
    dataset, index, summary = inputs
    about = read_json(summary)
    standard = _standard(about, summary)
    factor = Fraction(about["factor"])
    data = Split(dataset, index, "train", factor, standard)
    if not len(data):
        raise UserError(f"{index}: no patch in the training split; get more pairs or lower dataset.test_share")
    residual = residual_rms(data)
    if residual == 0:
        raise UserError(f"{dataset}: the training split has no clear pixel; check the masks of the aligned pairs")
    log.info("%d training patches; HR differs from bicubic LR by %.3f of its standard deviation", len(data), residual)

    path = paths.path_of(settings)
    held_out = Split(dataset, index, "val", factor, standard)
    validation = Validation(held_out, path, settings.seed, group.device) if len(held_out) else None
    guess = min(max(residual, settings.sigma_min), 1.0) if settings.path == "straight" else VALIDATION_SIGMA
    data_hash, code = _data_hash(index, summary), code_version(__name__)
    key = run_key(
        train=settings.model_dump(), model=model.model_dump(), data=data_hash, code=code, torch=torch.__version__,
        device=group.device.type,
    )  # fmt: skip
    state = (state_file(Path(output)), key)
    with open_events(log_folder) as events:
        network, rows = _fit(
            settings, Network(model, len(about["bands"])), data, path, validation, guess, group, state, events
        )
    if not group.first:
        return
    # Without a validation split the training patches must do: what is chosen is one number.
    judge = validation or Validation(data, path, settings.seed, group.device)
    sigma = judge.best_sigma(network, settings.sigma_min)
    log.info("noise of the LR start: %.2f, chosen on the %s split", sigma, "val" if validation else "train")

    bicubic = validation.bicubic() if validation else {}
    last = {k: v for k, v in rows[-1].items() if k in bicubic}
    with whole(output) as folder:
        folder.mkdir()
        checkpoint.save(
            folder, network,
            bands=about["bands"], factor=str(factor), lr_gsd_m=about["lr_gsd_m"], hr_gsd_m=about["hr_gsd_m"],
            mean=standard.mean, std=standard.std, sigma=sigma, residual_rms=residual, model=model, train=settings,
            data_sha256=data_hash, code=code, metrics=last | {f"bicubic_{k}": v for k, v in bicubic.items()},
        )  # fmt: skip
        write_history(folder / "history.csv", rows)
        draw_curves(folder / "curves.png", rows, bicubic)
    state[0].unlink(missing_ok=True)


def _fit(
    settings: TrainSettings,
    network: Network,
    data: Split,
    path: paths.Path,
    validation: Validation | None,
    sigma: float,
    group: Processes,
    state: tuple[Path, str],
    events: Events,
) -> tuple[Network, list[dict[str, float]]]:
    """Run the optimiser; return the averaged network and one row of history per step (validated from `sigma`).

    `state` is where the run is saved from time to time, and the key it is saved under.
    """
    device = group.device
    _initialise(network, settings.seed)
    network = network.to(device).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    ema = Ema(network, settings.ema)
    optimiser = torch.optim.AdamW(network.parameters(), settings.learning_rate, betas=BETAS, fused=True)
    generator = torch.Generator(device).manual_seed(settings.seed)
    run = Run(network, ema, optimiser, generator, [])
    if settings.compile is True or (settings.compile == "auto" and device.type == "cuda"):
        network.velocity = torch.compile(network.velocity)  # type: ignore[method-assign]
    half = settings.precision == "bfloat16" or (
        settings.precision == "auto" and device.type == "cuda" and torch.cuda.is_bf16_supported()
    )
    micro = restore(*state, run) or settings.micro_batch or settings.batch
    learn = LearningStep(settings, network, path, data.factor, data.standard, generator, group, half, micro)

    first = len(run.history)
    if first:
        log.info("going on after step %d of %d", first, settings.steps)
    workers = LOADERS if device.type == "cuda" else 0
    crops = (settings.crop_px, settings.max_shift_px)
    source = batches(data, settings.batch, settings.steps, *crops, settings.seed, workers, first)
    hidden = not (group.first and sys.stderr.isatty())
    every = max(1, settings.steps // 10)
    bar = tqdm(source, "train", settings.steps, initial=first, disable=hidden)
    for step, batch in enumerate(bar, first + 1):
        rate = learning_rate(step - 1, settings)
        for parameters in optimiser.param_groups:
            parameters["lr"] = rate
        row: dict[str, float] = {"step": step, "loss": learn.gradients(batch), "learning_rate": rate}
        nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
        optimiser.step()
        ema.update(network)
        if not math.isfinite(row["loss"]):
            raise UserError(f"train: the loss is no number at step {step}; lower train.learning_rate or train.clip")
        if validation and group.first and (step % settings.validate_every == 0 or step == settings.steps):
            row |= validation.network(ema.network, sigma)
        run.history.append(row)
        bar.set_postfix(loss=f"{row['loss']:.3f}", refresh=False)
        if not group.first:
            continue
        events.write(row)
        if step % every == 0:
            log.info("step %d of %d: %s", step, settings.steps, ", ".join(f"{k} {v:.4g}" for k, v in row.items()))
        if step % settings.save_every == 0 and step < settings.steps:
            save(*state, run, learn.micro)
    return ema.network, run.history


def _initialise(network: Network, seed: int) -> None:
    """Draw the weights anew from the seed (modules drew theirs from global state), leaving zero ones at zero."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        if parameter.dim() > 1 and parameter.any():
            nn.init.kaiming_uniform_(parameter, a=math.sqrt(5), generator=generator)
        else:
            nn.init.zeros_(parameter)


def _standard(about: dict[str, Any], path: Path) -> Standard:
    statistics = about["statistics"]
    mean, std = tuple(statistics["hr_mean"]), tuple(statistics["hr_std"])
    for band, spread in zip(about["bands"], std, strict=True):
        if not spread:
            raise UserError(f"{path}: band {band} has no spread in the training split; check the HR scenes")
    return Standard(mean, std)


def _data_hash(index: Path, summary: Path) -> str:
    digest = hashlib.sha256()
    for path in (index, summary):
        digest.update(Path(path).read_bytes())
    return digest.hexdigest()
