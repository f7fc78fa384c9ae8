"""`dask`: workers on other machines for the pixels of one scene."""

from pydantic import Field

from crossres.settings.base import Section


class DaskSettings(Section):
    """Workers that each stage of a scene asks of SLURM; its results do not depend on them."""

    workers: int = Field(2, ge=1, description="workers, each a job of its own on SLURM")
    threads: int = Field(1, ge=1, description="threads of a worker; 1 where it has a GPU")
    mem_mb: int = Field(8000, ge=500, description="memory of a worker, in MB")
    runtime: int = Field(240, ge=1, description="minutes that a worker may run")
    partition: str | None = Field(None, description="partition of SLURM; null is the usual one")
    account: str | None = Field(None, description="account of SLURM; null is the usual one")
    interface: str | None = Field(None, description="network interface that workers are reached by, such as ib0")
    options: tuple[str, ...] = Field((), description="further options of sbatch, such as --gres=gpu:1")
    log_folder: str | None = Field(None, description="folder for what workers say; null keeps nothing of it")
