"""Settings as a person writes them: YAML or JSON, read with one line for whatever is wrong with it."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from crossres.errors import UserError
from crossres.files import parse_json, read_text

LONGEST = 2**20
DEEPEST = 64
MOST_VALUES = 200_000
"""A configuration of ten thousand places has fewer; a few lines of aliases can stand for billions."""


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a YAML or JSON file of settings; `UserError` that names it when it holds anything else."""
    return parse_mapping(read_text(path), str(path))


def parse_mapping(text: str, name: str) -> dict[str, Any]:
    """Read settings from a text; `UserError` that begins with `name` when it holds anything else."""
    if len(text) > LONGEST:
        raise UserError(f"{name}: has {len(text)} characters; a configuration has at most {LONGEST}")
    try:
        content = _json(text)
        if content is None:
            _check(text, name)
            content = yaml.load(text, Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        # Not the lines around it, which YAML would quote: they may hold a password.
        raise UserError(f"{name}: not valid YAML or JSON: {error.problem or error.context}{where}") from None
    except yaml.reader.ReaderError as error:
        raise UserError(f"{name}: not valid YAML or JSON: character {error.position} is none of a text") from None
    except yaml.YAMLError:
        raise UserError(f"{name}: not valid YAML or JSON") from None
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        # What its own constructors raise for dates and numbers that are none.
        raise UserError(f"{name}: not valid YAML or JSON: a date or number in it is none") from None
    if not isinstance(content, dict):
        raise UserError(f"{name}: must hold settings as `key: value`")
    return content


def _json(text: str) -> Any:
    """Return what a JSON text holds, which YAML would read otherwise in places; None where it is none."""
    if text.lstrip().startswith("{"):
        with suppress(ValueError):
            return parse_json(text)
    return None


Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _check(text: str, name: str) -> None:
    """Raise `UserError` for deep nesting, for too much once all aliases are written out, and for a key twice."""
    sizes: dict[str, int] = {}
    levels: list[_Level] = [_Level(None)]
    for event in yaml.parse(text, Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            levels.append(_Level(event.anchor, set() if isinstance(event, yaml.MappingStartEvent) else None))
            if len(levels) > DEEPEST:
                raise UserError(f"{name}: is nested more than {DEEPEST} levels deep")
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            done = levels.pop()
            size, anchor, key = done.size + 1, done.anchor, None
        elif isinstance(event, yaml.ScalarEvent):
            size, anchor, key = 1, event.anchor, event.value
        elif isinstance(event, yaml.AliasEvent):
            within = any(level.anchor == event.anchor for level in levels[1:])
            size, anchor, key = MOST_VALUES if within else sizes.get(event.anchor or "", 1), None, None
        else:
            continue
        if anchor is not None:
            sizes[anchor] = size
        if levels[-1].has(key):
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise UserError(f"{name}: {str(key)[:80]!r} stands twice in one place (line {line})")
        levels[-1].size += size
        if levels[-1].size > MOST_VALUES:
            raise UserError(f"{name}: holds more than {MOST_VALUES} values, or an alias within itself")


class _Level:
    """A collection that is being read."""

    def __init__(self, anchor: str | None, keys: set[str] | None = None) -> None:
        self.anchor, self.keys, self.size, self.count = anchor, keys, 0, 0

    def has(self, key: str | None) -> bool:
        """Take the next value; whether it is a key that this mapping has already."""
        is_key = self.keys is not None and self.count % 2 == 0
        self.count += 1
        if not is_key or key is None or key == "<<" or self.keys is None:
            return False
        twice = key in self.keys
        self.keys.add(key)
        return twice


def values(content: Any) -> Iterator[Any]:
    """Return all keys and values within what was read, however deep; `UserError` when there are too many."""
    waiting, count = [content], 0
    while waiting:
        value = waiting.pop()
        count += 1
        if count > MOST_VALUES:
            raise UserError(f"holds more than {MOST_VALUES} values, or a value within itself")
        yield value
        if isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple):
            waiting += value
