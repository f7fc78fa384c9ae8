"""Where assets are: hrefs made absolute, checked and stripped of signatures."""

import posixpath
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urljoin, urlsplit, urlunsplit

from crossres.errors import UserError

REMOTE = ("http://", "https://", "s3://")
_PREFIX = re.compile(r"^\w[\w+.-]*:")
"""A scheme, or one of GDAL's drivers (`GTIFF_DIR:1:x.tif`)."""
_SIGNATURE = re.compile(r"^(sig|se|st|sp|sv|sr|skoid|sktid|skt|ske|sks|skv|token|access_token|x-amz-.*)$", re.I)


def is_remote(href: str) -> bool:
    """Return whether an href names a place on a network."""
    return href.lower().startswith(REMOTE)


def resolved(href: str, base: str, name: str) -> str:
    """Return an href of `name` relative to the file or URL `base` as an absolute path or URL.

    Raises `UserError` for a local path in what comes from a network (it could read any file of this machine), and for
    anything that is neither a plain path nor http(s) nor s3.
    """
    href = href.strip()
    if is_remote(base):
        local = href.startswith(("/", "\\", "file:")) or re.match(r"^[A-Za-z]:[\\/]", href)
        full = "" if local else _joined(base, href)
        if not is_remote(full):
            raise UserError(f"{name}: a remote item may not point to a local file ({href!r}); it is not used")
        return full
    if is_remote(href):
        return href
    if href.startswith("file://"):
        path = unquote(urlsplit(href).path) if urlsplit(href).netloc in ("", "localhost") else ""
    else:
        path = "" if _PREFIX.match(href) else str(Path(base).parent / href)
    # Looked at last: `///vsizip/x` and `file:///vsizip/x` become GDAL's `/vsizip/x` only here.
    if not path or "<" in path or re.match(r"^/+vsi", path):
        raise UserError(f"{name}: href {href!r} is neither a path nor http(s) nor s3; it is not used")
    return path


def _joined(base: str, href: str) -> str:
    """Return an href relative to a URL; what `..` leads to stays on its server, and in its bucket."""
    if is_remote(href):
        return href
    parts = urlsplit(base)
    if parts.scheme != "s3":
        return urljoin(base, href)
    if _PREFIX.match(href):
        return href
    path = posixpath.normpath(posixpath.join("/", posixpath.dirname(parts.path), href))
    return f"s3://{parts.netloc}{path}"


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
