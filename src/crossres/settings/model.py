"""`model`: the network."""

from typing import Any, Literal

from pydantic import Field, field_validator

from crossres.settings.base import Section

NetworkSize = Literal["demo", "base", "large", "dense-small", "dense"]


class ModelSettings(Section):
    """The network."""

    size: NetworkSize = Field(
        "demo",
        description="demo, base and large (0.35, 20 and 88 million parameters) are of NAF blocks, cheap to compute: for"
        " a CPU. dense-small and dense (1 and 17 million) are of dense convolutions, which compute more for what they"
        " read: dense is for a GPU, dense-small for a CPU with bfloat16 or little data",
    )
    prior: Literal["module", "concat", "none"] = Field(
        "module",
        description="how the LR image enters the network: module adds the prior feature extraction module's features at"
        " every level to the image at the input, concat is the image at the input alone, none leaves only the start",
    )
    width: int | None = Field(
        None,
        ge=4,
        le=1024,
        description="channels of the finest level; null takes the size's own (an ablation of the prior makes up for its"
        " parameters with it)",
    )
    embedding: int | None = Field(
        None, ge=8, le=4096, description="channels of the embedding of t and sigma; null takes the size's own"
    )

    @field_validator("prior", mode="before")
    @classmethod
    def _from_switch(cls, value: Any) -> Any:
        """Read the switch that cards of version 0.1 have."""
        return {True: "module", False: "concat"}[value] if isinstance(value, bool) else value


class ModelVariant(Section):
    """What one of several models has of its own."""

    model: dict[str, Any] = Field({}, description="keys of `model` that differ for this one")
    train: dict[str, Any] = Field({}, description="keys of `train` that differ for this one")
