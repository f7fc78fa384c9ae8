"""What a training run that was stopped goes on from: its whole state, beside the model folder it will write.

One safetensors file with a JSON header: weights, averaged weights, optimiser, random numbers, history. Reading it runs
no code. It is bound to the data and to what is learnt of them, so that a run never goes on from another's, but not to
how long and how it is run, nor to the code; it is removed when the model is written.
"""

import json
import logging
import math
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors import safe_open as open_tensors
from safetensors.torch import save
from torch import Tensor

from crossres.diffusion.model.network import Network
from crossres.diffusion.train.curves import COLUMNS
from crossres.diffusion.train.ema import Ema
from crossres.diffusion.train.processes import Processes
from crossres.files import whole
from crossres.settings.train import NOT_LEARNT, TrainSettings

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
    precision: Literal["float32", "bfloat16"]
    """Arithmetic of the network."""
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


def what_is_learnt(settings: TrainSettings, group: Processes) -> dict[str, Any]:
    """Return the settings that must be the same for a run to go on, by key, and what draws its random numbers."""
    return {f"train.{k}": v for k, v in settings.model_dump(exclude=set(NOT_LEARNT)).items()} | {
        "device": group.device.type
    }


@dataclass(frozen=True)
class Bound:
    """What a state belongs to."""

    to: dict[str, Any]
    """What must be the same for a run to go on: settings, data, seed."""
    steps: int
    """`train.steps`, which may grow."""
    code: str
    """Fingerprint of the code and version of torch, which may change: said in the log."""


class Saver:
    """Writes a run's state, in a thread of its own: training waits for the copy alone, not for the disk."""

    def __init__(self, path: Path, bound: Bound, minutes: float) -> None:
        self.path, self.bound, self.seconds = path, bound, 60 * minutes
        self._pool = ThreadPoolExecutor(1)
        self._writing: Future[None] | None = None
        self._last = time.monotonic()

    def __enter__(self) -> "Saver":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    @property
    def due(self) -> bool:
        """Whether the last save was so long ago that there should be another."""
        return time.monotonic() - self._last >= self.seconds

    def save(self, run: Run, micro: int) -> None:
        """Copy the state and begin to write it, whole or not at all; an error of the save before is raised here."""
        self.wait()
        tensors = {name: value.detach().to("cpu", copy=True).contiguous() for name, value in _tensors(run).items()}
        about = vars(self.bound) | {"updates": run.ema.updates, "micro": micro, "columns": list(COLUMNS)}
        self._writing = self._pool.submit(_write, self.path, tensors, json.dumps(about))
        self._last = time.monotonic()

    def wait(self) -> None:
        """Wait until what was begun is on the disk."""
        if self._writing is not None:
            self._writing.result()


def restore(path: Path, bound: Bound, run: Run, group: Processes) -> int | None:
    """Bring a run to where it was saved and return its micro-batch; None where there is nothing to go on from.

    One process reads the file and tells the others.
    """
    for parameter in run.network.parameters():
        averages = {name: torch.zeros_like(parameter, requires_grad=False) for name in ("exp_avg", "exp_avg_sq")}
        run.optimiser.state[parameter] = {"step": torch.zeros((), device=parameter.device)} | averages
    state = _in_place(run)
    found = _read(path, bound, state) if group.first else None
    told = group.told(found and (found[0], {k: v for k, v in found[1].items() if k not in state}))
    if told is None:
        return None
    about, others = told
    with torch.no_grad():
        for name, value in state.items():
            if found:
                value.copy_(found[1][name])
            group.from_first(value)
    run.best = {k.removeprefix("best."): v for k, v in others.items() if k.startswith("best.")} or None
    run.generator.set_state(others["generator"])
    run.ema.updates = about["updates"]
    rows = [zip(about["columns"], row, strict=True) for row in others["history"].tolist()]
    run.history[:] = [{name: value for name, value in row if not math.isnan(value)} for row in rows]
    return int(about["micro"])


def _read(path: Path, bound: Bound, state: dict[str, Tensor]) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """Return the header and the tensors of a file that this run can go on from; None, and why, where it cannot."""
    if not path.exists():
        return None
    try:
        with open_tensors(path, "pt") as file:
            about = json.loads(file.metadata()["run"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        before = Bound(about["to"], about["steps"], about["code"])
        had = about["updates"]
    except (SafetensorError, KeyError, TypeError, ValueError):
        log.warning("%s: damaged; training starts anew", path)
        return None
    now = json.loads(json.dumps(bound.to))
    if other := sorted(key for key in {**before.to, **now} if before.to.get(key) != now.get(key)):
        log.info("%s: of a run with another %s; training starts anew", path, ", ".join(other))
        return None
    if had > bound.steps:
        log.info("%s: had %d steps of the %d that are asked for; training starts anew", path, had, bound.steps)
        return None
    if any(name not in tensors or tensors[name].shape != value.shape for name, value in state.items()):
        log.info("%s: of another network than this code makes; training starts anew", path)
        return None
    if before.code != bound.code:
        log.info("the code or torch changed since the run was saved; what has been learnt is kept")
    if before.steps != bound.steps:
        line = "train.steps was %d and is %d: from here on the learning rate is that of the run of %d"
        log.info(line, before.steps, bound.steps, bound.steps)
    log.info("going on after step %d of %d", had, bound.steps)
    return about, tensors


def _in_place(run: Run) -> dict[str, Tensor]:
    """Return what a step changes where it stands: weights, their average and the optimiser's own averages."""
    tensors = {f"network.{name}": value for name, value in run.network.state_dict().items()}
    tensors |= {f"ema.{name}": value for name, value in run.ema.network.state_dict().items()}
    for i, parameter in enumerate(run.network.parameters()):
        tensors |= {f"optimiser.{i}.{name}": value for name, value in run.optimiser.state[parameter].items()}
    return tensors


def _tensors(run: Run) -> dict[str, Tensor]:
    rows = [[row.get(column, math.nan) for column in COLUMNS] for row in run.history]
    others = {"generator": run.generator.get_state(), "history": torch.tensor(rows, dtype=torch.float64)}
    return _in_place(run) | {f"best.{name}": value for name, value in (run.best or {}).items()} | others


def _write(path: Path, tensors: dict[str, Tensor], about: str) -> None:
    with whole(path) as part:
        # Not save_file: a job that is killed in it leaves a temporary file of its own here.
        part.write_bytes(save(tensors, {"run": about}))
