"""A real SLURM on this machine: munge, a controller and two nodes, in a folder of its own, started by a test.

Needs root (slurmd does) and Debian's packages slurm-wlm and munge. While it runs, /etc/slurm links to its
configuration, since programs that are started inside of jobs look nowhere else; a machine that has a configuration of
its own is left alone. Each node has this machine's cores, and two stand-in GPUs: device files that SLURM counts and
hands out as it would real ones. Jobs go to the first node, but for those of the partition `both`. One cluster at a
time: who asks for a second one waits.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
from filelock import FileLock
from local_server import kept_port

NAME, NODE, SECOND = "crossres_test", "node1", "node2"
NEEDED = ("munged", "mungekey", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")

LINKS = (Path("/etc/slurm/slurm.conf"), Path("/etc/slurm/gres.conf"))
STAND_INS = ("/dev/zero", "/dev/full")
ONE_AT_A_TIME = Path(tempfile.gettempdir()) / "crossres-slurm.lock"

# What a user fills in for this cluster: no accounting, and one GPU with one core.
GPU = "train_gres: gpu:1, sample_gres: gpu:1, cpus_per_gpu: 1"
PROFILE = [
    "--workflow-profile", "profiles/slurm", "--slurm-no-account", "--slurm-status-command", "squeue",
    "--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "10",
]  # fmt: skip

CONFIGURATION = """\
ClusterName={name}
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=2
ReturnToService=2
MinJobAge=3000
KillWait=20
GresTypes=gpu
NodeName={node} Port={node_port} NodeHostname={host} NodeAddr=127.0.0.1 {each}
NodeName={second} Port={second_port} NodeHostname={host} NodeAddr=127.0.0.1 {each}
PartitionName=main Nodes={node} Default=YES MaxTime=2880 State=UP
PartitionName=both Nodes={node},{second} MaxTime=2880 State=UP
"""


def missing() -> str | None:
    """Say why SLURM cannot be started here; None when it can."""
    if os.geteuid() != 0:
        return "SLURM's daemons need root"
    with suppress(FileNotFoundError):  # no configuration, or that of another test, which has just ended
        if NAME not in LINKS[0].read_text():
            return "this machine has a SLURM of its own: /etc/slurm"
    lacking = [program for program in NEEDED if not shutil.which(program, path=_path())]
    return f"{', '.join(lacking)} not found: apt install slurm-wlm munge" if lacking else None


@contextmanager
def cluster(folder: Path) -> Iterator[dict[str, str]]:
    """Run a cluster of one node; yield the environment in which its commands work."""
    with FileLock(ONE_AT_A_TIME), ExitStack() as until_it_is_up:
        ports = [until_it_is_up.enter_context(kept_port()) for _ in range(3)]
        with _daemons(folder, *ports) as environment:
            until_it_is_up.close()
            yield environment


@contextmanager
def _daemons(folder: Path, controller_port: int, node_port: int, second_port: int) -> Iterator[dict[str, str]]:
    for part in ("state", f"spool-{NODE}", f"spool-{SECOND}"):
        (folder / part).mkdir(parents=True)
    environment = os.environ | {"PATH": _path()}
    memory_mb = psutil.virtual_memory().total // 2**20 - 1000
    settings = dict(
        host=socket.gethostname(),
        folder=folder,
        node=NODE,
        name=NAME,
        controller_port=controller_port,
        node_port=node_port,
        second=SECOND,
        second_port=second_port,
        each=f"CPUs={psutil.cpu_count()} RealMemory={memory_mb} Gres=gpu:{len(STAND_INS)} State=UNKNOWN",
    )
    (folder / "slurm.conf").write_text(CONFIGURATION.format(**settings))
    (folder / "gres.conf").write_text(
        "".join(f"NodeName={node} Name=gpu File={file}\n" for node in (NODE, SECOND) for file in STAND_INS)
    )
    for link in LINKS:
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)  # one that a killed test left leads nowhere
        link.symlink_to(folder / link.name)
    # munge insists that nobody else can write to the folders of its key and socket.
    munge = ["--key-file", "munge.key", "--socket", "munge.socket", "--pid-file", "munge.pid"]
    munge += ["--log-file", "munge.log", "--seed-file", "munge.seed", "--origin", "127.0.0.1"]
    named = [part if part.startswith("--") or part == "127.0.0.1" else str(folder / part) for part in munge]
    subprocess.run(["mungekey", "--create", "--keyfile", str(folder / "munge.key")], env=environment, check=True)
    started: list[subprocess.Popen] = []
    try:
        for command in (
            ["munged", "--foreground", "--force", *named],
            ["slurmctld", "-D", "-c"],
            ["slurmd", "-D", "-N", NODE],
            ["slurmd", "-D", "-N", SECOND],
        ):
            log = (folder / f"{command[0]}.out").open("a")
            started.append(subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log))
            if command[0] == "munged":
                _wait_for((folder / "munge.socket").exists, started, folder)
        _wait_for(
            lambda: set(_say(environment, "sinfo", "--noheader", "--Node", "--format=%t").split()) == {"idle"},
            started,
            folder,
        )
        yield environment
    finally:
        with suppress(RuntimeError):  # a failed test's jobs would go on without their cluster, beside the next tests
            _say(environment, "scancel", "--user", "root")
            _wait_for(lambda: not _say(environment, "squeue", "--noheader"), started, folder)
        for process in reversed(started):
            process.terminate()
        for process in started:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        for link in LINKS:
            link.unlink(missing_ok=True)


def _say(environment: dict[str, str], *command: str) -> str:
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout


def _wait_for(ready: Callable[[], bool], started: list[subprocess.Popen], folder: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not ready():
        ended = [" ".join(map(str, process.args)) for process in started if process.poll() is not None]
        if ended or time.monotonic() > end:
            files = sorted(path for path in folder.iterdir() if path.suffix in {".out", ".log"})
            logs = "\n".join(f"{path.name}: {path.read_text()[-1500:]}" for path in files)
            raise RuntimeError(f"SLURM did not come up: {ended or f'not in {seconds:.0f} s'}\n{logs}")
        time.sleep(0.2)


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
