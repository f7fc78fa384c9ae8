"""Training shared by several processes, one per GPU, on one or many machines: started by torchrun or `share`.

Every process has the whole network and a part of each batch; gradients are summed once per step. That is one
`all_reduce` of the weights' size, so that a process which runs out of memory can take its step again before the
others have seen anything of it, which a sum that overlaps with the backward pass does not allow.
"""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil
import torch
import torch.distributed as dist
from torch import Tensor

from crossres.diffusion.train import slurm
from crossres.errors import UserError
from crossres.imagery.engine import threads


@dataclass(frozen=True)
class Processes:
    """This process among those that train together."""

    rank: int
    count: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    @property
    def threads(self) -> int:
        """Return how many threads this process has: those of a command are shared by its processes."""
        return max(1, threads() // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))

    def part(self, count: int) -> slice:
        """Return this process's share of `count` examples; shares differ by one at most."""
        return slice(self.rank * count // self.count, (self.rank + 1) * count // self.count)

    def sum(self, value: Tensor) -> Tensor:
        """Return the sum of a tensor over all processes."""
        if self.count > 1:
            dist.all_reduce(value)
        return value

    def sum_all(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over all processes."""
        if self.count > 1:
            flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
            dist.all_reduce(flat)
            for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
                tensor.copy_(part.view(tensor.shape))

    def told(self, what: Any) -> Any:
        """Return what the first process was given."""
        if self.count == 1:
            return what
        said = [what]
        dist.broadcast_object_list(said)
        return said[0]

    def from_first(self, tensor: Tensor) -> None:
        """Replace a tensor by that of the first process."""
        if self.count > 1:
            dist.broadcast(tensor, 0)

    def any(self, value: bool) -> bool:
        """Return whether it is true in any process."""
        if self.count == 1:
            return value
        return bool(self.sum(torch.tensor(float(value), device=self.device)) > 0)

    def wait(self) -> None:
        """Wait until every process is here."""
        self.any(False)


def share(count: int | None, nodes: int, arguments: Sequence[str]) -> bool:
    """Run `python -m crossres ARGUMENTS` in `count` processes of each of `nodes` machines, as torchrun would.

    `count` None is one per GPU. Several machines are those of the job of SLURM that this is: in the one process of the
    job this does not return, but becomes `srun`. Returns whether there were several processes: not for one, nor in a
    process that torchrun or this started. Raises `UserError` when a process failed, which has said why. SIGTERM and
    SIGUSR1 reach all of them.
    """
    count = count or max(1, torch.cuda.device_count())
    if "WORLD_SIZE" in os.environ or count == nodes == 1:
        return False
    if torch.cuda.is_available() and count > torch.cuda.device_count():
        raise UserError(f"train.processes: {count} processes, but {torch.cuda.device_count()} GPUs; one each at most")
    if nodes > 1 and not slurm.is_one_of(nodes):
        slurm.go_over(nodes, [sys.executable, "-m", "crossres", *arguments])
    # Two seconds to load, which one process need not wait for.
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    # Port 0: the system finds a free one, so that several trainings can share a machine.
    name, endpoint = (str(os.getpid()), "localhost:0") if nodes == 1 else slurm.meeting_point()
    hosts = {} if nodes == 1 else {"is_host": slurm.is_first()}
    config = LaunchConfig(nodes, nodes, count, run_id=name, rdzv_backend="c10d", rdzv_endpoint=endpoint,
                          rdzv_configs=hosts, max_restarts=0)  # fmt: skip
    signal.signal(signal.SIGUSR1, _pass_on)
    try:
        elastic_launch(config, sys.executable)("-m", "crossres", *arguments)
    except SignalException as error:
        raise UserError(f"stopped by {error.sigval.name}; what the processes saved is above") from None
    except ChildFailedError as error:
        first = error.get_first_failure()[0]
        raise UserError(f"process {first} of {count * nodes} failed; its own line is above") from None
    return True


def _pass_on(number: int, _: Any) -> None:
    for child in psutil.Process().children():
        child.send_signal(number)


@contextmanager
def processes() -> Iterator[Processes]:
    """Yield this process's place in the group that torchrun started; alone where it was not."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    rank, local = (int(os.environ.get(name, "0")) for name in ("RANK", "LOCAL_RANK"))
    cuda = torch.cuda.is_available()
    device = torch.device("cuda", local) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    if count == 1:
        yield Processes(0, 1, device)
        return
    dist.init_process_group("nccl" if cuda else "gloo")
    try:
        yield Processes(rank, count, device)
    finally:
        dist.destroy_process_group()
