"""A trained model on disk: safetensors weights beside a JSON card. Loading one never runs code from it."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, ValidationError, field_validator, model_validator
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from crossres.diffusion.model.domain import Domain
from crossres.diffusion.model.network import Network
from crossres.diffusion.model.standardise import Standard
from crossres.errors import UserError
from crossres.files import read_json, write_json
from crossres.settings.base import Section
from crossres.settings.model import ModelSettings
from crossres.settings.train import TrainSettings

WEIGHTS = "model.safetensors"
BEST = "best.safetensors"
CARD = "card.json"
LARGEST_CARD = 1 << 20
"""Bytes; a card has 4 thousand."""
LARGEST_HEADER = 1 << 20
"""Bytes of a weights file beside the weights."""
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
    factor: str = Field(
        pattern=r"^[0-9]{1,4}(/[0-9]{1,4})?$", description="LR pixel / HR pixel, a fraction such as 25/2"
    )
    lr_gsd_m: float = Field(gt=0, le=1e5, description="pixel size of the LR image, in metres")
    hr_gsd_m: float = Field(gt=0, le=1e5, description="pixel size of the HR image, in metres")
    mean: tuple[float, ...] = Field(description="HR band means over the training split, in reflectance")
    std: tuple[float, ...] = Field(description="HR band standard deviations over the training split, in reflectance")
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
        if len(set(self.bands)) < len(self.bands):
            raise ValueError("bands are there twice")
        if not len(self.bands) == len(self.mean) == len(self.std):
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


@dataclass(frozen=True)
class Checkpoint:
    """A network ready to use, and its card."""

    card: Card
    network: Network


@dataclass(frozen=True)
class BestWeights:
    """The weights that did best in validation while training went on, and what the card says of them (`Best`)."""

    network: Network
    step: int
    by: str
    sigma: float
    std_factor: float
    metrics: dict[str, float | None]


def save(
    folder: Path, network: Network, best: BestWeights | None = None, *, bands: Sequence[str], factor: Fraction,
    lr_gsd_m: float, hr_gsd_m: float, standard: Standard, sigma: float, residual_rms: float, model: ModelSettings,
    train: TrainSettings, data_sha256: str, code: str, metrics: Mapping[str, float | None],
    std_factor: float = 1.0, precision: Literal["float32", "bfloat16"] = "float32",
    teacher_sha256: str | None = None, start_sha256: str | None = None, domain: Domain | None = None,
) -> Card:  # fmt: skip
    """Write `model.safetensors`, `best.safetensors` and `card.json` into an existing folder and return the card.

    Without weights that did best in validation `best.safetensors` holds the last, so that a model is always of the same
    files. The other arguments are the fields of `Card`; the weights themselves tell their hash and number.
    """
    content = best_content = _content(network)
    about = None
    if best is not None:
        best_content = _content(best.network)
        about = Best(
            step=best.step, by=best.by, sigma=best.sigma, std_factor=best.std_factor, metrics=best.metrics,
            weights_sha256=hashlib.sha256(best_content).hexdigest(),
        )  # fmt: skip
    (folder / WEIGHTS).write_bytes(content)
    (folder / BEST).write_bytes(best_content)
    card = Card(
        bands=tuple(bands), factor=str(factor), lr_gsd_m=lr_gsd_m, hr_gsd_m=hr_gsd_m, mean=standard.mean,
        std=standard.std, sigma=sigma, std_factor=std_factor, residual_rms=residual_rms, model=model, train=train,
        teacher_sha256=teacher_sha256, start_sha256=start_sha256,
        parameters=sum(p.numel() for p in network.parameters()),
        data_sha256=data_sha256, weights_sha256=hashlib.sha256(content).hexdigest(), precision=precision, code=code,
        metrics=dict(metrics), domain=domain, best=about,
    )  # fmt: skip
    write_json(folder / CARD, card.model_dump(mode="json"))
    return card


def _content(network: Network) -> bytes:
    return save_tensors({k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()})


def load_card(folder: Path) -> Card:
    """Read a model's card; `UserError` when it is missing, broken, lacks a field or has a number that no model has."""
    path = Path(folder) / CARD
    if path.is_file() and path.stat().st_size > LARGEST_CARD:
        raise UserError(f"{path}: is larger than {LARGEST_CARD >> 20} MiB, which no model card is; get the model again")
    try:
        return Card.model_validate_json(json.dumps(read_json(path)))
    except ValidationError as error:
        first = error.errors()[0]
        key = ascii(".".join(str(part) for part in first["loc"]))[1:-1]
        raise UserError(
            f"{path}: {key[:80] or 'it'}: {first['msg'][:200].lower()}; this is no model card, train the model again"
        ) from None


def load(folder: Path, weights: Literal["last", "best"] = "last") -> Checkpoint:
    """Read a model; `UserError` when its weights are missing, damaged or not those that its card describes.

    No more is read, and no network is made, than what the weights' file and the card agree on.
    """
    card = load_card(folder).of(weights)
    path = Path(folder) / (BEST if weights == "best" else WEIGHTS)
    with torch.device("meta"):
        expected = {name: v.shape for name, v in Network(card.model, len(card.bands)).state_dict().items()}
    try:
        if path.stat().st_size > 4 * sum(map(math.prod, expected.values())) + LARGEST_HEADER:
            raise _misfit(path, "they are larger")
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; a model folder holds {path.name} and {CARD}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be opened ({error.strerror})") from None
    if hashlib.sha256(content).hexdigest() != card.weights_sha256:
        raise UserError(f"{path}: not the weights that {CARD} describes (hashes differ); copy the model folder again")
    try:
        tensors = load_tensors(content)
    except (SafetensorError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise _misfit(path, ascii(str(error))[1:160]) from None
    for name in sorted(expected):
        if name not in tensors or tensors[name].shape != expected[name] or tensors[name].dtype != torch.float32:
            raise _misfit(path, f"{name} is not {' x '.join(map(str, expected[name]))} numbers of 32 bits")
        if not tensors[name].isfinite().all():
            raise UserError(f"{path}: {name} holds what is not a number; get the model again, or train it again")
    if len(tensors) > len(expected):
        raise _misfit(path, f"{len(tensors)} arrays for {len(expected)}")
    network = Network(card.model, len(card.bands)).eval().requires_grad_(False)
    network.load_state_dict(tensors)
    return Checkpoint(card, network)


def _misfit(path: Path, reason: str) -> UserError:
    return UserError(f"{path}: weights do not fit the network that {CARD} describes ({reason}); train again")
