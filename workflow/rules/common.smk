"""What all rules share: the checked configuration, a stage's settings as a parameter, and what is known after a checkpoint.

Needs: config (config/config.yaml unless --configfile names another).
Gives: CONFIG, RUN, ARMS, EXTERNAL and functions for `input` and `params`.
"""

import functools
import hashlib
import json
import os
import re
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.io import WILDCARD_REGEX
from snakemake.settings.types import DeploymentMethod
from snakemake.utils import min_version

min_version("9.20")

try:
    from crossres.code_version import command_version
    from crossres.errors import UserError
    from crossres.evaluate.external_file import find_result
    from crossres.files import whole
    from crossres.settings import config as configuration
    from crossres.settings import paths, stages
    from crossres.settings.train import IN_MEMORY_BYTES
    from crossres.settings.yaml_text import read_mapping
except ModuleNotFoundError as error:
    raise WorkflowError(
        f"{error}: install the package first, with `pip install -c constraints.txt -e .` in this folder"
    )


# A file given with --configfile stands alone: merged into the default, its keys would mix with the default's.
CONFIG_FILES = [Path(file) for file in workflow.overwrite_configfiles] or [Path("config/config.yaml")]

try:
    for _file in CONFIG_FILES:
        if _file.is_file():
            read_mapping(_file)  # says in one line what Snakemake says in many, or does not say
except UserError as error:
    raise WorkflowError(str(error))

if not workflow.overwrite_configfiles:

    configfile: "config/config.yaml"


try:
    CONFIG = configuration.parse(config, ", ".join(map(str, workflow.configfiles)) or "config")
except UserError as error:
    raise WorkflowError(str(error))

RUN = f"results/{CONFIG.run}"
BY_NAME = r"[A-Za-z0-9_.-]+"

# `python -m crossres` is this repository's own code in every environment, that of conda or of a container where one is used, else
# Snakemake's own; and also where another workflow takes this one as a module. A module that is fetched from a server comes
# without its code: the installed package is used.
ELSEWHERE = {DeploymentMethod.CONDA, DeploymentMethod.APPTAINER} & set(workflow.deployment_settings.deployment_method)
OWN_PYTHON = "" if ELSEWHERE else Path(sys.executable).parent
OWN_CODE = Path(workflow.current_basedir.get_path_or_uri(secret_free=True), "../../src").resolve()
if ELSEWHERE and not OWN_CODE.is_dir():
    raise WorkflowError(
        "crossres: environments of conda or a container have this workflow's code from a folder only: clone the repository "
        "and name its Snakefile in `module:`"
    )
if {"{", "}"} & set(str(OWN_CODE)):
    raise WorkflowError(
        f"{OWN_CODE.parent}: has a brace in its name, which Snakemake takes for a wildcard in `conda:`; move or rename it"
    )
_prefix = (
    "set -euo pipefail; "
    + (f"export PATH={shlex.quote(str(OWN_PYTHON))}:$PATH; " if OWN_PYTHON else "")
    + (f"export PYTHONPATH={shlex.quote(str(OWN_CODE))}; " if OWN_CODE.is_dir() else "")
    # No parameter of jobs: no result depends on where it is computed.
    + (f"export CROSSRES_DASK={shlex.quote(CONFIG.dask.model_dump_json())}; " if CONFIG.dask is not None else "")
)
shell.prefix(_prefix.replace("{", "{{").replace("}", "}}"))


# conda takes the CUDA build where it sees a GPU while it makes an environment. A login node, which makes them for others, sees none.
TORCH = "../../envs/torch-cuda.yaml" if os.environ.get("CROSSRES_CUDA") == "1" else "../../envs/torch.yaml"


wildcard_constraints:
    place=BY_NAME,
    source=r"(lr|hr)(-\d+)?",
    scene=BY_NAME,
    pair=BY_NAME,
    arm=BY_NAME,
    model=BY_NAME,


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
    """Return a file with these settings, in a folder that each process of a run has for itself or shares."""
    path = Path(".snakemake/crossres", f"{rule}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.json")
    try:
        if not path.exists():
            with whole(path) as part:
                part.write_text(text, encoding="utf-8")
    except (OSError, UserError) as error:
        raise WorkflowError(str(error))
    return path.as_posix()


def code(rule, *resources):
    """Return the fingerprint of the code that a rule runs, for `params`; when it changes, the rule runs again."""
    return command_version(stages.COMMANDS[rule], *resources)


# Between-workflow caching: config/README.md.
SHARED = workflow.workflow_settings.cache is not None
if SHARED and not os.environ.get("SNAKEMAKE_OUTPUT_CACHE"):
    raise WorkflowError(
        "--cache: name the folder to share results in with the environment variable SNAKEMAKE_OUTPUT_CACHE"
    )


