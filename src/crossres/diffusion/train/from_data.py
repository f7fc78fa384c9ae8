"""From a patch dataset to a model folder."""

import logging
import math
from pathlib import Path

import torch
from torch import nn

from crossres.code_version import code_version
from crossres.diffusion.model.network import Network
from crossres.diffusion.paths import path_of
from crossres.diffusion.paths.path import Draws, Example
from crossres.diffusion.train.material import read_material
from crossres.diffusion.train.model_folder import write_model
from crossres.diffusion.train.prepare import Batch
from crossres.diffusion.train.processes import processes
from crossres.diffusion.train.start import start_from
from crossres.diffusion.train.state import state_file, what_is_learnt
from crossres.diffusion.train.training import Training
from crossres.diffusion.train.validation import Validation
from crossres.errors import UserError
from crossres.settings.model import ModelSettings
from crossres.settings.train import TrainSettings

log = logging.getLogger(__name__)

TONE = 0.7
"""RMS of HR - y, in HR standard deviations, above which tone counts for more in it than detail."""


def train(
    settings: TrainSettings, model: ModelSettings, dataset: Path, index: Path, summary: Path, output: Path,
    events: Path | None = None, start: Path | None = None,
) -> None:  # fmt: skip
    """Train a network on the training split and write a model folder (`write_model`), whole or not at all.

    On a CPU the same inputs, settings and library versions give the same bytes, with any number of threads
    (`engine.threads`), also when the run was stopped and started again. Uses CUDA where it is there, and every process
    that torchrun starts. `events` takes TensorBoard's event files. `start` is a model folder whose weights it starts
    from (`start_from`).
    Raises `UserError` when the training split is empty or has no clear pixel.
    """
    with processes() as group:
        if settings.batch < group.count:
            raise UserError(f"train.batch: {settings.batch} crops do not go round {group.count} processes; raise it")
        material = read_material(dataset, index, summary, settings.target, settings.lr_dates)
        path = path_of(settings, material.residual_rms)
        if settings.path == "residual" and material.residual_rms > TONE:
            log.warning(
                "HR differs from LR by %.2f of its standard deviation, which is more than detail (another season?); "
                "try train.target: detail",
                material.residual_rms,
            )
        held_out = material.held_out
        validation = Validation(held_out, path, settings, group.device) if len(held_out) else None
        code = code_version(__name__)
        if material.lr_bands != material.bands and model.prior != "module":
            raise UserError(
                f"model.prior: {model.prior} shows the network no band of {summary} but {', '.join(material.bands)}; "
                "use prior: module, or build a dataset without grid.lr_bands"
            )
        if material.lr_dates > 1 and model.prior != "module":
            raise UserError(
                f"model.prior: {model.prior} shows the network one LR date, and {summary} has {material.lr_dates}; "
                "use prior: module, or train.lr_dates: 1"
            )
        network = Network(model, len(material.bands), len(material.lr_bands), material.lr_dates)
        initialise(network, settings.seed)
        start_sha256 = None
        if start is not None:
            start_sha256 = start_from(
                start, network, model, settings, material.bands, material.lr_bands, material.data.standard
            )
        bound = what_is_learnt(settings, group) | {
            "data": material.sha256, "model": model.model_dump(), "start": start_sha256,
        }  # fmt: skip

        def example(batch: Batch, draws: Draws) -> Example:
            return path.example(batch.y, batch.hr, draws)

        def sigma_of(network: Network) -> float:
            # Without a validation split the training patches must do: what is chosen is one number.
            judge = validation or Validation(material.data, path, settings, group.device)
            return judge.best_sigma(network)

        training = Training(
            network, path, material, example, validation, path.usual_sigma, sigma_of, group, state_file(output), bound,
            code, events, start_sha256=start_sha256,
        )  # fmt: skip
        write_model(settings, model, training, output)


def initialise(network: Network, seed: int) -> None:
    """Draw the weights anew from the seed (modules drew theirs from global state), leaving zero ones at zero."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        if parameter.dim() > 1 and parameter.any():
            nn.init.kaiming_uniform_(parameter, a=math.sqrt(5), generator=generator)
        else:
            nn.init.zeros_(parameter)
