"""A copy of the project to run the workflow in, so that tests leave the checkout alone."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
PARTS = ["Snakefile", "workflow", "config", "envs", "profiles", "src", "pyproject.toml"]


@dataclass(frozen=True)
class Project:
    """A copy of the project in a folder of its own."""

    folder: Path

    def snakemake(
        self, *arguments: str, cores: int | str = "all", environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess:
        """Run Snakemake in the copy, on the copy's code, with these environment variables beside its own."""
        # Passive: two runs at once would otherwise spin while they wait for each other's threads.
        variables = os.environ | {
            "PYTHONPATH": str(self.folder / "src"), "COLUMNS": "200", "OMP_WAIT_POLICY": "PASSIVE",
        } | (environment or {})  # fmt: skip
        command = [sys.executable, "-m", "snakemake", "--cores", str(cores), *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=variables, capture_output=True, text=True, timeout=2700, check=False
        )

    def run(self, *arguments: str, cores: int | str = "all", environment: dict[str, str] | None = None) -> str:
        """Run Snakemake and return what it said; fail with that when it failed."""
        done = self.snakemake(*arguments, cores=cores, environment=environment)
        said = done.stdout + done.stderr
        assert done.returncode == 0, said[-6000:]
        return said

    def planned(self, *arguments: str) -> dict[str, int]:
        """Return the jobs that a dry run plans: rule -> number."""
        said = self.run("--dry-run", "--quiet", "rules", *arguments)
        return {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+)$", said, re.M) if rule != "total"}


def copy_project(folder: Path) -> Project:
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(source, folder / part)
    return Project(folder)


def write_config(project: Project, name: str, **sections) -> str:
    """Write an experiment: the embedded default with these sections replaced; return its path in the project."""
    content = yaml.safe_load((ROOT / "config" / "config.yaml").read_text()) | sections
    (project.folder / "config" / name).write_text(yaml.safe_dump(content))
    return f"config/{name}"


def write_small_config(project: Project, **sections) -> str:
    """Write the smallest experiment that runs every rule."""
    small = {
        "run": "small",
        "simulate": {"places": 3, "size_m": 1100},
        "train": {"steps": 12, "batch": 4, "validate_every": 6, "save_minutes": 0.001},
        "sample": {"arms": {"lr_start": {"samples": 2}, "noise_start": {"start": "noise", "samples": 2},
                            "bicubic": {"start": "bicubic", "samples": 1}}},
        "evaluate": {"crop_px": 48},
    }  # fmt: skip
    return write_config(project, "small.yaml", **(small | sections))


# Logs and benchmark files tell of one run; Snakemake keeps a time stamp of its own in each folder that a rule writes.
OF_ONE_RUN = {"logs", "benchmarks"}


def digests(project: Project, run: str = "small") -> dict[str, str]:
    """Return the SHA-256 of every result of a run by its path."""
    root = project.folder / "results" / run
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file() and path.relative_to(root).parts[0] not in OF_ONE_RUN and path.name != ".snakemake_timestamp"
    }
