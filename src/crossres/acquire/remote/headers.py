"""Request headers that a server asks for, such as a token: sent to its host alone, their values in no text.

A configuration names the environment variables that hold them (`acquire.headers`), and a job fills them in.
"""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from crossres.acquire.remote.hosts import host_of, is_private_host
from crossres.errors import UserError
from crossres.secrets import hide
from crossres.settings.paths import expand

_by_host: dict[str, dict[str, str]] = {}
"""A process runs one stage on one configuration."""


def give_headers(headers: Mapping[str, Mapping[str, str]]) -> None:
    """Send these headers (by host and name, as `acquire.headers` writes them) with each request to that host.

    Raises `UserError` when an environment variable is not set, or holds what no header may.
    """
    for host, own in headers.items():
        for name, written in own.items():
            value = expand(written, Path()).strip()
            if not (value.isascii() and value.isprintable()):
                raise UserError(
                    f"acquire.headers: {host}: {name}: {written}: holds a line break or a letter outside of ASCII; "
                    "set the environment variable to the bare token"
                )
            hide(value)
            _by_host.setdefault(host_of(host), {})[name] = value


def headers_for(url: str) -> dict[str, str]:
    """Return what to send to a URL beside what any server is sent: over https, or to a private address."""
    own = _by_host.get(host_of(url), {})
    return own if own and (urlsplit(url).scheme == "https" or is_private_host(host_of(url))) else {}
