"""What of a configuration may be shown to anyone: no absolute path, no credential."""

import re
from typing import Any
from urllib.parse import urlsplit

SECRET_KEY = re.compile(r"secret|token|password|credential|api_?key|client_id", re.IGNORECASE)


def public(value: Any) -> Any:
    """Return a configuration without absolute paths (their last part stays), URL queries and secrets."""
    if isinstance(value, dict):
        return {k: "(not shown)" if v and SECRET_KEY.search(str(k)) else public(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [public(v) for v in value]
    if not isinstance(value, str):
        return value
    if "://" in value:
        url = urlsplit(value)
        return f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}"
    if value.startswith(("/", "~", "\\\\")) or re.match(r"[A-Za-z]:[\\/]", value):
        return "…/" + re.split(r"[/\\]", value.rstrip("/\\"))[-1]
    return value