def digest(content):
    """Return a hash of what the search wrote, for `params`: by it, not by the name of a file, the cache tells scenes apart."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def expand_path(path):
    """Return a path of the configuration with {run} and environment variables filled in, for what is looked at here.

    Commands are given the text as it is written (`as_written`) and fill it in themselves: what is in a variable may be
    secret, and Snakemake prints and records parameters.
    """
    try:
        return paths.expand(path, Path(RUN))
    except UserError as error:
        raise WorkflowError(str(error))


def as_written(path):
    """Return a path of the configuration as one word of a command line, and no option."""
    return shlex.quote(f"./{path}" if path.startswith("-") else path)


def inputs(paths):
    """Return those of some paths that Snakemake can take as inputs; in others it would take braces for wildcards."""
    return [path for path in paths if not WILDCARD_REGEX.search(path)]


def other_inputs(paths):
    """Return what tells the other paths from themselves before they were changed, for `params`, which then rerun."""
    others = [path for path in paths if WILDCARD_REGEX.search(path)]
    missing = [path for path in others if not os.path.exists(path)]
    if missing:
        raise WorkflowError(f"{missing[0]}: no such file or folder")
    return digest([(path, os.stat(path).st_size, os.stat(path).st_mtime_ns) for path in others]) if others else ""


# With a lock file scenes and pairs are known before anything runs, and the search is no checkpoint.
LOCK = None
if CONFIG.search.lock:
    from crossres.acquire.lock.lock_file import read_lock  # loads what plans without a lock do not need

    _lock = expand_path(CONFIG.search.lock)
    try:
        LOCK = read_lock(Path(_lock))
    except UserError as error:
        _said = str(error).replace(_lock, CONFIG.search.lock)
        raise WorkflowError(f"search.lock: {_said}")


def items():
    """Return the folder of items; Snakemake first runs the search when that has not been done."""
    if LOCK is None:
        checkpoints.search.get()
    return Path(RUN, "items")


def all_items(wildcards):
    """Return what the search gives, as the input of a rule."""
    return items() if LOCK is None else rules.search.output


def scene_item(scene):
    """Return the item of a scene as the search writes it."""
    if LOCK is not None:
        return LOCK.item(scene, Path(RUN))
    return json.loads((items() / "scenes" / f"{scene}.json").read_text())


def pair_ids():
    """Return the ids of all pairs that the search found."""
    return sorted(LOCK.pairs) if LOCK is not None else sorted(path.stem for path in (items() / "pairs").glob("*.json"))


def by_attempt(amount):
    """Return a function for `resources` that asks for this much, and for as much again each time a job is submitted again.

    Jobs are submitted again where a profile says `retries`: on a cluster, where a job is killed at what it asked for.
    """
    return lambda wildcards, attempt: amount * attempt


def kept_or_not(output):
    """Return an output that Snakemake removes once nothing needs it any more, where the configuration asks for that."""
    return temp(output) if CONFIG.temporary else output


def of_this_run(wildcards):
    """Return the folder of the run, for `params`: a command fills it in for {run}."""
    return RUN


def folder_of(name):
    """Return a function for `params` that gives the folder of a named input or output."""
    return lambda wildcards, input, output: os.path.dirname(getattr(output, name, None) or getattr(input, name))


def pair_content(pair):
    """Return what the search wrote of one pair."""
    return LOCK.pairs[pair] if LOCK is not None else json.loads((items() / "pairs" / f"{pair}.json").read_text())


def pair_of(wildcards):
    return pair_content(wildcards.pair)


def dataset_summary():
    """Return what is known of the dataset; Snakemake first assembles it when that has not been done."""
    return json.loads(Path(checkpoints.dataset.get().output.summary).read_text())


def held_out():
    """Return the pairs of the test split."""
    return dataset_summary()["splits"]["test"]


def training_data(wildcards):
    """Return what training reads: the dataset itself or, where its training split is too large for memory, the cache."""
    size = dataset_summary().get("bytes", {}).get("train", 0)  # a summary of an older version has none
    large = size > IN_MEMORY_BYTES
    return f"{RUN}/pairs/cache" if large else f"{RUN}/pairs/dataset.zarr"


def of_all_pairs(pattern):
    return lambda wildcards: expand(f"{RUN}/{pattern}", pair=pair_ids())


def of_held_out(pattern):
    return lambda wildcards: expand(f"{RUN}/{pattern}", pair=held_out())


def processes_of_model(wildcards):
    """Return how many processes are asked for; those on GPUs, which are counted where the job runs, are one per GPU."""
    return CONFIG.variant(wildcards.model)[1].processes or 1


def threads_of_model(wildcards):
    return CONFIG.threads.train * processes_of_model(wildcards)


def memory_of_model(wildcards, attempt):
    """Return MB for all processes, and as much again each time the job is submitted again (see `by_attempt`)."""
    return 6000 * processes_of_model(wildcards) * attempt


def model_file(name):
    """Return a function for `input` that gives a file of the model that an arm draws from."""

    def of_arm(wildcards):
        arm = CONFIG.sample.arms[wildcards.arm]
        return f"{RUN}/{'one_step' if arm.start == 'one-step' else 'model'}/{arm.model}/{name}"

    return of_arm


# The order of tables, figures and colours: the product first.
ARMS = sorted(CONFIG.sample.arms, key=lambda arm: arm != CONFIG.sample.primary)
PRODUCT = CONFIG.sample.arms[CONFIG.sample.primary].model

# Other models' results stand beside the arms: name -> folder, as it is written.
EXTERNAL = CONFIG.evaluate.external


def external_results(wildcards):
    """Return the file with another model's result of a pair, if there is one: a new file then reruns what follows."""
    folder = Path(expand_path(EXTERNAL[wildcards.external]))
    found = find_result(folder, wildcards.pair, pair_of(wildcards)["lr"])
    return [str(found)] if found else []
