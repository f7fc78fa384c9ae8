"""Which keys of a configuration differ from those that a run was last made with, in words for a terminal."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crossres.errors import UserError
from crossres.settings.config import Config
from crossres.settings.stages import HOW
from crossres.settings.yaml_text import read_mapping

MOST_LINES = 10
LONGEST_VALUE = 40
"""Characters."""
ABSENT = object()


def changed_since(written: Path, config: Config) -> list[str]:
    """Return a line for each key that differs from `written`, the config.yaml of a run, and at most ten.

    Nothing for a run that has none, or whose file cannot be read: it is then written again.
    """
    try:
        before = read_mapping(written)
    except UserError:
        return []
    after = config.model_dump(mode="json", exclude=set(HOW))
    found = list(_differences("", {key: before.get(key, ABSENT) for key in after}, after))
    more = [f"and {len(found) - MOST_LINES} more"] if len(found) > MOST_LINES else []
    return found[:MOST_LINES] + more


def _differences(key: str, before: Any, after: Any) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in {**before, **after}:
            inner = f"{key}.{name}".lstrip(".")
            yield from _differences(inner, before.get(name, ABSENT), after.get(name, ABSENT))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after)):
            yield from _differences(f"{key}[{number}]", one, other)
    elif before != after:
        shown = _shown(before), _shown(after)
        yield f"{key}: {' -> '.join(shown)}" if shown[0] != shown[1] else f"{key}: changed"


def _shown(value: Any) -> str:
    if value is ABSENT:
        return "absent"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
