"""From a training run to its model folder."""

import copy
import logging
from pathlib import Path

from crossres.diffusion.model import checkpoint
from crossres.diffusion.model.checkpoint import BestWeights
from crossres.diffusion.model.network import Network
from crossres.diffusion.train.curves import VALIDATED, draw_curves, write_history
from crossres.diffusion.train.fit import fit
from crossres.diffusion.train.state import BEST_BY, Run
from crossres.diffusion.train.training import Training
from crossres.diffusion.train.training_domain import training_domain
from crossres.files import whole
from crossres.settings.model import ModelSettings
from crossres.settings.train import TrainSettings

log = logging.getLogger(__name__)


def write_model(settings: TrainSettings, model: ModelSettings, training: Training, output: Path) -> None:
    """Fit a network and write its model folder, whole or not at all; of several processes the first one writes.

    The folder has `model.safetensors` (averaged weights), `best.safetensors`, `card.json`, `history.csv` and
    `curves.png`.
    """
    run = fit(settings, training)
    if training.group.first:
        network, rows, material = run.ema.network, run.history, training.material
        sigma = training.sigma_of(network)
        std_factor = _std_factor(training, network, sigma)
        log.info("noise of the LR start: %.2f; spread of the samples times %.2f is their error", sigma, std_factor)
        best = _best(run, training)
        bicubic = training.validation.bicubic() if training.validation else {}
        last = {k: v for k, v in rows[-1].items() if k in bicubic}
        with whole(output) as folder:
            folder.mkdir()
            checkpoint.save(
                folder, network, best,
                bands=material.bands, lr_bands=material.lr_bands, lr_dates=material.lr_dates,
                factor=material.data.factor, lr_gsd_m=material.lr_gsd_m, hr_gsd_m=material.hr_gsd_m,
                standard=material.data.standard, sigma=sigma, std_factor=std_factor,
                residual_rms=material.residual_rms, model=model, train=settings,
                data_sha256=material.sha256, precision=run.precision, code=training.code,
                metrics=last | {f"bicubic_{k}": v for k, v in bicubic.items()}, teacher_sha256=training.teacher_sha256,
                start_sha256=training.start_sha256, domain=training_domain(material.data),
            )  # fmt: skip
            write_history(folder / "history.csv", rows)
            draw_curves(folder / "curves.png", rows, bicubic)
        training.state.unlink(missing_ok=True)
    training.group.wait()


def _best(run: Run, training: Training) -> BestWeights | None:
    """Return the weights that did best in validation; None where nothing was validated."""
    if run.best is None:
        return None
    network = copy.deepcopy(run.ema.network)
    network.load_state_dict(run.best)
    row = run.best_row
    sigma = training.sigma_of(network)
    factor = _std_factor(training, network, sigma)
    return BestWeights(network, int(row["step"]), BEST_BY, sigma, factor, {k: row[k] for k in VALIDATED})


def _std_factor(training: Training, network: Network, sigma: float) -> float:
    return training.validation.std_factor(network, sigma) if training.validation else 1.0
