"""A trained model on disk: safetensors weights beside a JSON card. Loading one never runs code from it."""

import hashlib
import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from crossres.diffusion.network import Network
from crossres.diffusion.standardise import Standard
from crossres.errors import UserError
from crossres.files import read_json, write_json
from crossres.settings.base import Section
from crossres.settings.model import ModelSettings
from crossres.settings.train import TrainSettings

WEIGHTS = "model.safetensors"
BEST = "best.safetensors"
CARD = "card.json"


class Best(Section):
    """The weights that did best in validation while training went on."""

    step: int = Field(description="optimiser steps they had")
    by: str = Field(description="the figure of validation that chose them: the least is best")
    sigma: float = Field(gt=0, le=1, description="source noise of an LR start, chosen in validation")
    weights_sha256: str = Field(description="hash of their file; the same as the last weights' where these are best")
    metrics: dict[str, float | None] = Field(description="validation of these weights")


class Card(Section):
    """What a model is, what it was trained on and how it did."""

    bands: tuple[str, ...] = Field(min_length=1, description="common names, in the order of the network's channels")
    factor: str = Field(description="LR pixel / HR pixel, a fraction such as 25/2")
    lr_gsd_m: float = Field(gt=0, description="pixel size of the LR image, in metres")
    hr_gsd_m: float = Field(gt=0, description="pixel size of the HR image, in metres")
    mean: tuple[float, ...] = Field(description="HR band means over the training split, in reflectance")
    std: tuple[float, ...] = Field(description="HR band standard deviations over the training split, in reflectance")
    sigma: float = Field(gt=0, le=1, description="source noise of an LR start, chosen in validation")
    residual_rms: float = Field(gt=0, description="RMS of the target - bicubic LR on the training split, in HR stds")
    model: ModelSettings
    train: TrainSettings
    teacher_sha256: str | None = Field(
        None, description="hash of the weights that a one-step model was distilled from; null for one that data taught"
    )
    parameters: int = Field(description="number of weights")
    data_sha256: str = Field(description="hash of the index and summary of the patches trained on")
    weights_sha256: str = Field(description="hash of the weights' file")
    code: str = Field(description="fingerprint of the training code")
    metrics: dict[str, float | None] = Field(description="validation of the final weights; empty without a val split")
    best: Best | None = Field(None, description="weights that stand beside the last; null without a val split")

    @field_validator("train", mode="before")
    @classmethod
    def _from_one_path(cls, value: Any) -> Any:
        """Read the cards of version 0.1, when the straight path was the only one."""
        return {"path": "straight"} | value if isinstance(value, dict) else value

    @field_validator("factor")
    @classmethod
    def _is_fraction(cls, value: str) -> str:
        if Fraction(value) <= 1:
            raise ValueError("must be above 1")
        return value

    def of(self, weights: Literal["last", "best"]) -> "Card":
        """Return the card of the last weights, or of the best in validation; `UserError` where there are none."""
        if weights == "last":
            return self
        if self.best is None:
            raise UserError("sample: weights 'best' need a model that was validated in training; use 'last'")
        return self.model_copy(update=self.best.model_dump(include={"sigma", "metrics", "weights_sha256"}))

    @property
    def scale(self) -> Fraction:
        """HR pixels per LR pixel, along each axis."""
        return Fraction(self.factor)

    @property
    def standard(self) -> Standard:
        """The standardisation of LR and HR."""
        return Standard(self.mean, self.std)


@dataclass(frozen=True)
class Checkpoint:
    """A network ready to use, and its card."""

    card: Card
    network: Network


def save(folder: Path, network: Network, best: tuple[Network, dict[str, Any]] | None = None, **card: Any) -> Card:
    """Write `model.safetensors`, `best.safetensors` and `card.json` into an existing folder and return the card.

    `best` are the weights that did best in validation, with the fields of `Best`; without them `best.safetensors` holds
    the last, so that a model is always of the same files. `card` has the fields of `Card`. The weights themselves tell
    their hash and number.
    """
    content = best_content = _content(network)
    if best is not None:
        best_content = _content(best[0])
        card["best"] = Best(**best[1], weights_sha256=hashlib.sha256(best_content).hexdigest())
    (folder / WEIGHTS).write_bytes(content)
    (folder / BEST).write_bytes(best_content)
    full = Card(
        **card,
        parameters=sum(p.numel() for p in network.parameters()),
        weights_sha256=hashlib.sha256(content).hexdigest(),
    )
    write_json(folder / CARD, full.model_dump(mode="json"))
    return full


def _content(network: Network) -> bytes:
    return save_tensors({k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()})


def load_card(folder: Path) -> Card:
    """Read a model's card; `UserError` when it is missing, broken or lacks a field."""
    path = Path(folder) / CARD
    try:
        return Card.model_validate_json(json.dumps(read_json(path)))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"{path}: {key}: {first['msg'].lower()}; this is no model card, train the model again"
        ) from None


def load(folder: Path, weights: Literal["last", "best"] = "last") -> Checkpoint:
    """Read a model; `UserError` when its weights are missing, damaged or not those that its card describes."""
    card = load_card(folder).of(weights)
    path = Path(folder) / (BEST if weights == "best" else WEIGHTS)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; a model folder holds {path.name} and {CARD}") from None
    if hashlib.sha256(content).hexdigest() != card.weights_sha256:
        raise UserError(f"{path}: not the weights that {CARD} describes (hashes differ); copy the model folder again")
    network = Network(card.model, len(card.bands)).eval().requires_grad_(False)
    try:
        network.load_state_dict(load_tensors(content))
    except (SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(
            f"{path}: weights do not fit the network that {CARD} describes ({reason}); train again"
        ) from None
    return Checkpoint(card, network)
