"""What all rules share: the checked configuration, where commands run, and what jobs are given.

Needs: config, the settings of one run.
Gives: CONFIG, RUN, FOLDS, PARTS, SHARED and functions for `input`, `params` and `resources`.
"""

import functools
import hashlib
import json
import os
import re
import shlex
import signal
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.io import WILDCARD_REGEX
from snakemake.settings.types import DeploymentMethod

import crossres
from crossres import layout
from crossres.code_version import command_version
from crossres.errors import UserError
from crossres.files import whole
from crossres.settings import config as configuration
from crossres.settings import paths, stages

try:
    CONFIG = configuration.parse(config, ", ".join(map(str, workflow.configfiles)) or "config")
except UserError as error:
    raise WorkflowError(str(error))

RUN = f"results/{CONFIG.run}"

# Whether a pair goes to one split as a whole.
BY_PAIR = CONFIG.dataset.split in ("pair", "published")

# Folds as they stand in paths: below the folder of a model; and in the names of held-out scenes, where
# folds hold out parts of a pair. One empty word without dataset.folds: paths are then without them.
FOLDS = [layout.below_fold(number) for number in range(CONFIG.dataset.folds or 0)] or [""]
PARTS = [f".{fold[1:]}" for fold in FOLDS] if CONFIG.dataset.folds and not BY_PAIR else [""]
BY_NAME = r"[A-Za-z0-9_.-]+"

# `python -m crossres` is this repository's own code in every environment: that of conda or of a
# container where one is used, else Snakemake's own; also where another workflow takes this one as a
# module. One that is fetched from a server comes without its code: the installed package is used.
ELSEWHERE = {DeploymentMethod.CONDA, DeploymentMethod.APPTAINER} & set(workflow.deployment_settings.deployment_method)
OWN_PYTHON = "" if ELSEWHERE else Path(sys.executable).parent
HERE = Path(workflow.current_basedir.get_path_or_uri(secret_free=True))
OWN_CODE = Path(HERE, "../../src").resolve()
PACKAGE = Path(crossres.__file__).resolve().parent
if ELSEWHERE == {DeploymentMethod.CONDA} and HERE.resolve().is_relative_to(PACKAGE):
    # Installed: the package alone, without what stands beside it in site-packages.
    OWN_CODE = Path(".snakemake/crossres/code").resolve()
    if Path(OWN_CODE, PACKAGE.name).resolve() != PACKAGE:
        with whole(OWN_CODE / PACKAGE.name) as part:
            part.symlink_to(PACKAGE)
if ELSEWHERE and not OWN_CODE.is_dir():
    raise WorkflowError(
        "crossres: environments of conda or a container have this workflow's code from a folder only: "
        "clone the repository and name its Snakefile in `module:`"
    )
if {"{", "}"} & set(str(OWN_CODE)):
    raise WorkflowError(
        f"{OWN_CODE.parent}: has a brace in its name, which Snakemake takes for a wildcard in `conda:`; "
        "move or rename it"
    )
_prefix = (
    # A shell that SIGTERM ends leaves alone the command that saves what it has.
    "set -euo pipefail; trap : TERM; "
    # A Python need not be called `python`: on Debian it is python3.
    + (f'python() {{ {shlex.quote(sys.executable)} "$@"; }}; ' if OWN_PYTHON else "")
    + (f"export PATH={shlex.quote(str(OWN_PYTHON))}:$PATH; " if OWN_PYTHON else "")
    + (f"export PYTHONPATH={shlex.quote(str(OWN_CODE))}${{PYTHONPATH:+:$PYTHONPATH}}; " if OWN_CODE.is_dir() else "")
    # No parameter of jobs: no result depends on where it is computed.
    + (f"export CROSSRES_DASK={shlex.quote(CONFIG.dask.model_dump_json())}; " if CONFIG.dask is not None else "")
)
shell.prefix(_prefix.replace("{", "{{").replace("}", "}}"))


# A cluster tells all processes of a job by SIGUSR1 that its time will soon be over. Those that can save hear it.
if not workflow.is_main_process:
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)


# conda takes the CUDA build where it sees a GPU while it makes an environment. A login node, which
# makes them for others, sees none.
TORCH = "../../envs/torch-cuda.yaml" if os.environ.get("CROSSRES_CUDA") == "1" else "../../envs/torch.yaml"


