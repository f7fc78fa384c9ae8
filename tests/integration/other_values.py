"""Another valid value for every key of the configuration, found by the types of the settings models."""

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError

from crossres.settings.base import Section
from crossres.settings.config import Config
from crossres.settings.explained import models_of

BY_HAND: dict[str, dict[str, Any]] = {
    "search.area": {"search.area": [100.0, 20.0, 130.0, 50.0]},
    "search.datetime": {"search.datetime": "2015-01-01/2030-01-01"},
    "search.pairs_per_job": {"search.pairs_per_job": 2},
    "grid.lr_bands": {"grid.lr_bands": ["blue", "green", "red", "nir", "swir16"]},
    "dataset.split": {"dataset.split": "block"},
    "train.start_from": {"models.other.train": {"start_from": None}, "train.start_from": "other"},
    "train.lr_dates": {"train.lr_dates": 2},
    "dataset.regions": {"dataset.split": "region", "dataset.regions": "regions.geojson"},
    "dataset.folds": {"dataset.folds": 2},
    "dataset.assign": {"dataset.assign": {"nothing*": "train"}},
    "acquire.geoid": {"acquire.geoid": "geoid.tif"},
    "acquire.dem": {"acquire.dem": None},
    "acquire.private_hosts": {"acquire.private_hosts": ["files.lab"]},
    "acquire.headers": {"acquire.headers": {"files.lab": {"X-Api-Key": "${FILES_LAB_KEY}"}}},
    "models": {"models.other": {}},
    "models.<name>.model": {"models.main.model": {"prior": "concat"}},
    "models.<name>.train": {"models.main.train": {"steps": 13}},
    "sample.arms": {"sample.arms.other": {}},
    "sample.arms.<name>.model": {"models.other": {}, "sample.arms.lr_start.model": "other"},
    "sample.arms.<name>.lr_dates": {"sample.arms.lr_start.lr_dates": 1},
    "sample.sweeps": {"sample.sweeps.other": {"nfe": [6]}},
    "sample.sweeps.<name>.models": {"models.other": {}, "sample.sweeps.other": {"nfe": [6], "models": ["other"]}},
    "sample.sweeps.<name>.starts": {"sample.sweeps.other": {"nfe": [6], "starts": ["lr"]}},
    "sample.sweeps.<name>.nfe": {"sample.sweeps.other": {"nfe": [8]}},
    "sample.sweeps.<name>.weights": {"sample.sweeps.other": {"nfe": [6], "weights": "best"}},
    "sample.sweeps.<name>.solver": {"sample.sweeps.other": {"nfe": [6], "solver": "euler"}},
    "sample.sweeps.<name>.spacing": {"sample.sweeps.other": {"nfe": [6], "spacing": "angle"}},
    "sample.sweeps.<name>.against": {
        "sample.sweeps.other": {"nfe": [6], "against": ["third"]},
        "sample.sweeps.third": {"nfe": [6]},
    },
    "sample.sweeps.<name>.eta": {"sample.sweeps.other": {"nfe": [6], "eta": 0.5}},
    "sample.sweeps.<name>.samples": {"sample.sweeps.other": {"nfe": [6], "samples": 2}},
    "sample.sweeps.<name>.antithetic": {"sample.sweeps.other": {"nfe": [6], "antithetic": False}},
    "sample.sweeps.<name>.sigma": {"sample.sweeps.other": {"nfe": [6], "sigma": 0.5}},
    "sample.sweeps.<name>.lr_dates": {"sample.sweeps.other": {"nfe": [6], "lr_dates": 1}},
    "sample.primary": {"sample.primary": "noise_start"},
    "evaluate.external": {"evaluate.external": {"other": "external"}},
    "dask.options": {"dask.options": ["--gres=gpu:1"]},
    "run": {"run": "another"},
}
"""Keys whose values only make sense together with others, or as the name of something: key -> what is changed."""


def keys(model: type[Section] = Config, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Give every key but those of sources, named as the tables of config/README.md name it, with its type."""
    for name, field in model.model_fields.items():
        key = f"{prefix}{name}"
        inner = models_of(field.annotation)
        if not inner or len(inner) > 1:
            yield key, field.annotation
        elif "dict" in str(field.annotation):
            yield key, field.annotation
            yield from keys(inner[0], f"{key}.<name>.")
        else:
            yield from keys(inner[0], f"{key}.")


def changed(content: dict, key: str, annotation: Any) -> dict:
    """Return this configuration, every key of it written out, with a key changed to another valid value."""
    if key in BY_HAND:
        changes = [BY_HAND[key]]
    else:
        place = key.replace("sample.arms.<name>", "sample.arms.lr_start")
        changes = [{place: value} for value in candidates(value_at(content, place), annotation)]
    before = Config.model_validate(content)
    for change in changes:
        made = content
        for path, value in change.items():
            made = with_value(made, path.split("."), value)
        try:
            after = Config.model_validate(made)
        except ValidationError:
            continue
        if after != before:
            return made
    raise AssertionError(f"no other value found for {key}")


def candidates(value: Any, annotation: Any) -> Iterator[Any]:
    options = [annotation, *get_args(annotation)]
    for option in options:
        if get_origin(option) is Literal:
            yield from (other for other in get_args(option) if other != value)
        if option is bool:
            yield from (other for other in (True, False) if other != value)
    if isinstance(value, bool):
        pass
    elif isinstance(value, int | float):
        yield from (value + 1, value - 1, value * 2, value * 0.9, value * 1.1, 0.25)
    elif isinstance(value, str):
        yield value + " and more"
    elif isinstance(value, list):
        yield from (value[:-1], [*value, 1])
    elif value is None:
        yield from (40, 0.5, 4000, "text")


def value_at(content: dict, path: str) -> Any:
    inner: Any = content
    for name in path.split("."):
        inner = (inner or {}).get(name)
    return inner


def with_value(content: dict, path: list[str], value: Any) -> dict:
    head, *rest = path
    return content | {head: with_value(content.get(head) or {}, rest, value) if rest else value}
