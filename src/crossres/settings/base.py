"""What every settings section shares: immutable, no unknown keys, units in the names."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """One section of the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)
