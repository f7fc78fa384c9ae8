"""JSON of others, read so that one bad value spoils the item that it stands in and nothing beside it."""

import json
import re
import sys
from typing import Any

from crossres.acquire.stac.offered import Offered, Unusable
from crossres.errors import UserError
from crossres.imagery.items import Item
from crossres.secrets import shown

DEEPEST = 100
"""Levels of lists and objects in each other; the deepest of STAC, the rings of a multipolygon, have ten."""
LONGEST_ID = 500
LONGEST_REASON = 300
MOST_VALUES = 5_000_000
"""Values in one answer; each takes some 60 bytes, however short it is written."""
_TOO_DEEP = "-Infinity"
"""Stands in a text for what is nested too deep; it is no JSON, but Python's reader takes it."""
_LONGEST_NUMBER = 30
"""Digits of an integer; Python itself refuses more than some thousands."""
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.DOTALL)


class _Broken(str):
    """Stands for a value that cannot be read: why."""


def parse(text: str) -> Any:
    """Return the content of a JSON text; values that cannot be read become what `offered` refuses.

    Raises ValueError for what is no JSON.
    """
    text = text.removeprefix("\ufeff")
    if sum(map(text.count, ",[{")) > MOST_VALUES:
        raise ValueError(f"holds more than {MOST_VALUES} values")
    try:
        return json.loads(text, parse_int=_integer, parse_constant=_constant)
    except RecursionError:
        pass
    try:
        return json.loads(_without_depths(text), parse_int=_integer, parse_constant=_depth)
    except RecursionError:
        raise ValueError(f"is nested deeper than {DEEPEST} levels") from None


def _integer(digits: str) -> Any:
    return int(digits) if len(digits) <= _LONGEST_NUMBER else _Broken(f"holds an integer of {len(digits)} digits")


def _constant(name: str) -> _Broken:
    return _Broken(f"holds {name}, which is no number in JSON")


def _depth(name: str) -> _Broken:
    return _Broken(f"is nested deeper than {DEEPEST} levels") if name == _TOO_DEEP else _constant(name)


def _without_depths(text: str) -> str:
    """Return a JSON text with _TOO_DEEP in place of whatever is nested too deep for any reader that calls itself."""
    kept, depth, begin = [], 0, 0
    for token in _TOKEN.finditer(text):
        mark = token[0][0]
        if mark in "[{":
            depth += 1
            if depth == DEEPEST + 10:
                kept.append(text[begin : token.start()])
        elif mark in "]}":
            depth -= 1
            if depth == DEEPEST + 9:
                kept.append(_TOO_DEEP)
                begin = token.end()
    return "".join([*kept, text[begin:]])


def offered(content: Any, base: str) -> Offered | Unusable:
    """Return what a source calls an item, read under `base`, if it is one that can be worked with.

    `crossres:` keys at any depth are dropped: here they mean what this program has found out itself.
    """
    try:
        return Offered(_without_our_keys(checked_item(content)), base)
    except UserError as error:
        name = content.get("id") if isinstance(content, dict) else None
        named = shown(name, 100) if isinstance(name, str) and name else f"an item of {shown(base)}"
        return Unusable(named, str(error)[:LONGEST_REASON])


def checked_item(content: Any) -> Item:
    """Return a STAC item with its links, of which those are left that lead somewhere.

    Raises `UserError`, which does not name it, for what is none and for values that no reader takes.
    """
    if not isinstance(content, dict):
        raise UserError(f"is no STAC item but {_kind(content)}")
    _check_values(content)
    name = content.get("id")
    if not isinstance(name, str) or not name:
        raise UserError("has no id")
    if len(name) > LONGEST_ID:
        raise UserError(f"has an id of {len(name)} characters")
    if not name.isprintable():
        raise UserError("has an id with characters that cannot be printed")
    for key in ("properties", "assets"):
        if not isinstance(content.get(key), dict):
            raise UserError(f"is no STAC item: its {key} are {_kind(content.get(key))}")
    for key, asset in content["assets"].items():
        if not isinstance(asset, dict) or not isinstance(asset.get("href"), str):
            raise UserError(f"is no STAC item: its asset '{shown(key, 60)}' has no href")
    links = content.get("links")
    found = [
        link for link in (links if isinstance(links, list) else [])
        if isinstance(link, dict) and isinstance(link.get("rel"), str) and isinstance(link.get("href"), str)
    ]  # fmt: skip
    return {**content, "links": found}


def _check_values(content: Any) -> None:
    """Raise `UserError` for what Python's JSON reads and no other program, or no file, takes."""
    level = [content]
    for _ in range(DEEPEST):
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below.extend(value)
                below.extend(value.values())
            elif isinstance(value, list):
                below.extend(value)
            elif isinstance(value, _Broken):
                raise UserError(str(value))
            elif isinstance(value, int | float) and not abs(value) <= sys.float_info.max:  # nor is NaN
                raise UserError("holds a number that is too large")
            elif isinstance(value, str) and not _is_text(value):
                raise UserError(f"holds half of a character: '{shown(value, 60)}'")
        level = below
        if not level:
            return
    raise UserError(f"is nested deeper than {DEEPEST} levels")


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True


def _without_our_keys(content: Any) -> Any:
    if isinstance(content, dict):
        return {
            key: _without_our_keys(value)
            for key, value in content.items()
            if not key.strip().lower().startswith("crossres:")
        }
    return [_without_our_keys(value) for value in content] if isinstance(content, list) else content


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    return {dict: "an object", list: "a list", str: "a text", bool: "true or false"}.get(type(value), "a number")
