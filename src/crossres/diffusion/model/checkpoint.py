"""A trained model on disk: safetensors weights beside a JSON card. Loading one never runs code from it."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from crossres.diffusion.model.card import Best, Card
from crossres.diffusion.model.domain import Domain
from crossres.diffusion.model.network import Network
from crossres.diffusion.model.standardise import Standard
from crossres.errors import UserError
from crossres.files import read_json, write_json
from crossres.settings.model import ModelSettings
from crossres.settings.train import TrainSettings

WEIGHTS = "model.safetensors"
BEST = "best.safetensors"
CARD = "card.json"
LARGEST_CARD = 1 << 20
"""Bytes; a card has 4 thousand."""
LARGEST_HEADER = 1 << 20
"""Bytes of a weights file beside the weights."""


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
    folder: Path, network: Network, best: BestWeights | None = None, *, bands: Sequence[str],
    lr_bands: Sequence[str] | None = None, lr_dates: int = 1, factor: Fraction,
    lr_gsd_m: float, hr_gsd_m: float, standard: Standard, sigma: float, residual_rms: float, model: ModelSettings,
    train: TrainSettings, data_sha256: str, code: str, metrics: Mapping[str, float | None],
    std_factor: float = 1.0, precision: Literal["float32", "bfloat16"] = "float32",
    teacher_sha256: str | None = None, start_sha256: str | None = None, domain: Domain | None = None,
) -> Card:  # fmt: skip
    """Write `model.safetensors`, `best.safetensors` and `card.json` into an existing folder and return the card.

    Without weights that did best in validation `best.safetensors` holds the last, so that a model is always of the same
    files. The other arguments are the fields of `Card` (`lr_bands`: None for `bands`); the weights themselves tell
    their hash and number.
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
        bands=tuple(bands), lr_bands=tuple(lr_bands or bands), lr_dates=lr_dates, factor=str(factor), lr_gsd_m=lr_gsd_m,
        hr_gsd_m=hr_gsd_m, mean=standard.mean, std=standard.std, sigma=sigma, std_factor=std_factor,
        residual_rms=residual_rms, model=model, train=train, teacher_sha256=teacher_sha256, start_sha256=start_sha256,
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


def new_network(card: Card) -> Network:
    """Return a network as a card describes it, without its weights."""
    return Network(card.model, len(card.bands), len(card.lr_bands), card.lr_dates)


def load(folder: Path, weights: Literal["last", "best"] = "last") -> Checkpoint:
    """Read a model; `UserError` when its weights are missing, damaged or not those that its card describes.

    No more is read, and no network is made, than what the weights' file and the card agree on.
    """
    card = load_card(folder).of(weights)
    path = Path(folder) / (BEST if weights == "best" else WEIGHTS)
    with torch.device("meta"):
        expected = {name: v.shape for name, v in new_network(card).state_dict().items()}
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
    network = new_network(card).eval().requires_grad_(False)
    network.load_state_dict(tensors)
    return Checkpoint(card, network)


def _misfit(path: Path, reason: str) -> UserError:
    return UserError(f"{path}: weights do not fit the network that {CARD} describes ({reason}); train again")
