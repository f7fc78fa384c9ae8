"""One source of every kind but `dataset`, which stands alone, and another valid value for each key of its own."""

from collections.abc import Iterator
from typing import Any

from other_values import candidates, keys, value_at, with_value
from pydantic import TypeAdapter, ValidationError

from crossres.settings.explained import models_of
from crossres.settings.published import DatasetSource
from crossres.settings.search import Source

OF_EACH_KIND: dict[str, dict[str, Any]] = {
    "stac-api": {"url": "https://example.org", "collections": ["one", "another"]},
    "sentinelhub": {},
    "catalog": {"href": "{run}/world/catalog.json"},
    "folder": {"path": "a_folder", "sensor": {"bands": ["red", "nir"], "mask": 3}},
    "gaofen2": {"path": "{run}/world/places"},
}
FOLDERS = ("a_folder", "another_folder")
"""What must be there for these sources to be planned."""

OTHER_KIND = {
    "stac-api": "sentinelhub", "sentinelhub": "stac-api", "catalog": "stac-api", "folder": "gaofen2",
    "gaofen2": "folder",
}  # fmt: skip
BY_HAND = {
    ("stac-api", "query"): {"eo:cloud_cover": {"lt": 20}},
    ("catalog", "href"): "https://example.org/catalog.json",
    ("folder", "path"): "another_folder",
    ("folder", "sensor.datetime_pattern"): "%Y%m%d",
    ("gaofen2", "path"): "another_folder",
}
ONLY_VALUE = {("sentinelhub", "collection")}
"""Keys that have one valid value, and so cannot change."""


def one_of_each() -> list[dict[str, Any]]:
    """Return one source of every kind, each key of it written out."""
    adapter: TypeAdapter = TypeAdapter(Source)
    return [adapter.validate_python({"kind": kind} | own).model_dump(mode="json") for kind, own in OF_EACH_KIND.items()]


def each_key_changed() -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    """Give, for every key of every kind, the list of sources in which that key has another valid value."""
    sources = one_of_each()
    kinds = [source["kind"] for source in sources]
    models = [model for model in models_of(Source) if model is not DatasetSource]
    for number, (kind, model) in enumerate(zip(kinds, models, strict=True)):
        for key, annotation in keys(model):
            if (kind, key) in ONLY_VALUE:
                continue
            if key == "kind":
                other = sources[kinds.index(OTHER_KIND[kind])]
            else:
                other = _other(sources[number], kind, key, annotation)
            yield kind, key, [*sources[:number], other, *sources[number + 1 :]]


def _other(source: dict[str, Any], kind: str, key: str, annotation: Any) -> dict[str, Any]:
    by_hand = [BY_HAND[kind, key]] if (kind, key) in BY_HAND else []
    adapter: TypeAdapter = TypeAdapter(Source)
    for value in by_hand or candidates(value_at(source, key), annotation):
        made = with_value(source, key.split("."), value)
        try:
            if adapter.validate_python(made) != adapter.validate_python(source):
                return made
        except ValidationError:
            continue
    raise AssertionError(f"no other value found for {key} of {kind}")
