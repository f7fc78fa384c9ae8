"""The configuration files, read and checked, and the runs that they describe.

Needs: config (config/config.yaml unless --configfile names others).
Gives: RUNS, the settings of each run by its name; of a single one config is these settings.
"""

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

min_version("9.27")

try:
    from crossres.errors import UserError
    from crossres.settings import config as configuration
    from crossres.settings.layers import from_working_directory, runs
    from crossres.settings.yaml_text import read_mapping
    from crossres.workflow import failed_jobs
except ModuleNotFoundError as error:
    raise WorkflowError(
        f"{error}: install the package first, with `pip install -c constraints.txt -e .` in this folder"
    )


# Files given with --configfile stand without the default: merged into it, their keys would mix with the default's.
CONFIG_FILES = [Path(file) for file in workflow.overwrite_configfiles] or [Path("config/config.yaml")]

try:
    # says in one line what Snakemake says in many, or does not say
    _layers = [(file.parent, read_mapping(file)) for file in CONFIG_FILES if file.is_file()]
except UserError as error:
    raise WorkflowError(str(error))

if not workflow.overwrite_configfiles:
    if not _layers and not config:
        raise WorkflowError(
            f"{CONFIG_FILES[0]}: no such file in {Path.cwd()}; name yours with --configfile, or lay an experiment "
            "out with `crossres workflow new DIR` and go there"
        )

    configfile: "config/config.yaml"


_name = ", ".join(map(str, workflow.configfiles)) or "config"

try:
    RUNS = runs(from_working_directory(config, _layers), _name)
    for _run, _settings in RUNS.items() if len(RUNS) > 1 else ():
        configuration.parse(_settings, f"{_name}: run {_run}")
except UserError as error:
    raise WorkflowError(str(error))

if len(RUNS) == 1:
    config.clear()
    [_settings] = RUNS.values()
    config.update(_settings)
