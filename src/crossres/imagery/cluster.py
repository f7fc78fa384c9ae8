"""Workers on other machines: a scheduler of dask.distributed that is there, or one that is asked of a batch system."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from crossres.errors import UserError
from crossres.settings.dask import DaskSettings

log = logging.getLogger(__name__)

WAIT_S = 60
"""Seconds to wait for a scheduler that is said to be there."""


@contextmanager
def workers(said: str) -> Iterator[None]:
    """Compute on the workers of `said`: an address such as tcp://node7:8786, or the JSON of the `dask` section.

    Raises `UserError` when dask.distributed is not installed or nothing answers.
    """
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise UserError(
            "CROSSRES_DASK: dask.distributed is not installed; `pip install -c constraints.txt -e '.[cluster]'`"
        ) from None
    logging.getLogger("distributed").setLevel(logging.WARNING)
    if said.lstrip().startswith("{"):
        with _asked_for(DaskSettings.model_validate_json(said)):
            yield
        return
    try:
        client = Client(said, timeout=WAIT_S)
    except (OSError, ValueError) as error:
        raise UserError(f"CROSSRES_DASK: no scheduler of dask answers at {said} ({error})") from None
    with client:
        log.info("dask: %d workers at %s", len(client.nthreads()), said)
        yield


@contextmanager
def _asked_for(settings: DaskSettings) -> Iterator[None]:
    """Ask the batch system for workers, and give them back."""
    try:
        from dask_jobqueue import SLURMCluster
    except ModuleNotFoundError:
        raise UserError(
            "dask: dask-jobqueue is not installed; `pip install -c constraints.txt -e '.[cluster]'`"
        ) from None
    from distributed import Client

    cluster = SLURMCluster(
        cores=settings.threads, processes=1, memory=f"{settings.mem_mb}MB", walltime=_clock(settings.runtime),
        queue=settings.partition, account=settings.account, log_directory=settings.log_folder,
        job_extra_directives=[*settings.options, *([] if settings.log_folder else ["--output=/dev/null"])],
        interface=settings.interface, scheduler_options={"dashboard_address": None},
    )  # fmt: skip
    with cluster, Client(cluster) as client:
        cluster.scale(jobs=settings.workers)
        log.info("dask: %d workers asked of SLURM", settings.workers)
        client.wait_for_workers(1)
        yield


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}:00"
