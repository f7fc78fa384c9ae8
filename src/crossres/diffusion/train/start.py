"""Weights to start from: those of another model, brought to the bands that are learnt now."""

import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from crossres.diffusion.model import checkpoint
from crossres.diffusion.model.card import Card
from crossres.diffusion.model.network import Network
from crossres.diffusion.model.standardise import Standard
from crossres.errors import UserError
from crossres.settings.model import ModelSettings
from crossres.settings.train import TrainSettings

log = logging.getLogger(__name__)

DATES = "prior.dates."
"""What the tensors' names begin with that are there for several LR dates."""
LARGEST_CHANGE = 2.0
"""Standard deviations, or times a standard deviation, by which bands may differ before the log says so."""


def start_from(
    folder: Path, network: Network, model: ModelSettings, train: TrainSettings, bands: Sequence[str],
    lr_bands: Sequence[str], standard: Standard,
) -> str:  # fmt: skip
    """Give a network the weights of a model folder and return their hash.

    Bands are told apart by name. What the network says of a band that the other model did not know begins at zero, and
    what it sees of one counts for nothing yet; so does a band that LR alone has. Where the other model knew one LR date
    and this one takes several, those count for nothing yet, too. Raises `UserError` when the other
    model has another network or path, is distilled, or has none of the bands.
    """
    loaded = checkpoint.load(folder)
    card = loaded.card
    _check(card, folder, model, train, bands)
    if new := [band for band in lr_bands if band not in card.lr_bands]:
        log.info("%s: has no band %s, which begins at zero", folder, ", ".join(new))
    _compare(card, folder, lr_bands, standard)
    given = loaded.network.state_dict()
    with torch.no_grad():
        for name, own in network.state_dict().items():
            if name not in given and name.startswith(DATES):
                continue
            both = (card.lr_bands, lr_bands) if name in _OF_LR else (card.bands, bands)
            images = 2 if name == "entry.weight" and network.sees_y else 1
            images = own.shape[1] // len(lr_bands) if name == f"{DATES}entry.weight" else images
            own.copy_(_of_bands(name, given[name], own, images, *both))
    return card.weights_sha256


def _check(card: Card, folder: Path, model: ModelSettings, train: TrainSettings, bands: Sequence[str]) -> None:
    for section, theirs, ours in (("model", card.model.model_dump(), model.model_dump()),
                                  ("train", {"path": card.train.path}, {"path": train.path})):  # fmt: skip
        for key, value in theirs.items():
            if value != ours[key]:
                raise UserError(
                    f"train.start_from: {folder} has {section}.{key} {value}, and {ours[key]} is to be trained; "
                    f"set {section}.{key}: {value}"
                )
    if card.teacher_sha256:
        raise UserError(f"train.start_from: {folder} is distilled to one step; start from the model that taught it")
    if not set(card.bands) & set(bands):
        raise UserError(
            f"train.start_from: {folder} knows {', '.join(card.bands)}, and none of {', '.join(bands)}; train anew"
        )


def _compare(card: Card, folder: Path, bands: Sequence[str], standard: Standard) -> None:
    """Say in the log where a band has another spread or brightness than what the other model learnt from."""
    for band, mean, std in zip(bands, standard.mean, standard.std, strict=True):
        if band in card.lr_bands:
            i = card.lr_bands.index(band)
            ratio = std / card.std[i]
            if abs(mean - card.mean[i]) > LARGEST_CHANGE * card.std[i] or max(ratio, 1 / ratio) > LARGEST_CHANGE:
                log.warning(
                    "%s: %s was %.3g (std %.3g) where it learnt and is %.3g (%.3g) here; images are brought to the "
                    "same range, but are they reflectance in both?",
                    folder, band, card.mean[i], card.std[i], mean, std,
                )  # fmt: skip


def _of_bands(name: str, given: Tensor, own: Tensor, images: int, known: Sequence[str], bands: Sequence[str]) -> Tensor:
    """Return one tensor of the other network with the channels of these bands: those it lacks are zero.

    The tensor sees so many `images` of all bands.
    """
    axis = _BY_BAND.get(name)
    if axis is None:
        return given
    # A band has as many channels side by side as there are fine pixels in one of the layer, for each image it sees.
    theirs = given.unflatten(axis, (images, len(known), -1))
    ours = torch.zeros_like(own).unflatten(axis, (images, len(bands), -1))
    for i, band in enumerate(bands):
        if band in known:
            ours.select(axis + 1, i).copy_(theirs.select(axis + 1, known.index(band)))
    return ours.flatten(axis, axis + 2)


_BY_BAND = {
    "entry.weight": 1, "prior.entry.weight": 1, "exit.weight": 0, "exit.bias": 0, "prior.head_out.weight": 0,
    "prior.head_out.bias": 0, f"{DATES}entry.weight": 1,
}  # fmt: skip
"""The network's tensors whose channels are bands' -> the axis of these."""
_OF_LR = ("prior.entry.weight", f"{DATES}entry.weight")
"""Those whose bands are LR's."""
