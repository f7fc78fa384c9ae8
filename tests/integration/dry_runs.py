"""Many dry runs in one process, through Snakemake's own API: what each of many changes would run again.

Run in a project's folder, on that project's code, with the changes as JSON lines on standard input, each a mapping
with `config` (a
configuration file) and, where code changes, `file` and `text` (what the file then holds). Prints a JSON line for
each: the jobs planned by rule, or, with `versions` true, what the fingerprints of the commands' code then are.
"""

import json
import logging
import sys
from contextlib import contextmanager
from pathlib import Path

from snakemake.api import SnakemakeApi
from snakemake.logging import logger
from snakemake.settings.types import (
    ConfigSettings,
    DAGSettings,
    DeploymentSettings,
    ExecutionSettings,
    OutputSettings,
    Quietness,
    ResourceSettings,
    StorageSettings,
    WorkflowSettings,
)
from snakemake_interface_logger_plugins.common import LogEvent

from crossres import code_version


class Plan(logging.Handler):
    """Keeps what Snakemake says that it is going to run."""

    jobs: dict

    def emit(self, record):
        if getattr(record, "event", None) == LogEvent.RUN_INFO:
            self.jobs = {rule: count for rule, count in record.stats.items() if rule != "total"}


def planned(config: Path) -> dict[str, int]:
    """Return the jobs that a dry run plans: rule -> number."""
    code_version.command_version.cache_clear()
    plan = Plan()
    plan.jobs = {}
    with SnakemakeApi(OutputSettings(dryrun=True, quiet={Quietness.ALL}, enable_file_logging=False)) as api:
        logger.addHandler(plan)
        try:
            workflow = api.workflow(
                resource_settings=ResourceSettings(cores=1),
                config_settings=ConfigSettings(configfiles=[config]),
                storage_settings=StorageSettings(),
                workflow_settings=WorkflowSettings(),
                deployment_settings=DeploymentSettings(),
                snakefile=Path("Snakefile"),
            )
            settings = ExecutionSettings(lock=False)
            workflow.dag(DAGSettings()).execute_workflow(executor="dryrun", execution_settings=settings)
        finally:
            logger.removeHandler(plan)
    return plan.jobs


def versions() -> dict[str, str]:
    """Return the fingerprint of the code of every command that a rule runs."""
    from crossres.settings.stages import COMMANDS

    return {rule: code_version.command_version.__wrapped__(command) for rule, command in COMMANDS.items()}


@contextmanager
def written(file: str | None, text: str | None):
    if file is None:
        yield
        return
    path = Path(file)
    before = path.read_text()
    path.write_text(text)
    try:
        yield
    finally:
        path.write_text(before)


def main() -> None:
    out = sys.stdout
    sys.stdout = sys.stderr  # Snakemake's words
    for line in sys.stdin:
        change = json.loads(line)
        with written(change.get("file"), change.get("text")):
            found = versions() if change.get("versions") else planned(Path(change["config"]))
        print(json.dumps(found), file=out, flush=True)


if __name__ == "__main__":
    main()
