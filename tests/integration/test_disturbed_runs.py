"""What goes wrong in a run is said, and the next plain `snakemake` ends with the bytes of an undisturbed run."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from project import Project, digests

pytestmark = pytest.mark.integration

CONFIG = ("--configfile", "config/small.yaml")


@pytest.fixture
def project(small_run, tmp_path) -> Project:
    """A finished run of its own, of which one product is to be made again, and what follows it."""
    return unfinished(small_run, tmp_path / "project")


def unfinished(run: Project, folder: Path) -> Project:
    # Copied, not linked: what is damaged here is nobody else's.
    shutil.copytree(run.folder, folder)
    project = Project(folder)
    # Snakemake asks for a missing file only where what was made of it is missing, too.
    for missing in (product(project), results(project) / "evaluation" / "scenes"):
        shutil.rmtree(missing)
    (results(project) / "report.html").unlink()
    return project


def results(project: Project) -> Path:
    return project.folder / "results" / "small"


def product(project: Project) -> Path:
    [pair] = json.loads((results(project) / "pairs" / "summary.json").read_text())["splits"]["test"]
    return results(project) / "sr" / pair / "bicubic"


def fails(project: Project, message: str) -> str:
    """Run Snakemake; it must fail, say this, and leave nothing half-written. Return all that it said."""
    done = project.snakemake(*CONFIG)
    said = done.stdout + done.stderr
    assert done.returncode != 0, said[-3000:]
    assert message in said, said[-3000:]
    assert "Traceback" not in said
    assert not list(results(project).rglob(".part-*"))
    return said


def finishes_like(project: Project, undisturbed: dict[str, str]) -> None:
    project.run(*CONFIG)
    again = digests(project)
    assert again.keys() == undisturbed.keys()
    assert [path for path in again if again[path] != undisturbed[path]] == []
    assert not list(results(project).rglob(".part-*"))


@contextmanager
def running(project: Project, stage: str):
    """Run Snakemake in the background until a stage works; yield both processes and the file of what is said."""
    log = project.folder / "said.txt"
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *CONFIG]
    environment = os.environ | {"PYTHONPATH": str(project.folder / "src")}
    with log.open("w") as said:
        snakemake = subprocess.Popen(
            command, cwd=project.folder, env=environment, stdout=said, stderr=said, start_new_session=True
        )
    try:
        end = time.monotonic() + 600
        while not (found := [child for child in descendants(snakemake.pid) if is_stage(child, stage)]):
            assert snakemake.poll() is None and time.monotonic() < end, log.read_text()[-3000:]
            time.sleep(0.1)
        yield snakemake, found[0], log
    finally:
        if snakemake.poll() is None:
            os.killpg(snakemake.pid, signal.SIGKILL)
            snakemake.wait()


def descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def is_stage(process: psutil.Process, stage: str) -> bool:
    try:
        return process.cmdline()[1:4] == ["-m", "crossres", stage]
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False


def test_a_second_run_in_the_same_folder_and_a_killed_worker(project, small_digests):
    with running(project, "sample") as (snakemake, worker, log):
        worker.suspend()
        fails_locked(project)
        worker.kill()
        assert snakemake.wait(300) != 0
        assert "Error in rule sample" in log.read_text()
    finishes_like(project, small_digests)


def test_snakemake_killed_leaves_a_lock_that_it_says_how_to_open(project, small_digests):
    with running(project, "sample") as (snakemake, worker, _):
        worker.suspend()
        snakemake.kill()
        snakemake.wait()
        fails_locked(project)
        # The job that was running goes on without it.
        worker.resume()
        worker.wait(120)
    project.run(*CONFIG, "--unlock")
    finishes_like(project, small_digests)


def fails_locked(project: Project) -> None:
    done = project.snakemake(*CONFIG)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Directory cannot be locked" in said and "--unlock" in said, said[-3000:]


def cut_short(path: Path) -> None:
    """Take the end off a file as a failing disk does: its time stays."""
    before = path.stat()
    os.truncate(path, before.st_size * 2 // 3)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_damaged_scene_and_then_training_killed(project, small_digests):
    scene = results(project) / "aligned" / product(project).parent.name / "lr.tif"
    cut_short(scene)
    said = fails(project, f"{scene.relative_to(project.folder)}: damaged; delete ")
    [named] = set(re.findall(r"damaged; delete (\S+) and run again", said))
    (project.folder / named).unlink()
    shutil.rmtree(results(project) / "model")

    state = results(project) / "model" / ".main.state.safetensors"
    with running(project, "train") as (snakemake, training, log):
        while not state.exists():
            assert training.is_running(), log.read_text()[-3000:]
            time.sleep(0.01)
        training.kill()
        assert snakemake.wait(300) != 0
        assert "Error in rule train" in log.read_text()
    finishes_like(project, small_digests)
    assert "going on after step" in (results(project) / "logs" / "train" / "main.log").read_text()
    assert not state.exists()


@contextmanager
def own_disk(project: Project, room: int):
    """Put the results on a disk in memory with so many bytes of room; yield a function that mounts it anew."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    folder, aside = results(project), project.folder / "aside"
    folder.rename(aside)
    folder.mkdir()
    # A disk in memory counts whole pages.
    used = sum(-(-max(path.stat().st_size, 1) // 4096) * 4096 for path in aside.rglob("*") if path.is_file())

    def mount(options: str) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)

    mount(f"size={used + room}")
    try:
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        yield lambda options: mount(f"remount,{options}")
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_and_then_one_that_is_read_only(project, small_digests):
    with own_disk(project, 300_000) as remount:
        fails(project, "No space left on device: make room on this disk, then run again")
        remount("size=1g,ro")
        fails(project, "Write-protected output files")
        remount("size=1g,rw")
        finishes_like(project, small_digests)
