"""From a patch dataset to a model folder."""

import hashlib
import logging
import math
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from crossres.code_version import code_version
from crossres.diffusion import checkpoint
from crossres.diffusion.curves import draw_curves, write_history
from crossres.diffusion.data import Batch, Split, batches, residual_rms
from crossres.diffusion.ema import Ema
from crossres.diffusion.network import Network
from crossres.diffusion.paths import draw_sigma, source_state, state, velocity_target
from crossres.diffusion.standardise import Standard
from crossres.diffusion.upsample import View
from crossres.diffusion.validation import Validation
from crossres.errors import UserError
from crossres.files import read_json, whole
from crossres.settings.model import ModelSettings
from crossres.settings.train import TrainSettings

log = logging.getLogger(__name__)

BETAS = (0.9, 0.99)
LOADERS = 4
"""Threads that make batches for a GPU; beside a network on the CPU they would only take its cores."""
FINAL_LEARNING_RATE = 0.02
"""Where the cosine ends, as a share of the peak."""


def train(
    settings: TrainSettings, model: ModelSettings, dataset: Path, index: Path, summary: Path, output: Path
) -> None:
    """Train a network on the training split and write a model folder, whole or not at all.

    The folder has `model.safetensors` (averaged weights), `card.json`, `history.csv` and `curves.png`. On a CPU the
    same inputs, settings and library versions give the same bytes. Uses CUDA where it is there. Raises `UserError`
    when the training split is empty or has no clear pixel.
    """
    torch.set_num_threads(settings.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
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

    held_out = Split(dataset, index, "val", factor, standard)
    validation = Validation(held_out, settings.seed, device) if len(held_out) else None
    guess = min(max(residual, settings.sigma_min), 1.0)
    network, rows = _fit(settings, Network(model, len(about["bands"])), data, validation, guess, device)
    # Without a validation split the training patches must do: what is chosen is one number.
    judge = validation or Validation(data, settings.seed, device)
    sigma = judge.best_sigma(network, settings.sigma_min)
    log.info("source noise of the LR start: %.2f, chosen on the %s split", sigma, "val" if validation else "train")

    bicubic = validation.bicubic() if validation else {}
    last = {k: v for k, v in rows[-1].items() if k in bicubic}
    with whole(output) as folder:
        folder.mkdir()
        checkpoint.save(
            folder, network,
            bands=about["bands"], factor=str(factor), lr_gsd_m=about["lr_gsd_m"], hr_gsd_m=about["hr_gsd_m"],
            mean=standard.mean, std=standard.std, sigma=sigma, residual_rms=residual, model=model, train=settings,
            data_sha256=_data_hash(index, summary), code=code_version(__name__),
            metrics=last | {f"bicubic_{k}": v for k, v in bicubic.items()},
        )  # fmt: skip
        write_history(folder / "history.csv", rows)
        draw_curves(folder / "curves.png", rows, bicubic)


def _fit(
    settings: TrainSettings,
    network: Network,
    data: Split,
    validation: Validation | None,
    sigma: float,
    device: torch.device,
) -> tuple[Network, list[dict[str, float]]]:
    """Run the optimiser; return the averaged network and one row of history per step (validated from `sigma`)."""
    _initialise(network, settings.seed)
    network = network.to(device).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    ema = Ema(network, settings.ema)
    optimiser = torch.optim.AdamW(network.parameters(), settings.learning_rate, betas=BETAS, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _learning_rate(step, settings))
    generator = torch.Generator(device).manual_seed(settings.seed)
    if settings.compile:
        network.velocity = torch.compile(network.velocity)  # type: ignore[method-assign]

    rows: list[dict[str, float]] = []
    workers = LOADERS if device.type == "cuda" else 0
    crops = (settings.crop_px, settings.max_shift_px)
    source = batches(data, settings.batch, settings.steps, *crops, settings.seed, workers)
    every = max(1, settings.steps // 10)
    for step, batch in enumerate(tqdm(source, "train", settings.steps, disable=not sys.stderr.isatty()), 1):
        with torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bfloat16"):
            loss = _loss(settings, network, _to(batch, device), data.factor, generator)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
        rate = float(schedule.get_last_lr()[0])
        optimiser.step()
        schedule.step()
        ema.update(network)
        row: dict[str, float] = {"step": step, "loss": float(loss.detach()), "learning_rate": rate}
        if not math.isfinite(row["loss"]):
            raise UserError(f"train: the loss is no number at step {step}; lower train.learning_rate or train.clip")
        if validation and (step % settings.validate_every == 0 or step == settings.steps):
            row |= validation.network(ema.network, sigma)
        rows.append(row)
        if step % every == 0:
            log.info("step %d of %d: %s", step, settings.steps, ", ".join(f"{k} {v:.4g}" for k, v in row.items()))
    return ema.network, rows


def _loss(
    settings: TrainSettings, network: Network, batch: Batch, factor: Fraction, generator: torch.Generator
) -> Tensor:
    """Return |v(x_t, y, t, s) - (x_1 - x_s)|_1 over clear pixels, plus the prior head's own |regression - x_1|_1."""
    count = len(batch.hr)
    t = torch.rand(count, generator=generator, device=generator.device)
    sigma = draw_sigma(count, settings.sigma_min, settings.noise_start_share, generator)
    noise = torch.randn(batch.hr.shape, generator=generator, device=generator.device)
    start = source_state(batch.y, noise, sigma)
    x = state(start, batch.hr, t).contiguous(memory_format=torch.channels_last)
    view = View.whole(factor, *batch.lr.shape[-2:])
    if network.prior is None:
        return _masked_l1(network(x, batch.y, t, sigma), velocity_target(start, batch.hr), batch.weight)
    features = network.prior(batch.lr)
    velocity = network(x, batch.y, t, sigma, network.prior.levels(features), view, batch.shift)
    loss = _masked_l1(velocity, velocity_target(start, batch.hr), batch.weight)
    regression = network.prior.regression(features, batch.y, view, batch.shift)
    return loss + settings.regression_weight * _masked_l1(regression, batch.hr, batch.weight)


def _masked_l1(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    return ((a - b).abs() * weight).sum() / (weight.sum() * a.shape[1]).clamp(min=1)


def _learning_rate(step: int, settings: TrainSettings) -> float:
    """Return the share of the peak rate: linear warm-up times a cosine from 1 to FINAL_LEARNING_RATE."""
    warm = min(1.0, (step + 1) / (settings.warmup_steps + 1))
    cosine = 0.5 * (1 + math.cos(math.pi * step / settings.steps))
    return warm * (FINAL_LEARNING_RATE + (1 - FINAL_LEARNING_RATE) * cosine)


def _initialise(network: Network, seed: int) -> None:
    """Draw the weights anew from the seed (modules drew theirs from global state), leaving zero ones at zero."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        if parameter.dim() > 1 and parameter.any():
            nn.init.kaiming_uniform_(parameter, a=math.sqrt(5), generator=generator)
        else:
            nn.init.zeros_(parameter)


def _to(batch: Batch, device: torch.device) -> Batch:
    lr, y, hr, weight = (v.to(device, non_blocking=True) for v in (batch.lr, batch.y, batch.hr, batch.weight))
    return Batch(lr, y, hr, weight, batch.shift)


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
