"""A trained model as a STAC item with the extension MLM: what it takes and gives, how it did, who may use it."""

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from crossres.diffusion.model.card import Card
from crossres.errors import UserError
from crossres.files import read_json
from crossres.imagery.items import JSON, UNKNOWN_TIME, VERSION, Item, described

ITEM = "item.json"
LARGEST_ITEM = 1 << 20
"""Bytes; an item has 4 thousand."""
LONGEST = 2000
"""Characters of what a person says of a model."""
NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_.\- ]+[a-zA-Z0-9]")
"""What MLM takes as the name of a model."""
MLM = "https://stac-extensions.github.io/mlm/v1.4.0/schema.json"
FILE = "https://stac-extensions.github.io/file/v2.1.0/schema.json"
SCIENTIFIC = "https://stac-extensions.github.io/scientific/v1.0.0/schema.json"
NO_LICENCE = "other"
"""STAC's word for a licence that has no SPDX identifier, or was not stated."""


@dataclass(frozen=True)
class Stated:
    """What only a person can say of a model; None where nobody did."""

    licence: str | None = None
    """SPDX identifier."""
    citation: str | None = None
    doi: str | None = None
    trained_on: str | None = None
    """In words: sensors, places, times."""


KEYS = {
    "licence": "license", "citation": "sci:citation", "doi": "sci:doi", "trained_on": "crossres:trained_on",
}  # fmt: skip
"""Where each of them stands in the item."""


def stated_in(folder: Path) -> Stated:
    """Return what the item in a model's folder states; nothing where it has none. `UserError` for a broken item."""
    path = folder / ITEM
    if not path.is_file():
        return Stated()
    if path.stat().st_size > LARGEST_ITEM:
        raise UserError(f"{path}: is larger than {LARGEST_ITEM >> 20} MiB, which no item of a model is")
    content = read_json(path)
    said = content.get("properties") if isinstance(content, dict) else None
    if not isinstance(said, dict):
        raise UserError(f"{path}: is no STAC item; get the model again")
    found = {field.name: said.get(KEYS[field.name]) for field in fields(Stated)}
    return Stated(**{
        name: text[:LONGEST] for name, text in found.items() if isinstance(text, str) and text and text != NO_LICENCE
    })  # fmt: skip


def model_item(name: str, card: Card, stated: Stated, weights: dict[str, int]) -> Item:
    """Return the item of a model called `name`; `weights` are its files of weights, with their bytes.

    It lies nowhere on Earth and has no time: what it was trained on is for `stated` and the card to say. Raises
    `UserError` for a name that MLM does not take.
    """
    if not NAME.fullmatch(name):
        raise UserError(f"--name: {name[:80]!r} is no name of a model; use three letters or more, digits and ._-")
    said = {KEYS[key]: value for key, value in vars(stated).items() if value is not None}
    properties: dict[str, Any] = {
        "datetime": None, **UNKNOWN_TIME, "license": NO_LICENCE, **said,
        "mlm:name": name,
        "mlm:architecture": "crossres diffusion, start from the LR image",
        "mlm:tasks": ["super-resolution"],
        "mlm:framework": "PyTorch",
        "mlm:total_parameters": card.parameters,
        "mlm:pretrained": True,
        "mlm:input": [_input(card)],
        "mlm:output": [{
            "name": "HR image", "tasks": ["super-resolution"],
            "description": f"samples of reflectance at {card.hr_gsd_m:g} m, standardised as the LR image is",
            "result": _structure("channel", len(card.bands)),
        }],
        "bands": described(card.lr_bands),
        "crossres:factor": card.factor,
        "crossres:lr_gsd_m": card.lr_gsd_m,
        "crossres:hr_gsd_m": card.hr_gsd_m,
        "crossres:lr_dates": card.lr_dates,
        "crossres:metrics": {key: value for key, value in card.metrics.items() if value is not None},
        "crossres:weights_sha256": card.weights_sha256,
    }  # fmt: skip
    scientific = [SCIENTIFIC] if {"sci:citation", "sci:doi"} & properties.keys() else []
    return {
        "type": "Feature", "stac_version": VERSION, "stac_extensions": [FILE, MLM, *scientific], "id": name,
        "geometry": None, "properties": properties, "links": [],
        "assets": {
            **{_key(file): _weights_asset(file, size, card) for file, size in weights.items()},
            "card": {
                "href": "./card.json", "type": JSON, "roles": ["metadata"],
                "title": "model card: settings, figures, training domain",
            },
        },
    }  # fmt: skip


def _key(file: str) -> str:
    return file.removesuffix(".safetensors")


def _weights_asset(file: str, size: int, card: Card) -> dict[str, Any]:
    last = file == "model.safetensors"
    return {
        "href": f"./{file}",
        "type": "application/octet-stream; application=safetensors",
        "title": "weights at the end of training" if last else "weights that did best in validation",
        "roles": ["mlm:model", "mlm:weights"],
        "mlm:artifact_type": "safetensors.torch.save_file",
        "file:size": size,
    }


def _input(card: Card) -> dict[str, Any]:
    scaling = [{"type": "z-score", "mean": mean, "stddev": std} for mean, std in zip(card.mean, card.std, strict=True)]
    dates = f"; up to {card.lr_dates - 1} further dates" if card.lr_dates > 1 else ""
    return {
        "name": "LR image",
        "bands": list(card.lr_bands),
        "input": _structure("bands", len(card.lr_bands)),
        "value_scaling": scaling,
        "description": f"surface reflectance at {card.lr_gsd_m:g} m{dates}",
    }


def _structure(axis: str, bands: int) -> dict[str, Any]:
    return {
        "shape": [-1, bands, -1, -1],
        "dim_order": ["batch", axis, "height", "width"],
        "data_type": "float32",
    }
