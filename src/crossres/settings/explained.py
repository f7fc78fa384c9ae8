"""What is wrong with a configuration, said in one line."""

import difflib
from typing import Any

from pydantic import ValidationError

from crossres.settings.base import Section

LONGEST_SHOWN = 100
"""Characters of a value in a line."""
LONGEST_TEXT = 500
"""Characters of a reason, which may list what is known, in a line."""
MOVED = {
    "lr_mtf": "there is one for all stages now: write it as grid.lr_mtf",
    "threads": "threads of each stage stand in a section of their own, such as threads.sample",
    "bootstrap": "intervals are Student's t now, without resampling: leave it out",
    "processes": "a scene is shared by threads.sample, or by workers of the section dask",
}
"""Keys of earlier versions, by their last part, and what to write instead."""


def explain(error: ValidationError, section: type[Section], content: Any) -> str:
    """Say in one line what is wrong with the first offending key."""
    details = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    first = details[0]
    where = _written(first["loc"], content)
    key = ".".join(where)
    more = f" ({len(details) - 1} more)" if len(details) > 1 else ""
    if first["type"] == "extra_forbidden" and where[-1] in MOVED:
        return f"{key}: {MOVED[where[-1]]}{more}"
    if first["type"] == "extra_forbidden":
        known = _known_keys(section, first["loc"][:-1])
        near = difflib.get_close_matches(where[-1], known, n=1, cutoff=0)
        return (
            f"{key}: unknown key; the nearest known one is {near[0]!r}{more}" if near else f"{key}: unknown key{more}"
        )
    if first["type"] == "value_error":
        return f"{key}{': ' if key else ''}{_visible(first['msg'].removeprefix('Value error, '))}{more}"
    shown = "" if first["type"] == "missing" else f", not {_short(first['input'])}"
    message = _visible(first["msg"][0].lower() + first["msg"][1:])
    return f"{key}: {message}{shown}{more}"


def without_moved(content: dict[str, Any], section: type[Section]) -> list[str]:
    """Take the keys of earlier versions out of settings, and return them as the file has them."""
    gone = []
    try:
        section.model_validate(content)
    except ValidationError as error:
        for found in error.errors():
            where = found["loc"]
            if found["type"] == "extra_forbidden" and where[-1] in MOVED:
                gone.append(".".join(_written(where, content)))
                _holder(content, where).pop(where[-1], None)
    return gone


def _holder(content: Any, where: tuple[int | str, ...]) -> Any:
    """Return the mapping that holds the key at a location, which may name kinds of sources or leave out lists."""
    for part in where[:-1]:
        known = isinstance(content, dict) and part in content
        if known or (isinstance(content, list) and isinstance(part, int)):
            content = content[part]
    return content


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"


def _visible(text: str) -> str:
    """Return a text of the file as a part of a line: not too long, what cannot be seen escaped."""
    short = text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in short)


def _written(location: tuple[int | str, ...], content: Any) -> list[str]:
    """Return a location as the file has it: without the kind of a source, and without the index of an only one."""
    found = []
    node = content
    for part in location:
        if isinstance(node, dict) and (isinstance(part, int) or (part not in node and part == node.get("kind"))):
            continue
        found.append(_visible(str(part)))
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            node = None
    return found


def _known_keys(model: Any, path: tuple[int | str, ...]) -> list[str]:
    """Return the keys that the model at `path` knows, looking through optional types, unions and dicts."""
    for part in path:
        options = models_of(model)
        tagged = [m for m in options if "kind" in m.model_fields and part in _tags(m)]
        if tagged:
            model = tagged[0]
            continue
        fields = [m.model_fields[str(part)].annotation for m in options if str(part) in m.model_fields]
        model = fields[0] if fields else model
    return sorted({name for m in models_of(model) for name in m.model_fields})


def _tags(model: type[Section]) -> tuple[Any, ...]:
    return getattr(model.model_fields["kind"].annotation, "__args__", ())


def models_of(annotation: Any) -> list[type[Section]]:
    """Return the settings models that a type annotation names, looking through optional types, unions and dicts."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [m for argument in getattr(annotation, "__args__", ()) for m in models_of(argument)]
