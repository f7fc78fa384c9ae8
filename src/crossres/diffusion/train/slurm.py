"""A training that goes over several nodes of a job of SLURM: a process on each, which then starts those that train.

SLURM tells each process of a step where it stands by environment variables, and where the step was started.
"""

import os
from collections.abc import Sequence
from typing import NoReturn

from crossres.errors import UserError

FIRST_PORT, PORTS = 20000, 20000


def is_one_of(nodes: int) -> bool:
    """Return whether this process is that of a node in a step over so many."""
    return os.environ.get("SLURM_STEP_NUM_TASKS") == os.environ.get("SLURM_STEP_NUM_NODES") == str(nodes)


def go_over(nodes: int, command: Sequence[str]) -> NoReturn:
    """Become `srun` of a command, once on each node of this job; `UserError` outside of one.

    A step starts with the job's own share of each node, not with what is left of it beside the step that this is.
    """
    job = os.environ.get("SLURM_JOB_ID")
    if job is None:
        raise UserError(
            f"train.nodes: {nodes} nodes, but this is no job of SLURM; run it with profiles/slurm, start it with "
            "torchrun on each machine, or set train.nodes: 1"
        )
    cpus = os.environ.get("SLURM_CPUS_PER_TASK", "1")
    # What is said of the step that this is would be taken for what the new one asks for.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "SRUN_"))}
    step = ["srun", f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1", f"--cpus-per-task={cpus}"]
    try:
        os.execvpe("srun", [*step, "--overlap", "--kill-on-bad-exit=1", *command], kept | {"SLURM_JOB_ID": job})
    except OSError as error:
        raise UserError(f"train.nodes: srun cannot be started ({error.strerror}); is SLURM on this node?") from None


def is_first() -> bool:
    """Return whether this is the process where all meet."""
    return os.environ["SLURM_PROCID"] == "0"


def meeting_point() -> tuple[str, str]:
    """Return a name that only the processes of this step share, and the address where they meet."""
    job, step = (int(os.environ[name]) for name in ("SLURM_JOB_ID", "SLURM_STEP_ID"))
    port = FIRST_PORT + (17 * job + step) % PORTS
    return f"{job}.{step}", f"{os.environ['SLURM_LAUNCH_NODE_IPADDR']}:{port}"
