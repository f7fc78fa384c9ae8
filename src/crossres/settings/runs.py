"""`run` where a configuration describes several runs."""

from pydantic import Field

from crossres.settings.base import Section


class Runs(Section):
    """Several runs: the configuration, with what each has of its own laid over it."""

    name: str | tuple[str, ...] = Field("all", description="names of runs, each one of `scenarios`; all takes each")
    scenarios: str = Field(description="file with sections of a configuration under the name of each run")
