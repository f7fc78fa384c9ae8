"""What a trained model says of itself: the JSON card beside its weights."""

from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from crossres.diffusion.model.domain import Domain
from crossres.diffusion.model.standardise import Standard
from crossres.errors import UserError
from crossres.settings.base import Section
from crossres.settings.model import ModelSettings
from crossres.settings.train import TrainSettings

MOST_BANDS = 64
LARGEST_FACTOR = 100
LARGEST_REFLECTANCE = 100
"""Scales of others, such as percent, too."""
STD_FACTOR = "what the spread of samples is multiplied by, fitted in validation; 1 without a val split"

BandName = Annotated[str, Field(min_length=1, max_length=40)]


class Best(Section):
    """The weights that did best in validation while training went on."""

    step: int = Field(description="optimiser steps they had")
    by: str = Field(description="the figure of validation that chose them: the least is best")
    sigma: float = Field(gt=0, le=1, description="source noise of an LR start, chosen in validation")
    std_factor: float = Field(1.0, gt=0, le=1e3, description=STD_FACTOR)
    weights_sha256: str = Field(description="hash of their file; the same as the last weights' where these are best")
    metrics: dict[str, float | None] = Field(description="validation of these weights")


class Card(Section):
    """What a model is, what it was trained on and how it did."""

    bands: tuple[BandName, ...] = Field(
        min_length=1, max_length=MOST_BANDS, description="common names, in the order of the network's channels"
    )
    lr_bands: tuple[BandName, ...] = Field(
        min_length=1, max_length=MOST_BANDS, description="bands of the LR image: those, and after them what HR lacks"
    )
    lr_dates: int = Field(
        1, ge=1, le=16, description="LR dates that it learnt from at most, the first counted; it works with fewer"
    )
    factor: str = Field(
        pattern=r"^[0-9]{1,4}(/[0-9]{1,4})?$", description="LR pixel / HR pixel, a fraction such as 25/2"
    )
    lr_gsd_m: float = Field(gt=0, le=1e5, description="pixel size of the LR image, in metres")
    hr_gsd_m: float = Field(gt=0, le=1e5, description="pixel size of the HR image, in metres")
    mean: tuple[float, ...] = Field(
        description="HR band means over the training split, in reflectance, and LR's own of the bands that HR lacks"
    )
    std: tuple[float, ...] = Field(description="standard deviations, as mean")
    sigma: float = Field(gt=0, le=1, description="source noise of an LR start, chosen in validation")
    std_factor: float = Field(1.0, gt=0, le=1e3, description=STD_FACTOR)
    residual_rms: float = Field(
        gt=0, le=1e3, description="RMS of the target - bicubic LR on the training split, in HR stds"
    )
    model: ModelSettings
    train: TrainSettings
    teacher_sha256: str | None = Field(
        None, description="hash of the weights that a one-step model was distilled from; null for one that data taught"
    )
    start_sha256: str | None = Field(None, description="hash of the weights that training started from; null: random")
    parameters: int = Field(ge=1, description="number of weights")
    data_sha256: str = Field(description="hash of the index and summary of the patches trained on")
    weights_sha256: str = Field(description="hash of the weights' file")
    precision: Literal["float32", "bfloat16"] = Field("float32", description="arithmetic of the network in training")
    code: str = Field(description="fingerprint of the training code")
    metrics: dict[str, float | None] = Field(description="validation of the final weights; empty without a val split")
    domain: Domain | None = Field(None, description="what kind of ground it learnt from; null where that is not known")
    best: Best | None = Field(None, description="weights that stand beside the last; null without a val split")

    @field_validator("train", mode="before")
    @classmethod
    def _from_before(cls, value: Any) -> Any:
        """Read the cards of version 0.1: the straight path was the only one, and other keys have gone since."""
        if not isinstance(value, dict):
            return value
        kept = {"path": "straight"} | {k: v for k, v in value.items() if k not in {"save_every", "max_gain"}}
        return kept | ({"gain": {"band": value["max_gain"]}} if value.get("max_gain") else {})

    @model_validator(mode="before")
    @classmethod
    def _from_equal_bands(cls, value: Any) -> Any:
        """Read the cards of before LR images had bands that HR images lack."""
        return {"lr_bands": value["bands"]} | value if isinstance(value, dict) and "bands" in value else value

    @field_validator("factor")
    @classmethod
    def _is_fraction(cls, value: str) -> str:
        above, _, below = value.partition("/")
        if (below and not int(below)) or not 1 < Fraction(int(above), int(below or 1)) <= LARGEST_FACTOR:
            raise ValueError(f"must be above 1 and up to {LARGEST_FACTOR}")
        return value

    @model_validator(mode="after")
    def _is_of_its_bands(self) -> "Card":
        if self.domain is not None and len(self.domain.mean) != 3 * len(self.bands):
            raise ValueError("domain must have three means for each band")
        if len(set(self.lr_bands)) < len(self.lr_bands):
            raise ValueError("bands are there twice")
        if self.lr_bands[: len(self.bands)] != self.bands:
            raise ValueError("lr_bands must begin with bands")
        if self.model.prior != "module" and self.lr_bands != self.bands:
            raise ValueError("lr_bands beside bands need model.prior: module")
        if self.model.prior != "module" and self.lr_dates > 1:
            raise ValueError("lr_dates above 1 need model.prior: module")
        if not len(self.lr_bands) == len(self.mean) == len(self.std):
            raise ValueError("mean and std must have a number for each band")
        if not all(abs(m) <= LARGEST_REFLECTANCE and 0 < s <= LARGEST_REFLECTANCE for m, s in zip(self.mean, self.std)):
            raise ValueError(f"mean and std must be of reflectance, up to {LARGEST_REFLECTANCE}")
        return self

    def of(self, weights: Literal["last", "best"]) -> "Card":
        """Return the card of the last weights, or of the best in validation; `UserError` where there are none."""
        if weights == "last":
            return self
        if self.best is None:
            raise UserError(
                "sample: weights 'best' need a model that was validated in training, on 17 patches or more; use 'last'"
            )
        return self.model_copy(
            update=self.best.model_dump(include={"sigma", "std_factor", "metrics", "weights_sha256"})
        )

    @property
    def scale(self) -> Fraction:
        """HR pixels per LR pixel, along each axis."""
        return Fraction(self.factor)

    @property
    def standard(self) -> Standard:
        """The standardisation of LR and HR."""
        return Standard(self.mean, self.std)