wildcard_constraints:
    place=BY_NAME,
    source=r"(lr|hr)(-\d+)?",
    scene=BY_NAME,
    pair=BY_NAME,
    batch=r"batch-\d+",
    arm=BY_NAME,
    model=BY_NAME,
    kind="model|one_step",
    fold=f"({'|'.join(FOLDS)})",
    part=f"({'|'.join(map(re.escape, PARTS))})",


def settings(rule):
    """Return a function for `params` that gives the file with a job's part of the configuration.

    The file's name tells what it holds, so that a change of the configuration reruns just the rules
    that read what was changed. Snakemake stores and prints that name, and a command line has room
    for it, whatever the size of a configuration.
    """

    @functools.cache
    def written(**own):
        return settings_file(rule, stages.given(CONFIG, rule, **own))

    return lambda wildcards: written(**{name: wildcards[name] for name in stages.own_names(rule)})


def settings_file(rule, text):
    """Return a file with these settings, written by whichever process needs it first.

    A job reads the workflow anew, and so has the file also where it shares no disk with the others.
    """
    path = Path(".snakemake/crossres", f"{rule}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.json")
    try:
        if not path.exists():
            with whole(path) as part:
                part.write_text(text, encoding="utf-8")
    except (OSError, UserError) as error:
        raise WorkflowError(str(error))
    return path.as_posix()


def code(rule, *resources):
    """Return the fingerprint of a rule's code, for `params`: by it the rule runs again."""
    return command_version(stages.COMMANDS[rule], *resources)


# Between-workflow caching: config/README.md.
SHARED = workflow.workflow_settings.cache is not None
if SHARED and not os.environ.get("SNAKEMAKE_OUTPUT_CACHE"):
    raise WorkflowError(
        "--cache: name the folder to share results in with the environment variable " "SNAKEMAKE_OUTPUT_CACHE"
    )


def digest(content):
    """Return a hash of what the search wrote, for `params`.

    By it the cache tells scenes apart, and not by the names of files.
    """
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def expand_path(path):
    """Return a path of the configuration with {run} and environment variables filled in.

    For what is looked at here: commands are given the text as it is written (`as_written`) and fill
    it in themselves. What is in a variable may be secret, and Snakemake prints and records parameters.
    """
    try:
        return paths.expand(path, Path(RUN))
    except UserError as error:
        raise WorkflowError(str(error))


def as_written(path):
    """Return a path of the configuration as one word of a command line, and no option."""
    return shlex.quote(f"./{path}" if path.startswith("-") else path)


def inputs(paths):
    """Return those of some paths that can be inputs: Snakemake takes braces for wildcards.

    What is not of the run stands on this machine, also where results are in storage.
    """
    found = [path for path in paths if not WILDCARD_REGEX.search(path)]
    return [path if is_of_run(path) else local(path) for path in found]


def other_inputs(paths):
    """Return what changes with the other paths, for `params`: by it the rule runs again."""
    others = [path for path in paths if WILDCARD_REGEX.search(path)]
    missing = [path for path in others if not os.path.exists(path)]
    if missing:
        raise WorkflowError(f"{missing[0]}: no such file or folder")
    return digest([(path, os.stat(path).st_size, os.stat(path).st_mtime_ns) for path in others]) if others else ""


def memory(amount, attempt):
    """Return MB to ask for: this much more each time a job is submitted, up to jobs.mem_mb.

    Jobs are submitted again where a profile says `retries`: on a cluster, where a job is killed at
    what it asked for.
    """
    return min(amount * attempt, max(amount, CONFIG.jobs.mem_mb))


def by_attempt(amount):
    """Return a function for `resources` that gives `memory`."""
    return lambda wildcards, attempt: memory(amount, attempt)


def minutes(amount):
    """Return the time to ask for, which is the same each time: a partition starts no job that asks for more than its own."""
    return min(amount, CONFIG.jobs.runtime)


def kept_or_not(output):
    """Return an output; with `temporary`, Snakemake removes it once nothing needs it any more."""
    return temp(output) if CONFIG.temporary else output


def is_of_run(path):
    return path.startswith(f"{RUN}/")


def here(path):
    """Return a path of the run as its jobs find it, for `params`; inputs and outputs Snakemake moves by itself."""
    return HERE + path.removeprefix(RUN) if is_of_run(path) else path


def of_this_run(wildcards):
    """Return the folder of the run, for `params`: a command fills it in for {run}."""
    return HERE


def folder_of(name):
    """Return a function for `params` that gives the folder of a named input or output."""
    return lambda wildcards, input, output: os.path.dirname(getattr(output, name, None) or getattr(input, name))
