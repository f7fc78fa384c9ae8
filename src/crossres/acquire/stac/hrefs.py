"""Where assets are: hrefs of others made absolute and checked, before anything is opened under them."""

import posixpath
import re
import unicodedata
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from crossres.acquire.remote.addresses import refuse_private
from crossres.errors import UserError
from crossres.secrets import shown, unsigned, without_signature

__all__ = ["is_remote", "resolved", "shown", "unsigned", "without_signature"]

REMOTE = ("http://", "https://", "s3://")
LONGEST_HREF = 8192
LONGEST_PATH = 4096
"""Characters; systems take no longer ones."""
_PREFIX = re.compile(r"^\w[\w+.-]*:")
"""A scheme, or one of GDAL's drivers (`GTIFF_DIR:1:x.tif`)."""
_HOST = re.compile(r"[\w.-]+|\[[0-9A-Fa-f:.]+\]")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def is_remote(href: str) -> bool:
    """Return whether an href names a place on a network."""
    return href.lower().startswith(REMOTE)


def resolved(href: str, base: str, name: str) -> str:
    """Return an href of `name` relative to the file or URL `base` as an absolute path or URL.

    Raises `UserError` for a local path in what comes from a network (it could read any file of this machine), for
    a private address there that the configuration does not name, and for anything that is neither a plain path nor
    http(s) nor s3.
    """
    href = href.strip()
    if len(href) > LONGEST_HREF or any(unicodedata.category(c) in {"Cc", "Cs"} for c in href):
        raise UserError(f"{name}: href '{shown(href, 100)}' is too long or holds control characters; it is not used")
    if is_remote(base):
        local = href.startswith(("/", "\\", "file:")) or _PREFIX.match(href)
        full = href if is_remote(href) else "" if local or "\\" in href else _joined(base, href)
        if not is_remote(full):
            raise UserError(
                f"{name}: a remote item may not point to a local file ('{shown(href, 100)}'); it is not used"
            )
        refuse_private(full)
        return _plain_url(full, name)
    if is_remote(href):
        return _plain_url(href, name)
    if href.startswith("file://"):
        path = unquote(urlsplit(href).path) if href[7:].partition("/")[0] in ("", "localhost") else ""
    else:
        path = "" if _PREFIX.match(href) else str(Path(base).parent / href)
    # Looked at last: `///vsizip/x` and `file:///vsizip/x` become GDAL's `/vsizip/x` only here.
    if not 0 < len(path) <= LONGEST_PATH or "\0" in path or "<" in path or re.match(r"/+vsi", posixpath.normpath(path)):
        raise UserError(f"{name}: href '{shown(href, 100)}' is neither a path nor http(s) nor s3; it is not used")
    return path


def _joined(base: str, href: str) -> str:
    """Return an href relative to a URL; what `..` leads to stays on its server, and in its bucket."""
    parts = urlsplit(base)
    if parts.scheme != "s3":
        return urljoin(base, href)
    path = posixpath.normpath(posixpath.join("/", posixpath.dirname(parts.path), href))
    return f"s3://{parts.netloc}{path}"


def _plain_url(url: str, name: str) -> str:
    """Return a URL with its scheme in lower case; `UserError` where readers of URLs could disagree on what it names."""
    scheme, _, rest = url.partition("://")
    scheme = scheme.lower()
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        port = parts.port
    except ValueError:  # brackets, a port, or characters that become / ? # @ : when normalised
        host, port = "", None
    if port is not None:
        host = host.rpartition(":")[0]
    fits = _BUCKET.fullmatch(rest.partition("/")[0]) if scheme == "s3" else _HOST.fullmatch(host)
    hidden = any(unicodedata.category(c) in {"Cf", "Zl", "Zp"} for c in url)
    if not fits or "\\" in url or hidden:
        raise UserError(f"{name}: href '{shown(url, 100)}' is no plain http(s) or s3 address; it is not used")
    return f"{scheme}://{rest}"
