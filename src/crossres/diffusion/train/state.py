"""What a training run that was stopped goes on from: its whole state, beside the model folder it will write.

One safetensors file with a JSON header: weights, averaged weights, optimiser, random numbers, history. Reading it runs
no code. It is bound to a hash of the settings, the data, the code and the library, so that a run never goes on from
another's, and it is removed when the model is written.
"""

import hashlib
import json
import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors import safe_open as open_tensors
from safetensors.torch import save_file
from torch import Tensor

from crossres.diffusion.model.network import Network
from crossres.diffusion.train.curves import COLUMNS
from crossres.diffusion.train.ema import Ema
from crossres.files import whole

log = logging.getLogger(__name__)

BEST_BY = "swd"
"""The figure of validation that chooses the best weights: the least is best."""


@dataclass
class Run:
    """A training run in progress: what a step changes."""

    network: Network
    ema: Ema
    optimiser: torch.optim.Optimizer
    generator: torch.Generator
    history: list[dict[str, float]]
    best: dict[str, Tensor] | None = None
    """The averaged weights of the step with the least BEST_BY in validation; None before the first."""

    def validated(self, row: dict[str, float]) -> None:
        """Keep the averaged weights if what validation says of them is the best so far."""
        if row[BEST_BY] < min((r[BEST_BY] for r in self.history if BEST_BY in r), default=math.inf):
            self.best = {k: v.detach().cpu().clone() for k, v in self.ema.network.state_dict().items()}

    @property
    def best_row(self) -> dict[str, float]:
        """The history's row of the best weights."""
        return min((row for row in self.history if BEST_BY in row), key=lambda row: row[BEST_BY])


def state_file(output: Path) -> Path:
    """Return where the state of the run that writes `output` stands: beside it, for Snakemake to leave alone."""
    return output.with_name(f".{output.name}.state.safetensors")


def run_key(**what: Any) -> str:
    """Return the hash of all that a run's result depends on."""
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def save(path: Path, key: str, run: Run, micro: int) -> None:
    """Write the state, whole or not at all."""
    tensors = {f"network.{name}": value for name, value in run.network.state_dict().items()}
    tensors |= {f"ema.{name}": value for name, value in run.ema.network.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in (run.best or {}).items()}
    for i, parameter in enumerate(run.network.parameters()):
        tensors |= {f"optimiser.{i}.{name}": value for name, value in run.optimiser.state[parameter].items()}
    tensors["generator"] = run.generator.get_state()
    rows = [[row.get(column, float("nan")) for column in COLUMNS] for row in run.history]
    tensors["history"] = torch.tensor(rows, dtype=torch.float64)
    about = {"key": key, "updates": run.ema.updates, "micro": micro}
    with whole(path) as part:
        save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, part, {"run": json.dumps(about)})


def restore(path: Path, key: str, run: Run) -> int | None:
    """Bring a run to where it was saved and return its micro-batch; None where there is nothing to go on from."""
    if not path.exists():
        return None
    try:
        with open_tensors(path, "pt") as file:
            about = json.loads(file.metadata()["run"])
            if about["key"] != key:
                log.info("%s: of other settings, data or code; training starts anew", path)
                return None
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, TypeError, ValueError):
        log.warning("%s: damaged; training starts anew", path)
        return None
    with torch.no_grad():
        for name, module in (("network", run.network), ("ema", run.ema.network)):
            for key_, value in module.state_dict().items():
                value.copy_(tensors[f"{name}.{key_}"])
        for i, parameter in enumerate(run.network.parameters()):
            run.optimiser.state[parameter] = {
                name: _like(tensors[f"optimiser.{i}.{name}"], parameter) for name in ("step", "exp_avg", "exp_avg_sq")
            }
    run.best = {k.removeprefix("best."): v for k, v in tensors.items() if k.startswith("best.")} or None
    run.generator.set_state(tensors["generator"])
    run.ema.updates = about["updates"]
    rows = [zip(COLUMNS, row, strict=True) for row in tensors["history"].tolist()]
    run.history[:] = [{name: value for name, value in row if not math.isnan(value)} for row in rows]
    return int(about["micro"])


def _like(value: Tensor, parameter: Tensor) -> Tensor:
    """Return a value where, and laid out in memory as, the parameter is that it belongs to."""
    if value.shape == parameter.shape:
        return torch.empty_like(parameter, requires_grad=False).copy_(value)
    return value.to(parameter.device)
