"""`dataset`: from patches to what a model reads."""

from typing import Literal

from pydantic import Field

from crossres.settings.base import Section


class DatasetSettings(Section):
    """Splits by place, and the patch dataset."""

    val_share: float = Field(0.15, ge=0, lt=0.5, description="share of pairs held out for validation")
    test_share: float = Field(0.25, gt=0, lt=0.9, description="share of pairs held out for the report")
    assign: dict[str, Literal["train", "val", "test"]] = Field(
        {},
        description="split by name: a glob over pair ids, to train, val or test; the first that matches counts",
    )
    gap_m: float = Field(
        100.0,
        ge=0,
        description="patches nearer than this to a place of another split are left out, in metres",
    )
    seed: int = Field(0, ge=0, description="seed of the split")
