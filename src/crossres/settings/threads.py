"""`threads`: how many CPU threads a job of each stage has."""

from pydantic import Field

from crossres.settings.base import Section


class ThreadSettings(Section):
    """CPU threads of a job of each stage. Results do not depend on them."""

    download: int = Field(1, ge=1, description="threads that read, orthorectify and sharpen a scene")
    coregister: int = Field(1, ge=1, description="threads that register a pair")
    normalise: int = Field(1, ge=1, description="threads that normalise a pair")
    patches: int = Field(1, ge=1, description="threads that cut and measure the patches of a pair")
    train: int = Field(2, ge=1, description="threads of each process that trains where there is no GPU")
    sample: int = Field(1, ge=1, description="threads that super-resolve a scene where there is no GPU")
    evaluate: int = Field(1, ge=1, description="threads that judge a scene")
