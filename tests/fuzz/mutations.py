"""Inputs of others, made of good ones by hypothesis: bytes, text and JSON with something wrong in it."""

import copy
import json
import re
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

fuzz = settings(
    derandomize=True,  # the same inputs in every run
    database=None,
    deadline=None,  # `bounded` has its own
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
"""Settings of every test here: `@settings(fuzz, max_examples=200)`."""

WORDS = [
    b"", b"\0", b"\0" * 600, b"\n", b"\r", b"\x1b[31m", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc3\xdc\xd4\xc6", b"<", b">",
    b"&x;", b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>', b"]]>", b"<a>" * 2000, b"(" * 3000, b"=" * 3000,
    b";", b",", b"nan", b"inf", b"-1", b"0", b"1e99999999", b"1e308", b"9" * 5000, b"1/0", b"1_0", "٣".encode(),
    b"../../etc/passwd", b"/etc/passwd", b"file:///etc/passwd", b"\x7f" * 8, b"\xff" * 8, b"\x80" + b"\xff" * 11,
    b"a" * 5000,
]  # fmt: skip
"""What has broken readers before."""

VALUES: list[Any] = [
    None, True, False, 0, -1, 10**400, -(10**12), 0.5, 1e308, float("nan"), float("inf"), "", " ", "nan", "1e99999999",
    "1/0", "9" * 5000, "1_0", "a\nb\x1b[31m", "\ud800", "\0", "密云", "a" * 5000, "../../../etc/passwd", "/etc/passwd",
    "file:///etc/passwd", "/vsicurl/http://127.0.0.1:9/x", "http://169.254.169.254/", "{0}", "${HOME}", [], {}, [[]],
    [None], ["a"] * 3000, [float("nan")] * 4, {"": ""}, {"href": "/etc/passwd"},
]  # fmt: skip


@st.composite
def mutated_bytes(draw: st.DrawFn, original: bytes, words: list[bytes] | None = None, most: int = 4) -> bytes:
    """Return `original` with one to `most` places changed: cut, repeated, overwritten or put in, or the end cut off."""
    content = bytearray(original)
    for _ in range(draw(st.integers(1, most))):
        at = draw(st.integers(0, max(len(content) - 1, 0)))
        length = draw(st.sampled_from([0, 1, 2, 4, 12, 100, 512]))
        word = draw(st.sampled_from(words or WORDS) | st.binary(min_size=1, max_size=12))
        match draw(st.sampled_from(["put", "over", "cut", "twice", "flip", "end"])):
            case "put":
                content[at:at] = word
            case "over":
                content[at : at + max(length, len(word))] = word
            case "cut":
                del content[at : at + length]
            case "twice":
                content[at:at] = content[at : at + length] * 3
            case "flip":
                content[at : at + 1] = bytes(b ^ draw(st.integers(1, 255)) for b in content[at : at + 1])
            case "end":
                del content[at:]
    return bytes(content)


@st.composite
def mutated_fields(draw: st.DrawFn, original: str, pattern: str, values: list[str], most: int = 3) -> str:
    """Return `original` with other values in one to `most` of the places that the group of `pattern` matches."""
    text = original
    for _ in range(draw(st.integers(1, most))):
        places = [match.span(1) for match in re.finditer(pattern, text)]
        start, end = places[draw(st.integers(0, len(places) - 1))]
        text = text[:start] + draw(st.sampled_from(values)) + text[end:]
    return text


@st.composite
def mutated_json(draw: st.DrawFn, original: Any, values: list[Any] | None = None, most: int = 3) -> Any:
    """Return a copy of `original`, what JSON can hold, with one to `most` of its values changed, gone or renamed."""
    content = copy.deepcopy(original)
    for _ in range(draw(st.integers(1, most))):
        places = list(_places(content))
        if not places:
            return draw(st.sampled_from(values or VALUES))
        owner, key = places[draw(st.integers(0, len(places) - 1))]
        match draw(st.sampled_from(["value", "value", "value", "gone", "key", "nested", "kind"])):
            case "value":
                owner[key] = copy.deepcopy(draw(st.sampled_from(values or VALUES)))
            case "gone":
                del owner[key]
            case "key" if isinstance(owner, dict):
                owner[draw(st.sampled_from(["", "x", "__proto__", "crossres:mosaic", "a\n\x1b[31m", "\ud800"]))] = (
                    owner.pop(key)
                )
            case "nested":
                for _ in range(draw(st.sampled_from([1, 30, 300]))):
                    owner[key] = [owner[key]]
            case _:
                owner[key] = [owner[key]] if draw(st.booleans()) else {"a": owner[key]}
    return content


@st.composite
def mutated_json_text(draw: st.DrawFn, original: Any) -> bytes:
    """Return the JSON of a changed `original`, its own text changed as well now and then."""
    text = json.dumps(draw(mutated_json(original))).encode()
    return draw(mutated_bytes(text, most=2)) if draw(st.integers(0, 3)) == 0 else text


def _places(content: Any) -> Any:
    """Yield (owner, key or index) of every value within, whatever the depth."""
    waiting = [content]
    while waiting:
        owner = waiting.pop()
        for key, value in (
            owner.items() if isinstance(owner, dict) else enumerate(owner) if isinstance(owner, list) else ()
        ):
            yield owner, key
            waiting.append(value)
