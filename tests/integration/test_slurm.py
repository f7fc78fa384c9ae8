"""The workflow on a real SLURM: cancelled, short of memory and time, its node drained, and then a local run's bytes."""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import slurm
import torch
from project import Project, copy_project, digests
from safetensors.torch import load_file

pytestmark = pytest.mark.integration

# What a shell script starts with `&` ignores Ctrl-C, and so does all that it starts in turn: these tests too.
HEARS_CTRL_C = ("env", "--default-signal=INT")
CONFIG = "config/small.yaml"
# What training asks for first, in MB, is too little; then it asks for twice as much.
TOO_LITTLE = "train:mem_mb=attempt * 700"

# So that a scene has many, and can be stopped between two of them.
BLOCKS = "sample={tiling: {block_px: 64}}"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    if why_not := slurm.missing():
        (pytest.fail if os.environ.get("CROSSRES_NO_SKIPS") else pytest.skip)(why_not)
    with slurm.cluster(tmp_path_factory.mktemp("slurm")) as environment:
        yield environment


class Run:
    """Snakemake on the cluster, in the background."""

    def __init__(self, project: Project, environment: dict[str, str], *options: str) -> None:
        command = [*HEARS_CTRL_C, sys.executable, "-m", "snakemake", *slurm.PROFILE, "--configfile", CONFIG, *options]
        command += [] if "--config" in options else ["--config", f"jobs={{{slurm.GPU}}}"]
        self.log = project.folder / f"snakemake-{time.monotonic_ns()}.log"
        self.process = subprocess.Popen(
            command, cwd=project.folder, env=environment | {"PYTHONPATH": str(project.folder / "src")},
            stdout=self.log.open("w"), stderr=subprocess.STDOUT,
        )  # fmt: skip

    @property
    def said(self) -> str:
        return self.log.read_text()

    def wait_until(self, happened: Callable[[], bool], seconds: float = 900) -> None:
        end = time.monotonic() + seconds
        while not happened():
            assert self.process.poll() is None, self.said[-4000:]
            assert time.monotonic() < end, self.said[-4000:]
            time.sleep(0.5)

    def is_quiet(self) -> bool:
        """Say whether Snakemake neither says nor starts anything for three seconds."""
        before, process = self.said, psutil.Process(self.process.pid)
        end = time.monotonic() + 3
        while time.monotonic() < end:
            if process.children() or self.said != before:
                return False
            time.sleep(0.01)
        return True

    def wait(self, seconds: float = 1800) -> int:
        return self.process.wait(seconds)

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *error) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def control(environment: dict[str, str], *command: str) -> str:
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def test_a_disturbed_run_on_a_cluster_gives_the_bytes_of_a_local_one(cluster, small_run, small_digests, tmp_path):
    project = with_scenes(small_run, tmp_path / "project")
    results = project.folder / "results" / "small"

    # Ctrl-C in the middle: the jobs on the cluster go too, those that run and those that wait.
    asked, watched = squeue(tmp_path, cluster, "")
    with Run(project, watched) as run:
        run.wait_until(lambda: finished(run.said, "coregister") > 0)
        wait_for_a_quiet_moment(run, project, cluster, asked)
        assert running(cluster)
        run.process.send_signal(signal.SIGINT)
        assert run.wait() != 0, run.said[-4000:]
    registered = finished(run.said, "coregister")
    assert queued(cluster) == {}

    # The same command goes on from there; a node is taken away and comes back, and a job needs more memory.
    with Run(project, cluster, "--set-resources", TOO_LITTLE) as run:
        run.wait_until(lambda: "submitted with SLURM" in run.said)
        control(cluster, "scontrol", "update", f"nodename={slurm.NODE}", "state=drain", "reason=test")
        run.wait_until(lambda: node_state(cluster).startswith("drain") and "PENDING" in queued(cluster).values())
        control(cluster, "scontrol", "update", f"nodename={slurm.NODE}", "state=resume")
        assert run.wait() == 0, run.said[-4000:]

    assert submissions(run.said, "train") > 1, "training was never short of memory: this tests nothing"
    pairs = len(list(results.glob("aligned/*")))
    assert submissions(run.said, "download") == 0, "made again"
    assert submissions(run.said, "pair") <= pairs - registered, "made again"
    assert not any(submissions(run.said, rule) for rule in ("coregister", "normalise", "patches")), "not one for a pair"
    drawn = [job for job in asked_for(cluster) if job["Comment"].startswith("rule_sample_")]
    assert len(drawn) >= 3, "SLURM has forgotten them: this tests nothing"
    for job in drawn:  # interpolation has no use for a GPU
        assert job.get("TresPerNode") == (None if "bicubic" in job["Comment"] else "gres:gpu:1")
    again = digests(project)
    assert again.keys() == small_digests.keys()
    assert [path for path in again if again[path] != small_digests[path]] == []


