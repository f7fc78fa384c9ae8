"""Configuration files laid over each other: whose folder a path counts from, and which runs they describe."""

import copy
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from crossres.errors import UserError
from crossres.settings.config import parse
from crossres.settings.paths import escaped, expand
from crossres.settings.runs import Runs
from crossres.settings.yaml_text import read_mapping

PATHS = (
    "run.scenarios", "search.lr.path", "search.lr.href", "search.hr.path", "search.hr.href", "search.area",
    "search.lock", "acquire.dem", "acquire.geoid", "dataset.regions", "train.start_from", "models.*.train.start_from",
    "evaluate.external.*", "evaluate.lpips_weights", "dask.log_folder",
)  # fmt: skip
"""Keys that may name a file or folder; * stands for any name."""

Location = tuple[str | int, ...]


def read_settings(path: Path) -> dict[str, Any]:
    """Read a person's file of settings; its relative paths then count from the working directory."""
    content = read_mapping(path)
    return from_working_directory(content, [(Path(path).parent, content)])


def from_working_directory(
    content: Mapping[str, Any], layers: Sequence[tuple[Path, Mapping[str, Any]]]
) -> dict[str, Any]:
    """Return merged settings with paths as they are seen from the working directory.

    `layers` are the folders and contents of the files that were merged, later ones over earlier ones. A relative path
    counts from the folder of the file that it stands in; where nothing is there, from the working directory.
    """
    found = copy.deepcopy(dict(content))
    written = [(folder, {at: holder[at[-1]] for at, holder in _paths(layer)}) for folder, layer in reversed(layers)]
    for at, holder in _paths(found):
        text = holder[at[-1]]
        folder = next((folder for folder, own in written if own.get(at) == text), None)
        if folder is not None:
            holder[at[-1]] = _beside(folder, text)
    return found


def _paths(content: Mapping[str, Any]) -> Iterator[tuple[Location, Any]]:
    """Yield where a path stands, and the mapping or list that holds it."""
    for pattern in PATHS:
        yield from _matches(content, pattern.split("."), ())


def _matches(node: Any, keys: list[str], above: Location) -> Iterator[tuple[Location, Any]]:
    if isinstance(node, list):
        for number, child in enumerate(node):
            yield from _matches(child, keys, (*above, number))
    elif isinstance(node, dict):
        for key in [*node] if keys[0] == "*" else [name for name in keys[:1] if name in node]:
            if len(keys) > 1:
                yield from _matches(node[key], keys[1:], (*above, key))
            elif isinstance(node[key], str):
                yield (*above, key), node


def _beside(folder: Path, text: str) -> str:
    """Return a path that counts from a folder; unchanged where it is no relative path, or nothing is there."""
    try:
        filled = expand(text, Path("{run}"))
    except UserError:  # said where the path is used
        return text
    near = os.path.relpath(folder)
    if near == "." or "{run}" in filled or "://" in filled or Path(filled).is_absolute():
        return text
    if not (folder / filled).exists():
        return text
    above = escaped(str(Path.cwd() / folder) if near.startswith("..") else near)
    found = os.path.normpath(f"{above}/{text}")  # what a variable holds may be secret: it stays unsaid
    return found if "/" in found else f"./{found}"  # a word alone may be the name of a model


def runs(content: Mapping[str, Any], name: str) -> dict[str, dict[str, Any]]:
    """Return the settings of each run that a configuration describes, by the run's name.

    That is one, or each that `run` names: the configuration with what the file `run.scenarios` has under this name laid
    over it. `UserError`, which begins with `name`, where the file and the names do not go together.
    """
    if not isinstance(content.get("run"), dict):
        return {str(content.get("run")): dict(content)}
    asked: Runs = parse(content["run"], f"{name}: run", Runs)
    file = Path(expand(asked.scenarios, Path()))
    known = read_settings_of_runs(file)
    names = [*known] if asked.name == "all" else [asked.name] if isinstance(asked.name, str) else asked.name
    for one in names:
        if one not in known:
            raise UserError(f"{name}: run.name: {one!r} is not one of the scenarios of {file}: {', '.join(known)}")
    return {one: _laid_over(content, known[one]) | {"run": one} for one in names}


def read_settings_of_runs(file: Path) -> dict[str, dict[str, Any]]:
    """Return what a file of scenarios holds: sections by the name of the run; `UserError` for anything else."""
    found = {}
    for name, content in read_mapping(file).items():
        own = {} if content is None else content
        if not isinstance(own, dict):
            raise UserError(f"{file}: {name}: must hold sections of a configuration, not {type(own).__name__}")
        for key, why in (("run", "is its name here"), ("dask", "is one for all runs: set it in the configuration")):
            if key in own:
                raise UserError(f"{file}: {name}.{key}: {why}; leave it out")
        found[str(name)] = from_working_directory(own, [(file.parent, own)])
    if not found:
        raise UserError(f"{file}: has no scenario; write sections under the name of a run")
    return found


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with others put in, key by key; a source of another kind replaces the one below."""
    found = dict(below)
    for key, value in above.items():
        old = found.get(key)
        if isinstance(old, dict) and isinstance(value, dict) and value.get("kind") in (None, old.get("kind")):
            found[key] = _laid_over(old, value)
        else:
            found[key] = copy.deepcopy(value)
    return found
