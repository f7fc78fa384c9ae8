"""Where assets are: hrefs made absolute, checked, stripped of signatures, and handed to GDAL."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urljoin, urlsplit, urlunsplit

import planetary_computer

from crossres.errors import UserError

REMOTE = ("http://", "https://", "s3://")
_SIGNATURE = re.compile(r"^(sig|se|st|sp|sv|sr|skoid|sktid|skt|ske|sks|skv|token|access_token|x-amz-.*)$", re.I)


def is_remote(href: str) -> bool:
    """Return whether an href names a place on a network."""
    return href.lower().startswith(REMOTE)


def resolved(href: str, base: str, name: str) -> str:
    """Return an href of `name` relative to the file or URL `base` as an absolute path or URL.

    Raises `UserError` for a local path in what comes from a network (it could read any file of this machine), and for
    anything that is neither a plain path nor http(s) nor s3.
    """
    if is_remote(base):
        full = urljoin(base, href) if not is_remote(href) else href
        local = href.startswith(("/", "\\", "file:")) or re.match(r"^[A-Za-z]:[\\/]", href)
        if local or not is_remote(full):
            raise UserError(f"{name}: a remote item may not point to a local file ({href!r}); it is not used")
        return full
    if is_remote(href):
        return href
    if href.startswith("file://"):
        return unquote(urlsplit(href).path)
    if re.match(r"^[A-Za-z][A-Za-z0-9+.-]*:", href) or href.startswith(("/vsi", "<")):
        raise UserError(f"{name}: href {href!r} is neither a path nor http(s) nor s3; it is not used")
    return str(Path(base).parent / href)


def without_signature(href: str) -> str:
    """Return an href without the signed parts of its query and without user names and passwords."""
    if not is_remote(href):
        return href
    parts = urlsplit(href)
    query = urlencode([(k, v) for k, v in parse_qsl(parts.query, keep_blank_values=True) if not _SIGNATURE.match(k)])
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, query, ""))


def unsigned(content: Any) -> Any:
    """Return JSON content with every URL in it without its signature."""
    if isinstance(content, dict):
        return {key: unsigned(value) for key, value in content.items()}
    if isinstance(content, list):
        return [unsigned(value) for value in content]
    return without_signature(content) if isinstance(content, str) else content


def gdal_name(href: str) -> str:
    """Return what GDAL opens for an absolute path or URL.

    Planetary Computer's hrefs are signed here, at the last moment: signatures live 45 minutes and are secrets.
    """
    if href.startswith("s3://"):
        return "/vsis3/" + href.removeprefix("s3://")
    if is_remote(href):
        return "/vsicurl/" + planetary_computer.sign_url(href)
    return href
