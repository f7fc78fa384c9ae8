"""`jobs`: what the jobs of a cluster ask for."""

from pydantic import Field

from crossres.settings.base import Section

GRES = r"^[a-zA-Z0-9_]+(:[a-zA-Z0-9_.]+)?(:[1-9]\d*)?$"


class JobSettings(Section):
    """What jobs ask a cluster for; results do not depend on it."""

    mem_mb: int = Field(
        256_000,
        ge=1000,
        description="most memory that a job asks for, in MB: one that is submitted again asks for more each time",
    )
    runtime: int = Field(
        1440,
        ge=1,
        description="most minutes that a job asks for: no more than its partition gives, or it waits for ever",
    )
    search: bool = Field(
        False,
        description="whether the search is a job as well, on a node that reaches its servers; else it runs where"
        " Snakemake does",
    )
    train_gres: str | None = Field(
        None,
        pattern=GRES,
        description="what SLURM calls the GPUs of a node that training asks for, such as gpu:4 or gpu:a100:4; null is"
        " none",
    )
    sample_gres: str | None = Field(
        None,
        pattern=GRES,
        description="the same of a job that samples from a network, such as gpu:1, or gpu:1g.10gb:1 for a part of one",
    )
    cpus_per_gpu: int = Field(4, ge=1, description="CPU cores that are asked for with each of these GPUs")

    def gpus(self, gres: str | None) -> int:
        """Return how many GPUs of a node that is."""
        if gres is None:
            return 0
        last = gres.rpartition(":")[2]
        return int(last) if ":" in gres and last.isdigit() else 1