def test_a_ctrl_c_while_snakemake_asks_after_its_jobs_leaves_them_on_the_cluster(cluster, small_run, tmp_path):
    project = with_scenes(small_run, tmp_path / "project")
    busy = tmp_path / "busy"
    asked, slow_to_answer = squeue(tmp_path, cluster, f"while [ -e {busy} ]; do sleep 0.1; done")
    control(cluster, "scontrol", "update", f"nodename={slurm.NODE}", "state=drain", "reason=test")  # jobs wait
    with Run(project, slow_to_answer) as run:
        run.wait_until(lambda: "submitted with SLURM" in run.said and run.is_quiet())
        busy.touch()
        times = asked.stat().st_size
        run.wait_until(lambda: asked.stat().st_size > times)
        run.process.send_signal(signal.SIGINT)
        run.wait_until(lambda: "Terminating processes on user request" in run.said)
        busy.unlink()
        assert run.wait() != 0, run.said[-4000:]
    left = queued(cluster)
    assert left.keys() == set(re.findall(r"submitted with SLURM jobid (\d+)", run.said))
    assert set(left.values()) == {"PENDING"}
    control(cluster, "scancel", *left)
    control(cluster, "scontrol", "update", f"nodename={slurm.NODE}", "state=resume")


def test_a_ctrl_c_while_snakemake_writes_a_line_is_lost(tmp_path):
    # A line longer than the pipe that it goes into: Snakemake writes until somebody reads.
    (tmp_path / "Snakefile").write_text(f'rule:\n    output: "a"\n    message: "{"x" * 9000}"\n    shell: "touch a"\n')
    command = [*HEARS_CTRL_C, sys.executable, "-m", "snakemake", "--cores", "1"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    fcntl.fcntl(process.stderr, fcntl.F_SETPIPE_SZ, 4096)
    while "pipe_write" not in Path(f"/proc/{process.pid}/wchan").read_text():
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    said = process.communicate()[1].decode()
    assert process.returncode == 0 and "1 of 1 steps (100%) done" in said
    assert "on user request" not in said


def with_scenes(run: Project, folder: Path) -> Project:
    """Return a copy of a run that has its scenes and nothing that was made of them."""
    shutil.copytree(run.folder, folder, symlinks=True)
    results = folder / "results" / "small"
    for made_from_scenes in ("aligned", "pairs", "model", "sr", "evaluation"):
        shutil.rmtree(results / made_from_scenes)
    (results / "report.html").unlink()
    return Project(folder)


def test_one_scene_is_shared_by_workers_that_slurm_starts(cluster, small_run, tmp_path):
    """The job itself runs here; the workers that it asks for are jobs of SLURM, as the section `dask` says."""
    project = Project(shutil.copytree(small_run.folder, tmp_path / "project", symlinks=True))
    before = digests(project)
    arm = sorted((project.folder / "results" / "small" / "sr").glob("*/lr_start"))[0]
    shutil.rmtree(arm)
    said = project.run(
        str(arm.relative_to(project.folder)), "--configfile", "config/small.yaml",
        "--config", "dask={workers: 2, mem_mb: 1500, runtime: 10}", "--rerun-triggers", "mtime", environment=cluster,
    )  # fmt: skip
    log = project.folder / "results" / "small" / "logs" / "sample" / arm.parent.name / "lr_start.log"
    assert "dask: 2 workers asked of SLURM" in log.read_text(), said
    assert digests(project) == before


def test_what_outlasts_its_time_limit_goes_on_and_ends_with_the_bytes_of_one_that_did_not(
    cluster, small_run, small_digests, tmp_path
):
    """Training is warned and queued again, ended at its limit, then displaced by others; sampling is warned."""
    project = Project(shutil.copytree(small_run.folder, tmp_path / "project", symlinks=True))
    results = project.folder / "results" / "small"
    model, drawn = results / "model" / "main", sorted((results / "sr").glob("*/lr_start"))[0]
    for made in (model, drawn, results / "logs"):
        shutil.rmtree(made)
    options = ["--config", f"jobs={{{slurm.GPU}}}", BLOCKS, "--rerun-triggers", "mtime"]
    with Run(project, cluster, *options, "--", str(drawn.relative_to(project.folder))) as run:
        log = results / "logs" / "train" / "main.log"
        job = hold_when(run, project, cluster, lambda: steps(log) > 0)
        [asked] = asked_for(cluster, job)
        assert asked["NumNodes"] == "1" and asked["TresPerNode"] == "gres:gpu:1"
        warn(run, cluster, job, log)
        run.wait_until(lambda: "stopped by SIGTERM at step" in log.read_text())
        saved = steps(log)

        assert hold_when(run, project, cluster, lambda: steps(log) > saved) == job
        control(cluster, "scontrol", "update", f"jobid={job}", "endtime=now")
        run.wait_until(lambda: "stopped by SIGTERM at step" in log.read_text())
        saved = steps(log)

        other = hold_when(run, project, cluster, lambda: steps(log) > saved)
        assert other != job
        control(cluster, "scontrol", "requeue", other)
        run.wait_until(lambda: "stopped by SIGTERM at step" in log.read_text())

        blocks = drawn.with_name(".lr_start.blocks")
        drawing = results / "logs" / "sample" / drawn.parent.name / "lr_start.log"
        job = hold_when(run, project, cluster, lambda: any(blocks.rglob("*.block")))
        warn(run, cluster, job, drawing)
        assert run.wait() == 0, run.said[-4000:]
    assert submissions(run.said, "train") == 2 and submissions(run.said, "sample") == 1
    assert "going on after step" in log.read_text()
    assert "blocks are done already" in drawing.read_text()
    assert not list(results.rglob(".*.state.safetensors")) and not blocks.exists()
    again = digests(project)
    trained = {name for name in small_digests if name.startswith("model/main/")}
    assert len(trained) == 5 and all(again[name] == small_digests[name] for name in trained)
    shutil.rmtree(drawn)
    target = str(drawn.relative_to(project.folder))
    project.run("--configfile", CONFIG, "--config", BLOCKS, "--rerun-triggers", "mtime", "--", target)
    assert digests(project) == again


def test_two_nodes_train_what_two_processes_of_one_node_train(cluster, small_run, tmp_path):
    trained = {}
    for name, how, options in (
        ("one", "processes: 2", []),
        ("two", "nodes: 2", ["--default-resources", "slurm_partition=both", "mem_mb=2000", "runtime=60"]),
    ):
        project = Project(shutil.copytree(small_run.folder, tmp_path / name, symlinks=True))
        model = project.folder / "results" / "small" / "model" / "main"
        shutil.rmtree(model)
        own = ["--config", f"train={{{how}}}", "threads={train: 1}", "--rerun-triggers", "mtime", *options]
        target = str((model / "model.safetensors").relative_to(project.folder))
        with Run(project, cluster, *own, "--", target) as run:
            assert run.wait() == 0, run.said[-4000:]
        trained[name] = load_file(model / "model.safetensors")
    assert trained["one"].keys() == trained["two"].keys()
    assert all(torch.equal(trained["one"][key], trained["two"][key]) for key in trained["one"])


def hold_when(run: Run, project: Project, environment: dict[str, str], happened: Callable[[], bool]) -> str:
    """Stop a project's only job as it is when something has happened; return the job."""
    while not happened():
        assert run.process.poll() is None, run.said[-4000:]
        time.sleep(0.01)
    [job] = hold_jobs(project)
    return job


def warn(run: Run, environment: dict[str, str], job: str, log: Path) -> None:
    """Have SLURM send a job the signal that the profile asks for, until it has itself queued again."""
    control(environment, "scontrol", "update", f"jobid={job}", "endtime=now+150")
    run.wait_until(lambda: "is queued again" in log.read_text())


def steps(log: Path) -> int:
    """Return the last step that the log of a training tells of; 0 before the first."""
    return max(map(int, re.findall(r"\bstep (\d+)", log.read_text())), default=0) if log.exists() else 0


def asked_for(environment: dict[str, str], *job: str) -> list[dict[str, str]]:
    """Return what jobs asked for, as SLURM names it; of all those that it has not forgotten yet."""
    lines = control(environment, "scontrol", "show", "job", *job, "--oneliner").splitlines()
    return [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]


def squeue(folder: Path, environment: dict[str, str], first: str) -> tuple[Path, dict[str, str]]:
    """Return a file that grows whenever squeue is asked, and the variables under which it does this first."""
    asked, program = folder / "asked", folder / "squeue"
    asked.touch()
    program.write_text(f'#!/bin/sh\necho >> {asked}\n{first}\nexec {shutil.which("squeue")} "$@"\n')
    program.chmod(0o755)
    return asked, environment | {"PATH": f"{folder}:{environment['PATH']}"}


def wait_for_a_quiet_moment(run: Run, project: Project, environment: dict[str, str], asked: Path) -> None:
    """Hold what runs on the cluster and wait until Snakemake does nothing but wait for it.

    A Ctrl-C while it writes, submits or asks reaches less (docs/how-to/faults.md). When it has asked and nothing has
    ended, it does not ask again for eleven seconds; the first three of them show that it does nothing else.
    """
    while True:
        run.wait_until(lambda: hold_jobs(project) >= running(environment))
        said, times = run.said, asked.stat().st_size
        run.wait_until(lambda before=times: asked.stat().st_size > before and run.is_quiet())
        if run.said == said:
            return


def hold_jobs(project: Project) -> set[str]:
    """Stop the processes of a project's jobs on the cluster as they are; return the jobs."""
    held = set()
    for process, job in of_jobs(project).items():
        with suppress(psutil.NoSuchProcess):
            process.suspend()
            held.add(job)
    return held


def of_jobs(project: Project) -> dict[psutil.Process, str]:
    """Return the processes of a project's jobs, each with its job."""
    found = {}
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
            if process.cwd() == str(project.folder) and (job := process.environ().get("SLURM_JOB_ID")):
                found[process] = job
    return found


def queued(environment: dict[str, str]) -> dict[str, str]:
    """Return the state of each job that is not over."""
    states = "--states=PENDING,RUNNING,CONFIGURING"
    lines = control(environment, "squeue", "--noheader", "--format=%i %T", states).splitlines()
    return dict(line.split() for line in lines)


def running(environment: dict[str, str]) -> set[str]:
    return {job for job, state in queued(environment).items() if state == "RUNNING"}


def node_state(environment: dict[str, str]) -> str:
    return control(environment, "sinfo", "--noheader", "--format=%t", "--nodes", slurm.NODE).split()[0]


def submissions(said: str, rule: str) -> int:
    return len(re.findall(rf"submitted with SLURM jobid \d+ \(log: \S*/(?:rule_{rule}|group_{rule}_\w+)/", said))


def finished(said: str, rule: str) -> int:
    return len(re.findall(rf"Finished jobid: \d+ \(Rule: {rule}\)", said))


def test_the_profile_stands_alone(tmp_path: Path) -> None:
    project = copy_project(tmp_path)
    said = project.snakemake("--workflow-profile", "profiles/slurm", "--dry-run", "--quiet", "rules", "--cores", "1")
    assert said.returncode == 0, said.stdout + said.stderr
