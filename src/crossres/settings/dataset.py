"""`dataset`: from patches to what a model reads."""

from typing import Literal

from pydantic import Field, model_validator

from crossres.settings.base import Section


class DatasetSettings(Section):
    """Splits by place, and the patch dataset."""

    split: Literal["pair", "block", "region", "published"] = Field(
        "pair",
        description="what goes to one split as a whole: a pair with all that overlaps it; a square block of ground; "
        "what a vector file says; or published, a pair, to the split that its published set puts it in",
    )
    block_m: float = Field(
        2000.0, ge=100, le=1e6, description="side of a block of ground, in metres (with dataset.split: block)"
    )
    regions: str | None = Field(
        None,
        description="vector file of polygons with a column split (train, val or test), for dataset.split: region; "
        "patches outside of all polygons are left out",
    )
    val_share: float = Field(0.15, ge=0, lt=0.5, description="share of pairs or blocks held out for validation")
    test_share: float = Field(0.25, gt=0, lt=0.9, description="share of pairs or blocks held out for the report")
    folds: int | None = Field(
        None,
        ge=2,
        le=1000,
        description="cut the places into so many folds, train one model a fold and judge each place by the model that "
        "has not seen it; dataset.test_share then means nothing. Null: one model, and test_share of the places",
    )
    assign: dict[str, Literal["train", "val", "test"]] = Field(
        {},
        description="split by name: a glob over pair ids, to train, val or test; the first that matches counts "
        "(with dataset.split: pair)",
    )
    gap_m: float = Field(
        100.0,
        ge=0,
        description="patches nearer than this to ground of another split are left out, in metres",
    )
    seed: int = Field(0, ge=0, description="seed of the split")

    @model_validator(mode="after")
    def _keys_fit_the_split(self) -> "DatasetSettings":
        if (self.split == "region") != (self.regions is not None):
            raise ValueError("dataset.split: region and a vector file in dataset.regions need each other; set both")
        if self.assign and self.split != "pair":
            raise ValueError(f"dataset.assign: names pairs, so it means nothing with dataset.split: {self.split}")
        if self.folds and self.split in ("region", "published"):
            raise ValueError(
                f"dataset.folds: split: {self.split} says by itself what is held out; use dataset.split: pair or block"
            )
        if self.folds and "test" in self.assign.values():
            raise ValueError(
                "dataset.assign: with dataset.folds each place is tested once by itself; take out what is assigned to "
                "test (train and val hold for every fold)"
            )
        return self
