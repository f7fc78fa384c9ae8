"""`model`: the network."""

from typing import Literal

from pydantic import Field

from crossres.settings.base import Section


class ModelSettings(Section):
    """The network."""

    size: Literal["demo", "base", "large"] = Field("demo", description="about 0.4, 20 or 80 million parameters")
    prior: bool = Field(True, description="whether the prior feature extraction module is there")
