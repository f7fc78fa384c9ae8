"""What a server says to a refusal, out of the pages in which it says so."""

import json
import re
from typing import Any

from crossres.secrets import shown

LONGEST_PAGE = 16 * 1024
"""Characters of an error's page that are looked at."""


def own_reason(status: int | None, page: str) -> str:
    """Return a status and the server's own reason, of XML as S3 and Azure send it or of JSON: `403 AccessDenied`."""
    text = page[:LONGEST_PAGE].strip()
    said = _of_xml(text) if text.startswith("<") else _of_json(text) if text.startswith("{") else []
    words = shown(": ".join(said[:2]))
    return " ".join([str(status)] * (status is not None) + [words] * bool(words)) or "no reason given"


def _of_xml(text: str) -> list[str]:
    found = [re.search(rf"<{tag}>([^<]{{1,1000}})</{tag}>", text) for tag in ("Code", "Message")]
    # Azure appends the number and the time of the request in lines of their own.
    return [match[1].strip().partition("\n")[0] for match in found if match]


def _of_json(text: str) -> list[str]:
    try:
        content: dict[str, Any] = json.loads(text)
    except (ValueError, RecursionError):
        return []
    said: list[str] = []
    for key in ("code", "detail", "message", "description", "error_description", "error", "title"):
        value = content.get(key)
        if isinstance(value, dict):
            value = value.get("message")
        if isinstance(value, str) and value and value not in said:
            said.append(value)
    return said
