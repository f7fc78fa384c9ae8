"""From a patch dataset to a model folder."""

import copy
import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from crossres.code_version import code_version
from crossres.diffusion import paths
from crossres.diffusion.model import checkpoint
from crossres.diffusion.model.network import Network
from crossres.diffusion.paths.path import Draws, Example
from crossres.diffusion.train.curves import VALIDATED, draw_curves, write_history
from crossres.diffusion.train.data import Batch
from crossres.diffusion.train.events import open_events
from crossres.diffusion.train.fit import fit
from crossres.diffusion.train.material import Material, read_material
from crossres.diffusion.train.processes import Processes, processes
from crossres.diffusion.train.state import BEST_BY, Run, run_key, state_file
from crossres.diffusion.train.validation import Validation
from crossres.errors import UserError
from crossres.files import whole
from crossres.settings.model import ModelSettings
from crossres.settings.train import TrainSettings

log = logging.getLogger(__name__)

TONE = 0.7
"""RMS of HR - y, in HR standard deviations, above which tone counts for more in it than detail."""


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
    same inputs, settings and library versions give the same bytes, with any number of threads (`engine.threads`), also
    when the run was stopped and started again. Uses CUDA where it is there, and every process that torchrun starts.
    `log_folder` takes TensorBoard's event files.
    Raises `UserError` when the training split is empty or has no clear pixel.
    """
    with processes() as group:
        if settings.batch < group.count:
            raise UserError(f"train.batch: {settings.batch} crops do not go round {group.count} processes; raise it")
        material = read_material(dataset, index, summary, settings.target)
        _train(settings, model, material, output, group, log_folder if group.first else None)
        group.wait()


def _train(
    settings: TrainSettings,
    model: ModelSettings,
    material: Material,
    output: Path,
    group: Processes,
    log_folder: Path | None,
) -> None:
    path = paths.path_of(settings, material.residual_rms)
    if settings.path == "residual" and material.residual_rms > TONE:
        log.warning(
            "HR differs from LR by %.2f of its standard deviation, which is more than detail (another season?); "
            "try train.target: detail",
            material.residual_rms,
        )
    held_out = material.held_out
    validation = Validation(held_out, path, settings.seed, group.device) if len(held_out) else None
    code = code_version(__name__)
    key = run_key(
        train=settings.model_dump(), model=model.model_dump(), data=material.sha256, code=code, torch=torch.__version__,
        device=group.device.type,
    )  # fmt: skip
    state = (state_file(Path(output)), key)
    network = Network(model, len(material.bands))
    initialise(network, settings.seed)

    def example(batch: Batch, draws: Draws) -> Example:
        return path.example(batch.y, batch.hr, draws)

    with open_events(log_folder) as events:
        run = fit(
            settings, network, material.data, path, example, validation, path.usual_sigma, group, state, events,
        )  # fmt: skip
    if not group.first:
        return
    network, rows = run.ema.network, run.history
    # Without a validation split the training patches must do: what is chosen is one number.
    judge = validation or Validation(material.data, path, settings.seed, group.device)
    sigma = judge.best_sigma(network)
    chosen = f", chosen on the {'val' if validation else 'train'} split" if path.sigmas else ""
    log.info("noise of the LR start: %.2f%s", sigma, chosen)

    best = best_of(run, judge.best_sigma)
    bicubic = validation.bicubic() if validation else {}
    last = {k: v for k, v in rows[-1].items() if k in bicubic}
    with whole(output) as folder:
        folder.mkdir()
        checkpoint.save(
            folder, network, best, **material.card(), sigma=sigma, model=model, train=settings, code=code,
            metrics=last | {f"bicubic_{k}": v for k, v in bicubic.items()},
        )  # fmt: skip
        write_history(folder / "history.csv", rows)
        draw_curves(folder / "curves.png", rows, bicubic)
    state[0].unlink(missing_ok=True)


def best_of(run: Run, sigma_of: Callable[[Network], float]) -> tuple[Network, dict[str, Any]] | None:
    """Return the weights that did best in validation and what a card says of them; None where nothing was validated.

    `sigma_of` returns the noise of an LR start that suits a network.
    """
    if run.best is None:
        return None
    network = copy.deepcopy(run.ema.network)
    network.load_state_dict(run.best)
    row = run.best_row
    metrics = {k: row[k] for k in VALIDATED}
    return network, {"step": int(row["step"]), "by": BEST_BY, "sigma": sigma_of(network), "metrics": metrics}


def initialise(network: Network, seed: int) -> None:
    """Draw the weights anew from the seed (modules drew theirs from global state), leaving zero ones at zero."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        if parameter.dim() > 1 and parameter.any():
            nn.init.kaiming_uniform_(parameter, a=math.sqrt(5), generator=generator)
        else:
            nn.init.zeros_(parameter)
